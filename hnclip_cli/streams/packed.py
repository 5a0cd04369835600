"""Files that are packed, as their names say: ``.gz`` by gzip, ``.zst`` by zstd."""

import contextlib
import gzip
import importlib
import sys
import zlib
from collections.abc import Iterator
from typing import IO, Any, cast
from urllib.parse import urlsplit

from hnclip_cli.errors import HnclipError

SUFFIXES = (".gz", ".zst")
GZIP_LEVEL = 6  # gzip's own; Python's 9 takes twice as long for 1 % less


def packing_of(path: str) -> str:
    """The suffix that says how a file is packed; empty where it is not."""
    name = urlsplit(path).path if "://" in path else path
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def unpacked(stream: IO[bytes], path: str) -> IO[bytes]:
    """What a stream holds, as the name of its file says; closing it closes both."""
    packing = packing_of(path)
    if not packing:
        return stream
    reader: Any = gzip.GzipFile(fileobj=stream) if packing == ".gz" else _zstd(path)(stream)
    closing = reader.close

    def close() -> None:
        closing()
        stream.close()

    reader.close = close
    return cast(IO[bytes], reader)


@contextlib.contextmanager
def packed(stream: IO[bytes], path: str) -> Iterator[IO[bytes]]:
    """What is written into a stream, packed as the name says: the same bytes for the same data."""
    packing = packing_of(path)
    if not packing:
        yield stream
        return
    writer: Any
    if packing == ".gz":
        writer = gzip.GzipFile("", "wb", GZIP_LEVEL, stream, mtime=0)
    else:
        writer = _zstd(path)(stream, "wb")
    with writer:
        yield cast(IO[bytes], _Whole(writer))


@contextlib.contextmanager
def unpacking(where: str) -> Iterator[None]:
    """Turn errors of packed data into `HnclipError`."""
    try:
        yield
    except _damages() as error:
        kind = {".zst": "zstd"}.get(packing_of(where), "gzip")
        raise HnclipError(f"damaged {kind} file ({error})", where=where) from None


class _Whole:
    """Packs all as one: to end a block with each record that is flushed would cost the gain."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.write = stream.write

    def flush(self) -> None:
        pass

    def seekable(self) -> bool:
        return False


def _module() -> str:
    return "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


def _zstd(path: str) -> Any:
    try:
        return importlib.import_module(_module()).ZstdFile
    except ImportError:
        raise HnclipError(
            "a package for zstd is missing", where=path, hint="pip install 'hnclip[zstd]'"
        ) from None


def _damages() -> tuple[type[Exception], ...]:
    zstd = sys.modules.get(_module())  # else nothing was unpacked with it
    return (EOFError, zlib.error, gzip.BadGzipFile, *([zstd.ZstdError] if zstd else ()))
