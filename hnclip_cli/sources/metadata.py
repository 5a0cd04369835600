"""``metadata.jsonl`` and ``metadata.csv``, as Hugging Face's imagefolder has them."""

import os
from collections.abc import Iterator
from typing import IO

from hnclip_cli.errors import InputError
from hnclip_cli.streams.csv_files import csv_records
from hnclip_cli.streams.files import open_inside
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import Record

JSONL, CSV = "metadata.jsonl", "metadata.csv"


def metadata_of(root: str, below: str, policy: ErrorPolicy) -> Iterator[Record]:
    """The lines of the metadata in a folder ``below`` a root, those of both files if there are two.

    A link of such a name that leads out of the root is bad.
    """
    for name, read in ((JSONL, _lines), (CSV, csv_records)):
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
