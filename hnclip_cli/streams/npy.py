"""NPY over real pipes, which numpy's own reader and writer refuse (they want to seek)."""

import os
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.records import Record, RowsOf, with_gaps

Array = np.ndarray


class NpyWriter:
    """Write a 2-D array row block by row block.

    The header holds the number of rows, which a stream does not know beforehand: into a file it
    is put right at the end, before a pipe the rows are spooled to a temporary file first.

    Args:
        stream: where the array goes.
        num_columns: D of the (rows, D) array.
        dtype: of the elements, ``float32`` or ``float16``.
    """

    def __init__(self, stream: IO[bytes], num_columns: int, dtype: str = "float32") -> None:
        self._stream = stream
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._num_columns = num_columns
        self._patches = getattr(stream, "seekable", lambda: False)() and stream.tell() == 0
        self._rows: IO[bytes] = stream if self._patches else tempfile.TemporaryFile()
        self.num_rows = 0
        if self._patches:
            self._write_header()

    def __enter__(self) -> "NpyWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            if self._rows is not self._stream:
                self._rows.close()

    def write(self, rows: Array) -> None:
        """Append rows, shape (n, D)."""
        if rows.ndim != 2 or rows.shape[1] != self._num_columns:
            raise ValueError(f"got rows of shape {rows.shape}, expected (n, {self._num_columns})")
        block = np.ascontiguousarray(rows, dtype=self._dtype)
        if block.size:
            self._rows.write(block.data.cast("B"))
        self.num_rows += len(block)

    def _write_header(self) -> None:
        header = {
            "descr": npy_format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.num_rows, self._num_columns),
        }
        npy_format.write_array_header_1_0(self._stream, header)

    def _finish(self) -> None:
        if self._patches:
            self._stream.seek(0)
            self._write_header()  # same length: numpy pads headers for a growing first axis
            self._stream.seek(0, 2)
            return
        self._write_header()
        self._rows.seek(0)
        shutil.copyfileobj(self._rows, self._stream)


class Rows:
    """The rows of a 2-D array of floats, read in order.

    Attributes:
        source: the array's name in messages.
        shape: (rows, D).
        next_row: the row that `read` begins with.
        is_seekable: whether `seek_row` can go back.

    Raises:
        HnclipError: not 2-D, not of floats, or not in C order.
    """

    is_seekable = True

    def __init__(
        self, source: str, shape: Sequence[int], dtype: np.dtype[Any], *, c_order: bool = True
    ) -> None:
        if dtype.kind != "f" or len(shape) != 2 or not c_order:
            raise HnclipError(
                "the array cannot be used",
                where=source,
                got=f"{dtype} of shape {tuple(shape)} in {'C' if c_order else 'Fortran'} order",
                expected="2-D floats in C order",
            )
        self.source = source
        self.shape = (int(shape[0]), int(shape[1]))
        self.dtype = dtype
        self.next_row = 0

    def seek_row(self, row: int) -> None:
        """Make this row the next one. In a pipe the way leads forward only, by reading.

        Raises:
            HnclipError: the array has fewer rows.
            ValueError: a pipe is past that row.
        """
        self.next_row = row

    def read(self, num_rows: int) -> Array:
        """The next rows as float32, shape (num_rows, D).

        Raises:
            HnclipError: the array has fewer rows, or the stream ends before the rows its
                header promises.
        """
        if self.next_row + num_rows > self.shape[0]:
            raise HnclipError(
                "the array has too few rows for the records",
                where=self.source,
                got=f"{self.shape[0]} rows",
                expected=f"at least {self.next_row + num_rows}",
                hint="embedding the same records again",
            )
        rows = self._take(num_rows).astype(np.float32)
        self.next_row += num_rows
        return rows

    def expect_end(self) -> None:
        """Check that every row was used and nothing follows.

        Raises:
            HnclipError: rows are left, so array and records do not belong together.
        """
        if self.next_row != self.shape[0] or not self._is_at_end():
            raise HnclipError(
                "the array does not belong to the records",
                where=self.source,
                got=f"{self.shape[0]} rows",
                expected=f"{self.next_row}, one for each",
                hint="embedding the same records again",
            )

    def _take(self, num_rows: int) -> Array:
        raise NotImplementedError

    def _is_at_end(self) -> bool:
        return True


