"""The beginning of a file of captions, or what lies in a folder, by which its format is known."""

import codecs
import contextlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import open_input_file, open_regular
from hnclip_cli.streams.foreign import other_kind, unpacking_of
from hnclip_cli.streams.json_parts import json_parts
from hnclip_cli.streams.packed import unpacking

HEAD_BYTES = 1 << 20
_DELIMITERS = "\t|;,"


@dataclass(frozen=True)
class Head:
    """What is known of a file or folder before it is read."""

    path: str
    is_folder: bool
    data: bytes = b""  # the first of a file
    entries: list[str] = field(default_factory=list)  # of a folder, sorted

    @classmethod
    def of(cls, path: str) -> "Head":
        """Look at it; `HnclipError` where it is neither a file nor a folder, or empty."""
        if os.path.isdir(path):
            return cls(path, True, entries=sorted(os.listdir(path)))
        try:
            open_regular(path).close()
        except FileNotFoundError:
            if path == "-":
                raise HnclipError(
                    "captions are not read from standard input", hint="a file, which is read twice"
                ) from None
            raise HnclipError("no such file or folder", where=path) from None
        with open_input_file(path) as stream, unpacking(path):
            data = stream.read(HEAD_BYTES)
        if not data.strip():
            raise HnclipError("the file is empty", where=path)
        if other := other_kind(data, path):
            raise other
        if packed := unpacking_of(data, path):
            raise HnclipError("a packed file", where=path, hint=packed)
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise HnclipError("UTF-16, not UTF-8", where=path, hint="iconv -f UTF-16 -t UTF-8")
        return cls(path, False, data.removeprefix(b"\xef\xbb\xbf"))

    def ending(self, *endings: str) -> list[str]:
        """The files of the folder with such names, or of its folder ``data``."""
        for below in ("", "data"):
            folder = os.path.join(self.path, below)
            names = sorted(os.listdir(folder)) if below and os.path.isdir(folder) else self.entries
            if found := [name for name in names if name.lower().endswith(endings)]:
                return [os.path.join(folder, name) for name in found]
        return []

    @cached_property
    def opening(self) -> str:
        """The bracket that opens a JSON file, else nothing."""
        first = self.data.lstrip()[:1].decode("latin-1")
        return first if first in "[{" else ""

    @cached_property
    def fields(self) -> dict[str, Mapping[str, Any]]:
        """The fields of a JSON object; for a list of objects the first one, else an empty one.

        A list that is the whole file has the name "".
        """
        found: dict[str, Mapping[str, Any]] = {}
        with contextlib.suppress(HnclipError):  # the head ends within it, or more lines follow
            for part in json_parts(io.BytesIO(self.data), self.path):
                if part.key not in found:
                    is_object = part.number is not None and part.text.startswith("{")
                    found[part.key] = json.loads(part.text) if is_object else {}
        return found

    @cached_property
    def line(self) -> str:
        """The first line of a text file that is not blank."""
        return self.data.lstrip(b"\r\n").partition(b"\n")[0].decode("utf-8", "replace").strip("\r")

    @cached_property
    def delimiter(self) -> str:
        """What stands most often between the names of columns in the first line."""
        return max(_DELIMITERS, key=self.line.count)

    @cached_property
    def columns(self) -> list[str]:
        """The names of columns in the first line; none where nothing separates any."""
        cells = self.line.split(self.delimiter)
        return [cell.strip().strip('"') for cell in cells] if len(cells) > 1 else []
