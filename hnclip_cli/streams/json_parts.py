"""A JSON file in parts, for files that are too large to hold: a piece is read at a time."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, NamedTuple

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import in_bytes
from hnclip_cli.streams.jsonl import MAX_LINE_BYTES
from hnclip_cli.streams.packed import unpacking

_CHUNK = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")


class Part(NamedTuple):
    """A value of a JSON file as it stands there, and where: ``annotations[3]``."""

    key: str  # of the outermost object; empty where that is a list
    number: int | None  # in the list, from 0; None where the value lies in no list
    text: str

    @property
    def place(self) -> str:
        return self.key if self.number is None else f"{self.key}[{self.number}]"


def json_parts(stream: IO[bytes], where: str) -> Iterator[Part]:
    """The values of the outermost object, and in place of a list that lies in it, its own values.

    Memory holds one of them, of at most 64 MiB.

    Raises:
        HnclipError: no UTF-8, no JSON, neither a list nor an object, a value that is too large.
    """
    text = _Text(stream, where)
    if text.next() == "[":
        yield from _list(text, "")
    elif text.next() == "{":
        text.take("{")
        while text.next() != "}":
            key = text.key()
            text.take(":")
            if text.next() == "[":
                yield from _list(text, key)
            else:
                yield Part(key, None, text.value())
            text.separate("}")
        text.take("}")
    else:
        raise text.error("neither a list nor an object")
    if text.next():
        raise text.error("something stands behind its end")


def _list(text: "_Text", key: str) -> Iterator[Part]:
    text.take("[")
    number = 0
    while text.next() != "]":
        yield Part(key, number, text.value())
        number += 1
        text.separate("]")
    text.take("]")


class _Text:
    """The characters of a file from a place on, as many as are needed."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self.stream, self.where = stream, where
        self.text, self.at = "", 0
        self.num_before, self.line_before = 0, 1
        self.decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        # NaN is found here, so that the end of a value is; whoever parses it decides.
        self.raw_decode = json.JSONDecoder().raw_decode

    def next(self) -> str:
        """The next character that is no space, empty at the end."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def take(self, character: str) -> None:
        if self.next() != character:
            raise self.error(f"expected {character!r}")
        self.at += 1

    def separate(self, end: str) -> None:
        """Go past a comma, or stay before the end."""
        if self.next() == ",":
            self.at += 1
            if self.next() == end:
                raise self.error("a comma stands before the end")
        elif self.next() != end:
            raise self.error(f"expected ',' or {end!r}")

    def value(self) -> str:
        self.next()
        while True:
            try:
                _, end = self.raw_decode(self.text, self.at)
            except (ValueError, RecursionError) as error:
                # The rest of it may not have been read yet.
                if len(self.text) - self.at > MAX_LINE_BYTES:
                    raise self.error(f"it is broken, or of more than {_BOUND}") from None
                if not self._more():
                    raise self.error(str(getattr(error, "msg", error))) from None
            else:
                if end < len(self.text) or not self._more():  # a number may go on
                    begun, self.at = self.at, end
                    return self.text[begun:end]

    def key(self) -> str:
        """The next value, which has to be text that UTF-8 can hold."""
        key = json.loads(self.value())
        if not isinstance(key, str) or key.encode(errors="replace").decode() != key:
            raise self.error("a key of an object is no text")
        return key

    def error(self, problem: str) -> HnclipError:
        line = self.line_before + self.text.count("\n", 0, self.at)
        return HnclipError(
            f"broken JSON at character {self.num_before + self.at + 1:,} ({problem})",
            where=f"{self.where}:{line}",
            hint="fetching the file again",
        )

    def _more(self) -> bool:
        """Read as much again as there is; False at the end of the file."""
        with unpacking(self.where):
            data = self.stream.read(max(_CHUNK, len(self.text) - self.at))
        try:
            more = self.decode(data, not data)
        except UnicodeDecodeError as error:
            raise self.error(f"invalid UTF-8, {error.reason}") from None
        if data:
            self.num_before += self.at
            self.line_before += self.text.count("\n", 0, self.at)
            self.text, self.at = self.text[self.at :] + more, 0
        return bool(data)


_BOUND = in_bytes(MAX_LINE_BYTES).removeprefix("at most ")
