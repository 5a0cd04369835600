"""NPY over real pipes, which numpy's own reader and writer refuse (they want to seek)."""

import shutil
import struct
import tempfile
from types import TracebackType
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from hnclip_cli.errors import HnclipError

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


class NpyReader:
    """Read a 2-D float array from a file or a pipe, rows in order.

    Args:
        stream: where the array comes from.
        source: its name in messages.

    Attributes:
        source: its name in messages.
        shape: (rows, D).
        next_row: the row that `read` begins with.
        is_seekable: whether `seek_row` can go back.

    Raises:
        HnclipError: not an NPY file, or an array that is not 2-D, C-ordered and of floats.
            Object arrays, which would need pickle, are refused.
    """

    def __init__(self, stream: IO[bytes], source: str) -> None:
        self._stream = stream
        self.source = source
        self.next_row = 0
        try:
            version = npy_format.read_magic(stream)
            read_header = {
                (1, 0): npy_format.read_array_header_1_0,
                (2, 0): npy_format.read_array_header_2_0,
            }[version]
            shape, fortran_order, self.dtype = read_header(stream)
        except (ValueError, KeyError, EOFError, struct.error) as error:
            raise HnclipError(
                f"not an NPY array ({error})", where=source, hint="hnclip embed to make one"
            ) from None
        if self.dtype.kind != "f" or len(shape) != 2 or fortran_order:
            order = "Fortran" if fortran_order else "C"
            raise HnclipError(
                "the array cannot be used",
                where=source,
                got=f"{self.dtype} of shape {shape} in {order} order",
                expected="2-D floats in C order",
            )
        self.shape = (int(shape[0]), int(shape[1]))
        self.is_seekable = getattr(stream, "seekable", lambda: False)()
        self._first_byte = stream.tell() if self.is_seekable else 0

    def seek_row(self, row: int) -> None:
        """Make this row the next one. In a pipe the way leads forward only, by reading.

        Raises:
            HnclipError: the array has fewer rows.
            ValueError: a pipe is past that row.
        """
        if self.is_seekable:
            num_bytes = self.shape[1] * self.dtype.itemsize
            self._stream.seek(self._first_byte + row * num_bytes)
            self.next_row = row
            return
        if row < self.next_row:
            raise ValueError(f"a pipe cannot go back from row {self.next_row} to {row}")
        while self.next_row < row:
            self.read(min(row - self.next_row, 4096))

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
        num_bytes = num_rows * self.shape[1] * self.dtype.itemsize
        data = b"".join(self._chunks(num_bytes))
        if len(data) < num_bytes:
            read = self.next_row + len(data) // max(1, self.shape[1] * self.dtype.itemsize)
            raise HnclipError(
                "the array is truncated",
                where=self.source,
                got=f"{read} rows",
                expected=f"the {self.shape[0]} rows its header promises",
            )
        self.next_row += num_rows
        rows = np.frombuffer(data, dtype=self.dtype).reshape(num_rows, self.shape[1])
        return rows.astype(np.float32)

    def read_rest(self) -> Array:
        """All rows that are left, float32."""
        return self.read(self.shape[0] - self.next_row)

    def expect_end(self) -> None:
        """Check that every row was used and nothing follows.

        Raises:
            HnclipError: rows are left, so array and records do not belong together.
        """
        if self.next_row != self.shape[0] or self._stream.read(1):
            raise HnclipError(
                "the array does not belong to the records",
                where=self.source,
                got=f"{self.shape[0]} rows",
                expected=f"{self.next_row}, one for each",
                hint="embedding the same records again",
            )

    def _chunks(self, num_bytes: int) -> list[bytes]:
        chunks = []
        while num_bytes and (chunk := self._stream.read(num_bytes)):
            chunks.append(chunk)
            num_bytes -= len(chunk)
        return chunks
