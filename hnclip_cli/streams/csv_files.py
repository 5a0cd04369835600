"""CSV files, whose lines have a bound as those of JSONL."""

import csv
import io
from collections.abc import Iterator
from typing import IO

from hnclip_cli.errors import InputError
from hnclip_cli.streams.files import in_bytes
from hnclip_cli.streams.jsonl import MAX_LINE_BYTES


def read_csv(stream: IO[bytes], path: str) -> "csv.DictReader[str]":
    """The rows of a CSV file with a header, by column.

    Reading on raises `InputError` at a line that is too long, and csv.Error or UnicodeDecodeError
    at what is no CSV. A field has at most 131,072 letters, which the csv module takes.
    """
    return csv.DictReader(_lines(stream, path), strict=True)


def _lines(stream: IO[bytes], path: str) -> Iterator[str]:
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    while line := text.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            expected = in_bytes(MAX_LINE_BYTES)
            raise InputError("the line is too long", where=path, expected=expected)
        yield line
