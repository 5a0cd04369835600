"""Files that are read plainly or through gzip, and written whole or not at all."""

import contextlib
import gzip
import os
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from hnclip_cli.errors import HnclipError


def open_input_file(path: str) -> IO[bytes]:
    """Open a file for reading; ``.gz`` is unpacked on the way."""
    try:
        return cast(IO[bytes], gzip.open(path, "rb")) if path.endswith(".gz") else open(path, "rb")
    except OSError as error:
        raise HnclipError(
            f"cannot read it: {error.strerror}", where=path, hint="another path, or - for stdin"
        ) from None


@contextlib.contextmanager
def atomic_output(path: str) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when the block ends without an error.

    The bytes go to a hidden neighbour, which then takes the name in one step; on any exception
    it is removed and what stood under the name before stays. Links are followed; devices and
    named pipes are written directly. `HnclipError` where the file cannot be created.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        with open_for_writing(path, target, "wb") as stream:
            yield stream
    else:
        with atomic_path(path) as temporary, open(temporary, "r+b") as stream:
            yield stream


@contextlib.contextmanager
def atomic_path(path: str) -> Iterator[str]:
    """Like `atomic_output`, for libraries that want to write the file themselves.

    Yields the name to write to, a hidden neighbour of the file.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        # Here, because libraries would name the hidden neighbour, and in words of their own.
        with open_for_writing(path, temporary, "xb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
        yield temporary
        with open(temporary, "rb") as stream:
            os.fchmod(stream.fileno(), stat.S_IMODE(mode))  # some write a file of their own here
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def open_for_writing(
    path: str, actual: str, mode: str, opener: Callable[[str, int], int] | None = None
) -> IO[bytes]:
    """Open a file that stands for another, whose name is in the message where that fails."""
    try:
        return cast(IO[bytes], open(actual, mode, opener=opener))
    except OSError as error:
        raise HnclipError(
            f"cannot write it: {error.strerror}", where=path, hint="another path with -o"
        ) from None


def inside(folder: str, name: str, what: str) -> str:
    """Join a name from a data file to a user's folder; `HnclipError` where it leads out of it."""
    if os.path.isabs(name) or ".." in Path(name).parts:
        raise HnclipError(f"{what} leaves its folder", got=repr(name), expected="a plain file name")
    return os.path.join(folder, name)


def open_regular(path: str) -> IO[bytes]:
    """Open a regular file for reading; anything that could make the reader wait is refused.

    Raises:
        FileNotFoundError: no such file.
        HnclipError: a folder, named pipe, socket or device, or it cannot be opened.
    """
    try:
        _check_regular(path, os.stat(path).st_mode)  # opening a device can already do something
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise HnclipError(f"cannot read it: {reason}", where=repr(path)) from None
    stream = os.fdopen(descriptor, "rb")
    try:
        _check_regular(path, os.fstat(descriptor).st_mode)  # it may have been replaced in between
    except HnclipError:
        stream.close()
        raise
    return stream


def _check_regular(path: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(mode), "a device")
        raise HnclipError("not a file", where=path, got=kind)
