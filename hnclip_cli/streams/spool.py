"""Records kept on disk, for whoever has to read them more than once."""

import os
from array import array
from collections.abc import Iterator
from typing import IO, Self

from hnclip_cli.streams.outputs import temporary_file
from hnclip_cli.streams.records import Record, format_record, parse_record

_RECORDS_AT_ONCE = 256


class Spool:
    """Records in a temporary file, to be read again in any order, from any thread."""

    def __init__(self) -> None:
        self.file: IO[bytes] = temporary_file()  # the lines, end to end
        self.offsets = array("q", [0])  # where each line begins, and where the last one ends
        self.lines = array("q")  # the records' own line numbers
        self.source = "-"  # where the records were read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.file.close()

    def add(self, record: Record) -> bytes:
        """Keep a record; returns the line that stands for it."""
        line = format_record(record)
        self.file.write(line)
        self.offsets.append(self.offsets[-1] + len(line))
        self.lines.append(record.line)
        self.source = record.source
        return line

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> Record:
        return self._parse(self._read(index, index + 1), index)

    def __iter__(self) -> Iterator[Record]:
        for start in range(0, len(self), _RECORDS_AT_ONCE):
            data = self._read(start, min(start + _RECORDS_AT_ONCE, len(self)))
            for index, line in enumerate(data.splitlines(), start):
                yield self._parse(line, index)

    def _read(self, start: int, stop: int) -> bytes:
        self.file.flush()
        first, last = self.offsets[start], self.offsets[stop]
        return os.pread(self.file.fileno(), last - first, first)

    def _parse(self, line: bytes, index: int) -> Record:
        return parse_record(line, self.source, self.lines[index], index)
