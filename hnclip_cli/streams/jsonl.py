"""JSONL in: bytes to records, as fast as they come and as slowly."""

import itertools
import os
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

from hnclip_cli.errors import ExitCode, InputError
from hnclip_cli.streams.files import descriptor_of, in_bytes
from hnclip_cli.streams.foreign import instead, is_data_set, known_better, other_kind
from hnclip_cli.streams.packed import unpacking
from hnclip_cli.streams.records import Record, parse_record

CHUNK_BYTES = 1 << 16
# Of one line. With --on-error skip a longer one is read past, but not without end.
MAX_LINE_BYTES = 1 << 26
MAX_SKIPPED_BYTES = 1 << 32


@dataclass
class ErrorPolicy:
    """What a bad record does: end the run (``fail``), or be reported and counted (``skip``).

    What is no error, but may be a mistake of the data, is counted beside.
    """

    on_error: str = "fail"
    report: Callable[[InputError], None] = lambda error: None
    report_odd: Callable[[str, str], None] = lambda what, where: None
    num_skipped: int = field(default=0, init=False)
    num_odd: Counter[str] = field(default_factory=Counter, init=False)  # by what it is

    def bad(self, error: InputError) -> None:
        """Raise the error, or report and count it."""
        if self.on_error == "fail":
            raise error
        self.num_skipped += 1
        self.report(error)

    def odd(self, what: str, where: str) -> None:
        """Report and count something of a kind, as "images of one flat color"."""
        self.num_odd[what] += 1
        self.report_odd(what, where)

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.SKIPPED if self.num_skipped else ExitCode.DONE


@dataclass(frozen=True)
class Shard:
    """Part ``index`` (from 0) of ``count`` contiguous parts; joined in order they are the whole."""

    index: int
    count: int

    def bounds(self, num_lines: int) -> tuple[int, int]:
        return num_lines * self.index // self.count, num_lines * (self.index + 1) // self.count


@dataclass(eq=False)
class RecordReader:
    """Read the records of a binary stream, in order."""

    stream: IO[bytes]  # where the lines come from
    source: str = "-"  # its name in messages, ``-`` for standard input
    policy: ErrorPolicy = field(default_factory=ErrorPolicy)  # of lines that are no records
    # Read only this part. The input must be counted first, so a pipe is spooled.
    shard: Shard | None = None
    nan_as_null: bool = False  # as of `parse_record`
    # Fields that have another name in the file: what a record lacks is a copy of that one.
    keys: Mapping[str, str] = field(default_factory=dict)
    # Non-blank lines of the input (or shard) read so far, good or bad.
    num_lines: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Record]:
        return itertools.chain.from_iterable(self.batches())

    @property
    def file(self) -> int | None:
        """The open file that each of the `batches` takes one read of; None where it is unknown."""
        return None if self.shard else descriptor_of(self.stream)

    def count_lines(self) -> int | None:
        """About how many lines come, blank ones too; None where only reading would tell."""
        file = descriptor_of(self.stream)
        if file is None or not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        place, count = 0, 0
        while chunk := os.pread(file, 1 << 20, place):
            place, count = place + len(chunk), count + chunk.count(b"\n")
        start, stop = self.shard.bounds(count) if self.shard else (0, count)
        return stop - start

    def batches(self) -> Iterator[list[Record]]:
        """Yield what each read brings, without waiting for more; nothing, where it is half a line.

        So a stage that flushes after each batch both streams and runs at full speed. The records
        before a bad line come out before the error is raised.
        """
        start, stop = 0, sys.maxsize
        longest = MAX_LINE_BYTES if self.policy.on_error == "fail" else MAX_SKIPPED_BYTES
        stream = self.stream
        if self.shard:
            copy = None if stream.seekable() else tempfile.TemporaryFile()
            num_lines = sum(map(len, numbered_lines(stream, self.source, longest, copy)))
            start, stop = self.shard.bounds(num_lines)
            stream = copy or stream
            stream.seek(0)
        first, end = 0, 0  # of the lines of a read
        for lines in numbered_lines(stream, self.source, longest):
            first, end = end, end + len(lines)
            batch = []
            for number, line in lines[max(start - first, 0) : stop - first]:
                self.num_lines += 1
                try:
                    if len(line) > MAX_LINE_BYTES:
                        raise _too_long(self.source, number, MAX_LINE_BYTES)
                    record = parse_record(
                        line, self.source, number, self.num_lines - 1, nan_as_null=self.nan_as_null
                    )
                    if number == 1 and is_data_set(record):
                        raise record.error("not a record", got="a whole data set")
                    if self.keys:
                        _copy_fields(record, self.keys)
                    batch.append(record)
                except InputError as error:
                    if number == 1:
                        head = b"\n".join(line for _, line in lines)[:CHUNK_BYTES]
                        error = known_better(error, head, self.source)
                    if self.policy.on_error == "fail" and batch:
                        yield batch
                    self.policy.bad(error)
            yield batch
            if end >= stop:
                return


def _copy_fields(record: Record, keys: Mapping[str, str]) -> None:
    for name, key in keys.items():
        if key in record:
            record[name] = record[key]
        elif name not in record:
            record.field(key, str)  # which says that it is missing


def numbered_lines(
    stream: IO[bytes], source: str, longest: int = MAX_LINE_BYTES, copy: IO[bytes] | None = None
) -> Iterator[list[tuple[int, bytes]]]:
    """The non-blank lines that each read completes, with their numbers from 1.

    Of one that is too long enough comes to tell. What is read is copied, too.

    Raises:
        InputError: a line is longer than ``longest``.
        HnclipError: damaged gzip or zstd.
    """
    read = getattr(stream, "read1", stream.read)
    number = num_pending = 0
    pending: list[bytes] = []
    while True:
        with unpacking(source):
            chunk = read(CHUNK_BYTES)
        if copy:
            copy.write(chunk)
        head, newline, tail = chunk.rpartition(b"\n")
        if chunk and not newline:  # a long line: keep collecting, join once
            if num_pending <= MAX_LINE_BYTES:
                pending.append(chunk)
            num_pending += len(chunk)
            if num_pending > longest:
                error = _too_long(source, number + 1, longest)
                if not number and (other := other_kind(pending[0], source)):
                    raise other
                is_json = not number and pending[0].lstrip().startswith((b"{", b"["))
                raise error.with_hint(instead(pending[0], source)) if is_json else error
            yield []
            continue
        complete = b"".join([*pending, head])
        pending, num_pending = [tail], len(tail)
        lines = []
        for line in complete.split(b"\n"):
            number += 1
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                lines.append((number, line))
        yield lines
        if not chunk:
            return


def _too_long(source: str, number: int, bound: int) -> InputError:
    return InputError("the line is too long", where=f"{source}:{number}", expected=in_bytes(bound))
