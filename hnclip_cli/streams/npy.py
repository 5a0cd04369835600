"""NPY over real pipes, which numpy's own reader and writer refuse (they want to seek)."""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy_format

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import descriptor_of, open_input_file
from hnclip_cli.streams.outputs import temporary_file
from hnclip_cli.streams.packed import unpacking
from hnclip_cli.streams.records import Record, RowsOf, with_gaps

Array = np.ndarray

MAX_SIDE = (1 << 31) - 1  # rows or columns of an array
_CHUNK = 1 << 20
_READ_HEADER = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}


class NpyWriter:
    """Write a 2-D array row block by row block.

    The header holds the number of rows, which a stream does not know beforehand: into a file it
    is put right at the end, before a pipe the rows are spooled to a temporary file first.
    """

    def __init__(self, stream: IO[bytes], num_columns: int, dtype: str = "float32") -> None:
        self.num_rows = 0
        self._num_columns = num_columns
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._stream = stream
        is_file = stream.seekable() and stream.tell() == 0
        self._file: IO[bytes] = stream if is_file else temporary_file()
        self._write_header()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            if self._file is not self._stream:
                self._file.close()

    def write(self, rows: Array) -> None:
        """Append rows, shape (n, D)."""
        if rows.ndim != 2 or rows.shape[1] != self._num_columns:
            raise ValueError(f"got rows of shape {rows.shape}, expected (n, {self._num_columns})")
        block = np.ascontiguousarray(rows, dtype=self._dtype)
        if block.size:
            self._file.write(block.data.cast("B"))
        self.num_rows += len(block)

    def _write_header(self) -> None:
        header = {
            "descr": npy_format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.num_rows, self._num_columns),
        }
        npy_format.write_array_header_1_0(self._file, header)

    def finish(self) -> None:
        """Write the header again, now with the number of rows."""
        self._file.seek(0)
        self._write_header()  # same length: numpy pads headers for a growing first axis
        if self._file is not self._stream:
            self._file.seek(0)
            shutil.copyfileobj(self._file, self._stream)


class Rows:
    """The rows of a 2-D array of floats, in memory, in a file, or in the files of a folder."""

    def __init__(
        self, array: Array, source: str = "array", file: IO[bytes] | None = None, start: int = 0
    ) -> None:
        self._array = np.asarray(array)
        _check(self._array.shape, self._array.dtype, source)
        self.shape: tuple[int, int] = self._array.shape  # (rows, D)
        self.source = source  # the array's name in messages
        self._file, self._start = file, start

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def array(self) -> Array:
        """Shape (rows, D), for whoever needs them in any order; of a file it is mapped."""
        return self._array

    @classmethod
    def from_npy(cls, stream: IO[bytes], source: str) -> Self:
        """The rows of an NPY array; what is no plain file is copied to a temporary one first.

        Raises:
            HnclipError: not an NPY file, truncated, or an array that is not 2-D, C-ordered and of
                floats. Object arrays, which would need pickle, are refused.
        """
        shape, fortran_order, dtype = read_header(stream, source)
        _check(shape, dtype, source, c_order=not fortran_order)
        promised = prod(shape) * dtype.itemsize
        file, start = stream, 0
        descriptor = descriptor_of(stream)
        if descriptor is not None and stat.S_ISREG(os.fstat(descriptor).st_mode):
            start = stream.tell()
        else:
            file = temporary_file()
            with unpacking(source):
                _copy(stream, file, promised + 1)
            file.flush()
        found = os.fstat(file.fileno()).st_size - start
        if found != promised:
            is_short = found < promised
            raise HnclipError(
                "the array is truncated" if is_short else "something follows the array",
                where=source,
                got=f"{found // max(1, shape[1] * dtype.itemsize)} rows" if is_short else "more",
                expected=f"the {shape[0]} rows its header promises",
            )
        if not promised:  # nothing cannot be mapped
            return cls(np.zeros(shape, dtype), source)
        return cls(np.memmap(file, dtype, "r", start, shape), source, file, start)

    @classmethod
    def from_folder(cls, folder: str) -> "Rows":
        """The rows of all NPY files below a folder, one after another in the order of their names.

        So autofaiss and clip-retrieval read a folder too (``embedding_reader``).
        """
        names = sorted(str(path) for path in Path(folder).rglob("*.npy"))
        if not names:
            raise HnclipError("no NPY file in the folder", where=folder, expected="a.npy, b.npy, …")
        return _Joined([as_rows(name, name) for name in names], folder)

    def check_length(self, num_rows: int) -> None:
        """Raise an error where there are more or fewer rows than records have."""
        if self.shape[0] != num_rows:
            raise self._misfit("does not belong to the records", f"{num_rows}, one for each")

    def read(self, start: int, stop: int) -> Array:
        """Rows [start, stop) as float32; it is an error where the array has fewer."""
        if stop > len(self):
            raise self._misfit("has too few rows for the records", f"at least {stop}")
        if self._file is None:
            return self._array[start:stop].astype(np.float32)
        # Rows that are read once need no place among the pages that are mapped.
        size = self._array.strides[0]
        data = os.pread(self._file.fileno(), (stop - start) * size, self._start + start * size)
        rows: Array = np.frombuffer(data, self._array.dtype).reshape(-1, self.shape[1])
        with np.errstate(over="ignore"):  # what is infinite then is refused where it matters
            return rows.astype(np.float32)

    def _misfit(self, problem: str, expected: str) -> HnclipError:
        return HnclipError(
            f"the array {problem}",
            where=self.source,
            got=f"{self.shape[0]} rows",
            expected=expected,
            hint="embedding the same records again",
        )


