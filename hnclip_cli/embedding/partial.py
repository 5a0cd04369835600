"""An array that is written over several runs, and appears under its name when it is whole."""

import contextlib
import io
import json
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy_format

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import open_regular
from hnclip_cli.streams.npy import NpyWriter
from hnclip_cli.streams.outputs import atomic_output, in_the_way, naming, open_alone

COMMIT_SECONDS = 1.0

MAX_NOTE_BYTES = 1 << 20
START_OVER = "removing it, or without --resume, to start over"
_CHUNK = 1 << 20
_NOTE_BEGINNING = b'{"settings": '
_MAX_HEADER = 1 << 12  # of an array, in bytes

Settings = dict[str, Any]


class Kept(NamedTuple):
    """What an earlier run has left."""

    rows: int = 0
    digest: str = ""  # of what they were made from
    rows_checksum: int = 0  # CRC-32 of their bytes


class PartialArray:
    """Rows on disk, with a note that says how many of them are safe.

    ``FILE.partial`` is the array without its final header. ``FILE.partial.json`` holds the
    settings, how many rows are on the disk for certain, their checksum, the digest of what they
    were made from, and a checksum of itself. Rows behind those are thrown away.

    Attributes:
        num_rows: rows that an earlier run has left.
        digest: of what they were made from.
    """

    def __init__(
        self,
        stream: IO[bytes],
        path: str,
        num_columns: int,
        dtype: str,
        settings: Settings,
        kept: Kept,
    ) -> None:
        self.num_rows, self.digest, self._checksum = kept
        self._stream, self._path, self._settings = stream, path, settings
        self._committed = -COMMIT_SECONDS
        self._row = np.dtype((np.dtype(dtype).newbyteorder("<"), num_columns))
        self._num_read = 0
        blank = io.BytesIO()
        NpyWriter(blank, num_columns, dtype)
        self._header_bytes = blank.tell()
        end = self._header_bytes + self.num_rows * self._row.itemsize
        if self.num_rows:  # else what is there is nobody's, and written over
            if os.fstat(stream.fileno()).st_size < end:
                raise _refused(path, "lost rows that were written", hint=START_OVER)
            is_ours = stream.read(self._header_bytes) == blank.getvalue()
            if not is_ours or _checksum_of(stream, end) != self._checksum:
                raise _refused(path, "holds other rows than were written", hint=START_OVER)
            stream.seek(0)
        self._writer = NpyWriter(stream, num_columns, dtype)
        self._writer.num_rows = self.num_rows
        stream.seek(end)
        stream.truncate()

    def read(self, num_rows: int) -> np.ndarray:
        """The next of the kept rows, float32, shape (num_rows, D)."""
        start = self._header_bytes + self._num_read * self._row.itemsize
        data = os.pread(self._stream.fileno(), num_rows * self._row.itemsize, start)
        self._num_read += num_rows
        return np.frombuffer(data, self._row).astype(np.float32)

    def write(self, rows: np.ndarray, digest: str) -> None:
        """Append rows, and about once a second make sure of all so far."""
        rows = np.ascontiguousarray(rows, self._row.base)
        self._checksum = zlib.crc32(rows.data, self._checksum)
        self._writer.write(rows)
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            self._sync()
            kept = Kept(self._writer.num_rows, digest, self._checksum)
            note = {"settings": self._settings, **kept._asdict()}
            with atomic_output(f"{self._path}.json", follow_links=False) as stream:
                stream.write(json.dumps(note | {"checksum": _checksum(note)}).encode() + b"\n")
            self._committed = time.monotonic()

    def finish(self) -> None:
        """Write the final header and make sure of all."""
        self._writer.finish()
        self._sync()

    def _sync(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())


@contextlib.contextmanager
def partial_array(
    path: str, num_columns: int, dtype: str, settings: Settings, *, resume: bool
) -> Iterator[PartialArray]:
    """An array that takes its name when the block ends without an error.

    Where the process is killed or stopped by a signal, what it has written stays beside the
    name for a run with ``resume``. Where it fails, only ``resume`` keeps that.

    Args:
        settings: all that the rows depend on beside the input; kept rows must have the same.
        resume: keep what an earlier run has left, if anything.
    """
    target = os.path.realpath(path)
    partial = f"{target}.partial"
    note = Path(f"{partial}.json")
    with open_alone(partial, path) as stream:
        try:
            _check_ours(stream, partial, resume=resume)
            kept = _read_state(partial, settings) if resume else None
        except HnclipError:
            if not os.fstat(stream.fileno()).st_size:
                os.unlink(partial)
            raise
        try:
            if not kept:
                note.unlink(missing_ok=True)
            array = PartialArray(stream, partial, num_columns, dtype, settings, kept or Kept())
            yield array
            array.finish()
            with naming(path):
                os.replace(partial, target)
            note.unlink(missing_ok=True)
        except BaseException as error:
            failed = isinstance(error, Exception)  # and not stopped by a signal
            if (failed and not resume) or not note.exists():
                Path(partial).unlink(missing_ok=True)
                note.unlink(missing_ok=True)
            raise


def _check_ours(stream: IO[bytes], partial: str, *, resume: bool) -> None:
    """Refuse what stands under the names that are written, where hnclip has not written it.

    What it has written begins with the header of an array of no rows, or as a note does, beside
    which an array may be whole. Notes to go on from are read with more care later.
    """
    note = f"{partial}.json"
    if os.path.islink(note):
        raise in_the_way(note)
    said = b""
    with contextlib.suppress(FileNotFoundError), open_regular(note) as file:
        said = file.read(len(_NOTE_BEGINNING))
    if said not in (b"", _NOTE_BEGINNING) and not resume:
        raise in_the_way(note)
    beginning = os.pread(stream.fileno(), _MAX_HEADER, 0)
    if beginning and not _is_empty_array(beginning) and said != _NOTE_BEGINNING:
        raise in_the_way(partial)


def _is_empty_array(beginning: bytes) -> bool:
    stream = io.BytesIO(beginning)
    with contextlib.suppress(ValueError, EOFError):
        return npy_format.read_magic(stream) == (1, 0) and (
            npy_format.read_array_header_1_0(stream)[0][:1] == (0,)
        )
    return False


def _read_state(partial: str, settings: Settings) -> Kept | None:
    try:
        with open_regular(f"{partial}.json") as stream:
            note = json.loads(stream.read(MAX_NOTE_BYTES))
        if note.pop("checksum") != _checksum(note):
            raise ValueError("its checksum is another")
        made_with = note.pop("settings")
        kept = Kept(**note)
        if not (isinstance(made_with, dict) and type(kept.rows) is int and kept.rows > 0):
            raise ValueError("not a note of rows")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(
            partial, f"has a damaged note beside it ({error})", hint=START_OVER
        ) from None
    for name in sorted(settings.keys() | made_with.keys()):
        if made_with.get(name) != settings.get(name):
            raise _refused(
                partial,
                f"was made with another {name}",
                got=str(settings.get(name)),
                expected=str(made_with.get(name)),
                hint="the same command, or without --resume to start over",
            )
    return kept


def _checksum(note: Settings) -> int:
    return zlib.crc32(json.dumps(note).encode())


def _checksum_of(stream: IO[bytes], end: int) -> int:
    """Of what lies before a position; the stream is left there."""
    total = 0
    while chunk := stream.read(min(_CHUNK, end - stream.tell())):
        total = zlib.crc32(chunk, total)
    return total


def _refused(partial: str, problem: str, **parts: str) -> HnclipError:
    return HnclipError(f"cannot be resumed: it {problem}", where=partial, **parts)
