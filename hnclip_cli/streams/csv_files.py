"""CSV files, whose lines have a bound as those of JSONL."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import IO

from hnclip_cli.errors import InputError
from hnclip_cli.streams.files import in_bytes
from hnclip_cli.streams.jsonl import MAX_LINE_BYTES, ErrorPolicy
from hnclip_cli.streams.records import Record


def read_csv(stream: IO[bytes], path: str, delimiter: str = ",") -> "csv.DictReader[str]":
    """The rows of a CSV file with a header, by column.

    Reading on raises `InputError` at a line that is too long, and csv.Error or UnicodeDecodeError
    at what is no CSV. A field has at most 131,072 letters, which the csv module takes.
    """
    return csv.DictReader(_lines(stream, path), strict=True, delimiter=delimiter)


def csv_records(
    stream: IO[bytes], path: str, policy: ErrorPolicy, delimiter: str = ","
) -> Iterator[Record]:
    """The rows as records of texts; cells that are not there are no fields, nor are columns without
    a name, as pandas writes its index.

    A row that is broken is bad, and so is what makes the rest unreadable.
    """
    rows = read_csv(stream, path, delimiter)
    try:
        rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
        names = Counter(rows.fieldnames)
        if repeated := [name for name, count in names.items() if name and count > 1]:
            raise InputError("two columns of one name", where=path, got=repr(repeated[0]))
        for row in rows:
            fields = {k: v for k, v in row.items() if v is not None and k != ""}
            record = Record(fields, path, rows.line_num)
            if None in record:  # what csv calls the values behind the last column
                policy.bad(record.error("more values than the header has columns"))
            else:
                yield record
    except csv.Error as error:
        policy.bad(InputError(f"broken CSV ({error})", where=f"{path}:{rows.reader.line_num}"))
    except UnicodeDecodeError as error:  # decoded in pieces, so the line is not known
        policy.bad(
            InputError(f"broken CSV ({error})", where=path, hint="iconv, if it is not UTF-8")
        )
    except InputError as error:
        policy.bad(error)


def _lines(stream: IO[bytes], path: str) -> Iterator[str]:
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    while line := text.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            expected = in_bytes(MAX_LINE_BYTES)
            raise InputError("the line is too long", where=path, expected=expected)
        yield line