class ArrayRows(Rows):
    """The rows of an array in memory, or of a file that is mapped there.

    Attributes:
        array: shape (rows, D), for whoever needs them in another order.
    """

    def __init__(self, array: Array, source: str = "array") -> None:
        self.array = np.asarray(array)
        super().__init__(source, self.array.shape, self.array.dtype)

    @classmethod
    def of(cls, array: "ArrayRows | Array | str", source: str = "array") -> "ArrayRows":
        """An array, or that of an NPY file by its name, mapped.

        Raises:
            HnclipError: the file cannot be read, is no array of 2-D floats, or is cut short.
        """
        if isinstance(array, ArrayRows):
            return array
        if not isinstance(array, str):
            return cls(array, source)
        path = array
        try:
            with open(path, "rb") as stream:
                reader = NpyReader(stream, path)
                start, size = stream.tell(), os.fstat(stream.fileno()).st_size
        except OSError as error:
            raise HnclipError(
                f"cannot read it: {error.strerror}", where=path, hint="hnclip embed to make one"
            ) from None
        promised = prod(reader.shape) * reader.dtype.itemsize
        if size - start < promised:
            raise HnclipError(
                "the array is truncated",
                where=path,
                got=f"{size - start} bytes of rows",
                expected=f"the {promised} its header promises",
            )
        if not promised:  # nothing cannot be mapped
            return cls(np.zeros(reader.shape, reader.dtype), path)
        return cls(np.memmap(path, reader.dtype, "r", start, reader.shape), path)

    def _take(self, num_rows: int) -> Array:
        return self.array[self.next_row : self.next_row + num_rows]


class NpyReader(Rows):
    """The rows of an NPY array that comes from a file or a pipe.

    Args:
        stream: where the array comes from.
        source: its name in messages.

    Raises:
        HnclipError: not an NPY file, or an array that is not 2-D, C-ordered and of floats.
            Object arrays, which would need pickle, are refused.
    """

    def __init__(self, stream: IO[bytes], source: str) -> None:
        self._stream = stream
        try:
            version = npy_format.read_magic(stream)
            read_header = {
                (1, 0): npy_format.read_array_header_1_0,
                (2, 0): npy_format.read_array_header_2_0,
            }[version]
            shape, fortran_order, dtype = read_header(stream)
        except (ValueError, KeyError, EOFError, struct.error) as error:
            raise HnclipError(
                f"not an NPY array ({error})", where=source, hint="hnclip embed to make one"
            ) from None
        super().__init__(source, shape, dtype, c_order=not fortran_order)
        self._row_bytes = self.shape[1] * dtype.itemsize
        self.is_seekable = getattr(stream, "seekable", lambda: False)()
        self._first_byte = stream.tell() if self.is_seekable else 0

    def seek_row(self, row: int) -> None:
        if self.is_seekable:
            self._stream.seek(self._first_byte + row * self._row_bytes)
            self.next_row = row
            return
        if row < self.next_row:
            raise ValueError(f"a pipe cannot go back from row {self.next_row} to {row}")
        while self.next_row < row:
            self.read(min(row - self.next_row, 4096))

    def _take(self, num_rows: int) -> Array:
        num_bytes = num_rows * self._row_bytes
        data = b"".join(self._chunks(num_bytes))
        if len(data) < num_bytes:
            raise HnclipError(
                "the array is truncated",
                where=self.source,
                got=f"{self.next_row + len(data) // self._row_bytes} rows",
                expected=f"the {self.shape[0]} rows its header promises",
            )
        return np.frombuffer(data, dtype=self.dtype).reshape(num_rows, self.shape[1])

    def _is_at_end(self) -> bool:
        return not self._stream.read(1)

    def _chunks(self, num_bytes: int) -> list[bytes]:
        chunks = []
        while num_bytes and (chunk := self._stream.read(num_bytes)):
            chunks.append(chunk)
            num_bytes -= len(chunk)
        return chunks


def as_rows(array: Rows | Array | str, source: str) -> Rows:
    """An array as `Rows`; a string is the name of an NPY file.

    Raises:
        HnclipError: as `ArrayRows.of`.
    """
    return array if isinstance(array, Rows) else ArrayRows.of(array, source)


def check_widths(*arrays: Rows) -> None:
    """That arrays can be compared.

    Raises:
        HnclipError: they have rows of different lengths.
    """
    if len({array.shape[1] for array in arrays}) > 1:
        raise HnclipError(
            "the arrays have rows of different lengths",
            got=", ".join(f"{array.source}: {array.shape[1]}" for array in arrays),
            hint="embedding all with one model",
        )


def rows_beside(
    records: Iterable[Mapping[str, Any]], arrays: Mapping[RowsOf, Rows]
) -> Iterator[tuple[Record, dict[RowsOf, Array]]]:
    """Each record with its own rows of each array, float32.

    Row i of the images and captions belongs to line i of the input, record or not (a record with
    several has as many rows); the rows of negatives follow one another.

    Raises:
        HnclipError: rows of different lengths; an array has too few or too many rows, or is
            truncated.
    """
    check_widths(*arrays.values())
    for gap, record in with_gaps(records):
        if gap:
            for of, array in arrays.items():
                if of != "negatives":
                    array.read(gap)
        if record is not None:
            yield record, {of: array.read(record.num_rows(of)) for of, array in arrays.items()}
    for array in arrays.values():
        array.expect_end()