class _Joined(Rows):
    """The rows of several arrays."""

    def __init__(self, parts: list[Rows], source: str) -> None:
        check_widths(*parts)
        self._parts, self.source = parts, source
        self._starts = list(accumulate((len(part) for part in parts), initial=0))
        self.shape = self._starts[-1], parts[0].shape[1]

    @cached_property
    def array(self) -> Array:
        return np.concatenate([part.array for part in self._parts])

    def read(self, start: int, stop: int) -> Array:
        if stop > len(self):
            raise self._misfit("has too few rows for the records", f"at least {stop}")
        pieces = [
            part.read(max(start - first, 0), min(stop - first, len(part)))
            for part, first in zip(self._parts, self._starts, strict=False)
            if first < stop and start < first + len(part)
        ]
        return np.concatenate(pieces) if pieces else np.zeros((0, self.shape[1]), np.float32)


def read_header(stream: IO[bytes], source: str) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    """Shape, whether it is in Fortran order, and type of an NPY array.

    Raises:
        HnclipError: it is none.
    """
    try:
        with unpacking(source):
            read = _READ_HEADER[npy_format.read_magic(stream)]
            shape, is_fortran, dtype = read(stream)
        if not all(0 <= size <= MAX_SIDE for size in shape):
            raise ValueError(f"its shape is {shape}, sides of at most {MAX_SIDE} allowed")
    except HnclipError:
        raise
    except Exception as error:  # numpy reads it as Python, which fails in many ways
        raise HnclipError(
            f"not an NPY array ({error})", where=source, hint="hnclip embed to make one"
        ) from None
    return shape, is_fortran, dtype


def _copy(stream: IO[bytes], file: IO[bytes], max_bytes: int) -> None:
    """Copy so much of what comes, which may have no end."""
    while max_bytes > 0 and (piece := stream.read(min(_CHUNK, max_bytes))):
        file.write(piece)
        max_bytes -= len(piece)


def _check(
    shape: Sequence[int], dtype: "np.dtype[Any]", source: str, *, c_order: bool = True
) -> None:
    if dtype.kind != "f" or len(shape) != 2 or not c_order:
        raise HnclipError(
            "the array cannot be used",
            where=source,
            got=f"{dtype} of shape {tuple(shape)} in {'C' if c_order else 'Fortran'} order",
            expected="2-D floats in C order",
        )


def as_rows(array: Rows | Array | str, source: str) -> Rows:
    """An array as `Rows`; a string is the name of an NPY file, or of a folder of them."""
    if isinstance(array, Rows):
        return array
    if not isinstance(array, str):
        return Rows(array, source)
    if os.path.isdir(array):
        return Rows.from_folder(array)
    return Rows.from_npy(open_input_file(array), array)


def check_widths(*arrays: Rows) -> None:
    """Raise an error where arrays have rows of different lengths."""
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
    """
    check_widths(*arrays.values())
    at = dict.fromkeys(arrays, 0)
    for gap, record in with_gaps(records):
        rows = {}
        for of, array in arrays.items():
            start = at[of] + (gap if of != "negatives" else 0)
            at[of] = start + (record.num_rows(of) if record is not None else 0)
            rows[of] = array.read(start, at[of])
        if record is not None:
            yield record, rows
    for of, array in arrays.items():
        array.check_length(at[of])
