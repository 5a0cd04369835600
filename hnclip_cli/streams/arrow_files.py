"""Parquet and Arrow files, a few rows at a time, through pyarrow."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import open_regular
from hnclip_cli.streams.foreign import ARROW_MAGIC, PARQUET_MAGIC

_ROWS = 16  # held in memory beside what the file keeps together; a row may hold an image


def arrow_rows(
    path: str, choose: Callable[[Sequence[str]], Sequence[str]]
) -> Iterator[dict[str, Any]]:
    """The rows of a file of any of these formats.

    Args:
        path: a regular file.
        choose: gets the names of the columns, gives those that are read.

    Raises:
        HnclipError: pyarrow is not installed, the file is not there or broken; what ``choose``
            raises.
    """
    try:
        from pyarrow import ArrowException
    except ImportError:
        raise HnclipError(
            "pyarrow is not installed", hint="pip install 'hnclip[parquet]'"
        ) from None
    try:
        stream = open_regular(path)
    except FileNotFoundError:
        raise HnclipError("no such file", where=path) from None
    with stream:
        try:
            for batch in _batches(stream, choose):
                for start in range(0, batch.num_rows, _ROWS):
                    yield from batch.slice(start, _ROWS).to_pylist()
        except (ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
            # A size that is wrong is asked for, and is more memory than there is.
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise HnclipError(f"broken parquet or Arrow file ({reason})", where=path) from None


def _batches(stream: Any, choose: Callable[[Sequence[str]], Sequence[str]]) -> Iterator[Any]:
    from pyarrow import ipc, parquet

    magic = stream.read(len(ARROW_MAGIC))
    stream.seek(0)
    if magic.startswith(PARQUET_MAGIC):
        file = parquet.ParquetFile(stream)
        yield from file.iter_batches(_ROWS, columns=choose(file.schema_arrow.names))
        return
    if magic == ARROW_MAGIC:
        reader = ipc.open_file(stream)
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        reader = batches = ipc.open_stream(stream)
    columns = choose(reader.schema.names)
    for batch in batches:
        batch.validate(full=True)  # a file may promise what is not there
        yield batch.select(columns)
