"""``metadata.jsonl`` and ``metadata.csv``, as Hugging Face's imagefolder has them."""

import csv
import os
from collections import Counter
from collections.abc import Iterator
from typing import IO

from hnclip_cli.errors import InputError
from hnclip_cli.streams.csv_files import read_csv
from hnclip_cli.streams.files import open_inside
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import Record

JSONL, CSV = "metadata.jsonl", "metadata.csv"


def metadata_of(root: str, below: str, policy: ErrorPolicy) -> Iterator[Record]:
    """The lines of the metadata in a folder ``below`` a root, those of both files if there are two.

    A link of such a name that leads out of the root is bad.
    """
    for name, read in ((JSONL, _lines), (CSV, _rows)):
        path = os.path.join(root, below, name)
        try:
            stream = open_inside(root, path)
        except FileNotFoundError:
            continue
        except InputError as error:
            policy.bad(error)
            continue
        with stream:
            yield from read(stream, path, policy)


def _lines(stream: IO[bytes], path: str, policy: ErrorPolicy) -> Iterator[Record]:
    return iter(RecordReader(stream, path, policy, nan_as_null=True))


def _rows(stream: IO[bytes], path: str, policy: ErrorPolicy) -> Iterator[Record]:
    """A row as a record of texts; cells that are not there are no fields."""
    rows = read_csv(stream, path)
    try:
        names = Counter(rows.fieldnames)
        if repeated := [name for name, count in names.items() if count > 1]:
            raise InputError("two columns of one name", where=path, got=repr(repeated[0]))
        for row in rows:
            record = Record({k: v for k, v in row.items() if v is not None}, path, rows.line_num)
            if None in record:  # what csv calls the values behind the last column
                policy.bad(record.error("more values than the header has columns"))
            else:
                yield record
    except (csv.Error, UnicodeDecodeError) as error:
        policy.bad(InputError(f"broken CSV ({error})", where=path))
    except InputError as error:
        policy.bad(error)
