"""Answers kept in a file, so that a run that ended early need not ask again."""

import json
import os
import threading
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.negatives.generators.written import Draft

_BEGINNING = b'{"asked": "'


class Answered:
    """The drafts of questions, in a file with a line each; threads and runs may share it.

    A line is ``{"asked": …, "id": …, "drafts": [[kind, caption], …]}``. One that was torn when a
    process ended is passed over. Memory holds two numbers for each answer.

    Raises:
        HnclipError: the file holds something else, or cannot be read or written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._places: dict[int, int] = {}  # of lines, by what was asked
        self._is_torn = False
        if os.path.exists(path) and not os.path.isfile(path):
            raise HnclipError("not a file", where=path)
        try:
            with open(path, "a+b") as stream:  # also that it can be written is known now
                stream.seek(0)
                place = 0
                for number, line in enumerate(stream, 1):
                    self._index(line, place, number)
                    place += len(line)
        except OSError as error:
            raise self._error(error) from None

    def drafts(self, asked: int) -> list[Draft] | None:
        """The answer to a question, where it is known."""
        with self._lock:
            place = self._places.get(asked)
        if place is None:
            return None
        try:
            with open(self.path, "rb") as stream:
                stream.seek(place)
                found = _parsed(stream.readline())
        except OSError as error:
            raise self._error(error) from None
        return found[1] if found and found[0] == asked else None

    def add(self, asked: int, name: str, drafts: list[Draft]) -> None:
        """Keep an answer; ``name`` is for people who look into the file."""
        entry = {"asked": f"{asked:016x}", "id": name, "drafts": drafts}
        line = json.dumps(entry).encode() + b"\n"
        with self._lock:
            try:
                with open(self.path, "ab") as stream:
                    place = stream.seek(0, os.SEEK_END)
                    stream.write(b"\n" + line if self._is_torn else line)
            except OSError as error:
                raise self._error(error) from None
            self._places[asked] = place + self._is_torn
            self._is_torn = False

    def _index(self, line: bytes, place: int, number: int) -> None:
        self._is_torn = not line.endswith(b"\n")
        if found := _parsed(line):
            self._places[found[0]] = place
        elif not (line.startswith(_BEGINNING) or _BEGINNING.startswith(line.rstrip(b"\n"))):
            raise HnclipError(
                "not an answer of an earlier run",
                where=f"{self.path}:{number}",
                hint="--resume with a file of its own, which may be new",
            )

    def _error(self, error: OSError) -> HnclipError:
        return HnclipError(f"cannot use it: {error.strerror}", where=self.path)


def _parsed(line: bytes) -> tuple[int, list[Draft]] | None:
    """What was asked, and its drafts; None for a line that does not hold them."""
    try:
        entry: Any = json.loads(line)
        drafts = [(kind, caption) for kind, caption in entry["drafts"]]
        asked = int(entry["asked"], 16)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    is_text = all(isinstance(text, str) for draft in drafts for text in draft)
    return (asked, drafts) if is_text else None
