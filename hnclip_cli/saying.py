"""What messages may show: text on one line, printable, short, and without secrets."""

import contextlib
import io
import json
import re
from typing import TextIO

MAX_PART = 300  # characters of a name, a value or the like in a message
MAX_LINE = 1000
# Names and answers of any length are cut to this many characters before they are looked at.
_MAX_READ = 4000
# A secret that somebody else has cut off is known by so many of its characters.
_MIN_SECRET, _MAX_BEGINNING = 4, 12
# Before the host stand user and password (with a slash it is none, but somebody's all the same),
# behind the path signatures.
_URL = re.compile(
    r"""(\b[a-z][a-z0-9+.-]*://)
    (?: [^\s'"/?\#]*@ | [^\s'"/?\#:]*:(?!\d*(?:[\s'"/?\#]|$)) [^\s'"]*@ )?
    ([^\s'"?\#]*) [^\s'"]*""",
    re.IGNORECASE | re.VERBOSE,
)

_secrets: set[str] = set()
_beginnings: set[str] = set()


def keep_secret(text: str) -> None:
    """From now on no message shows this text, as it is or as URLs and JSON spell it."""
    from urllib.parse import quote  # here, so that --help does not wait for it

    if len(text) >= _MIN_SECRET:
        _secrets.update((text, quote(text, safe=""), json.dumps(text)[1:-1]))
        _beginnings.update(secret[:_MAX_BEGINNING] for secret in _secrets)


def without_secrets(text: str) -> str:
    """The text with … in place of each secret, or of the beginning of one."""
    at = 0
    while found := [place for b in _beginnings if (place := text.find(b, at)) >= 0]:
        at = min(found)
        num_shown = max(_num_shared(secret, text[at : at + len(secret)]) for secret in _secrets)
        text = f"{text[:at]}…{text[at + num_shown :]}"
    return text


def _num_shared(one: str, other: str) -> int:
    """How many characters two texts have in common at the beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def shown(text: object, limit: int = MAX_PART) -> str:
    """Text from anywhere as a message may show it: `printable`, and in one line."""
    return printable(" ".join(without_secrets(str(text)).split()), limit)


def printable(text: str, limit: int = MAX_PART) -> str:
    """Text without what a terminal would obey, without secrets, and not too long.

    What is not printable is escaped; of URLs user, password and query are left out, and of more
    than ``limit`` characters those in the middle.
    """
    text = _URL.sub(r"\1\2", _cut(without_secrets(text), _MAX_READ))
    if not text.isprintable():
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return _cut(text, limit)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[: limit - 1 - half]}…{text[len(text) - half :]}"


class Printable(io.TextIOBase):
    """Standard error as libraries may have it: each line as `shown` makes it, but for its spaces.

    A write that fails is no error: there is nobody to tell.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._begun = ""  # a line that has no end yet

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        self._write("".join(f"{_line(line)}\n" for line in lines))
        return len(text)

    def flush(self) -> None:
        begun, self._begun = self._begun, ""
        self._write(_line(begun))

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)
            self.stream.flush()


def _line(text: str) -> str:
    """A line, in which progress bars may go back to its beginning."""
    body = text.strip("\r")
    before, _, after = text.partition(body) if body else (text, "", "")
    return before + printable(body.expandtabs(), MAX_LINE) + after
