"""Files that are written whole or not at all, by one process at a time, and nothing left behind."""

import contextlib
import errno
import fcntl
import io
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from functools import cache
from typing import IO, Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import is_url, open_patiently
from hnclip_cli.streams.packed import packed

LOCK_NAME = ".hnclip.lock"

# What nobody else calls a file.
_TEMPORARY = re.compile(r"\.hnclip-[0-9a-f]{16}\.tmp")
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def atomic_output(
    path: str, *, follow_links: bool = True, is_durable: bool = True
) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when the block ends without an error.

    The bytes go to a hidden neighbor, which then takes the name in one step; on any exception it is
    removed and what stood under the name before stays. Devices and named pipes are written
    directly. What runs that were killed have left beside it is removed. Under a URL the bytes come
    at the end; until then they wait in a temporary file. They are packed as the name says.

    Args:
        path: what a message names, also where the neighbor cannot be written.
        follow_links: as a user wants it who names the file. Where a program does, a link of that
            name was laid by somebody else, and is replaced.
        is_durable: wait until the bytes are on the disk, so that they outlast a power cut.

    Raises:
        HnclipError: the file cannot be created or written.
    """
    if is_url(path):
        opened = _uploaded(path)
    else:
        path = path.removeprefix("file://") if path.startswith("file:///") else path
        opened = _replacing(path, follow_links, is_durable)
    with opened as output, packed(output, path) as stream:
        yield stream


@contextlib.contextmanager
def _uploaded(url: str) -> Iterator[IO[bytes]]:
    from hnclip_cli.streams.remote import check_writable, upload

    check_writable(url)
    with temporary_file() as output:
        yield output
        output.flush()
        upload(output, url)


@contextlib.contextmanager
def _replacing(path: str, follow_links: bool, is_durable: bool) -> Iterator[IO[bytes]]:
    target = os.path.realpath(path) if follow_links else path
    is_link = os.path.islink(target)
    if not is_link and os.path.exists(target) and not os.path.isfile(target):
        with naming(path):
            device = open_patiently(target, os.O_WRONLY | os.O_CLOEXEC)
        with io.BufferedWriter(_Output(device, "wb", path)) as stream:
            yield stream
        return
    folder = os.path.dirname(target) or "."
    _remove_left_over(os.path.realpath(folder))
    temporary, output = _new_neighbor(folder, path)
    try:
        if not is_link:  # what was private stays private
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(output.fileno(), stat.S_IMODE(os.stat(target).st_mode) & 0o777)
        yield output
        output.flush()
        with naming(path):
            if is_durable:
                os.fsync(output.fileno())
            os.replace(temporary, target)
        output.close()  # which lets go of the lock, and so comes last
    except BaseException:
        output.raw.close()  # what waits in memory is not to be written any more
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def only_writer(folder: str) -> Iterator[None]:
    """Keep a folder for this process, also from other machines where its file system has locks.

    It is made where it is not there, and removed again where nothing was written.

    Raises:
        HnclipError: another process keeps it, or it cannot be written.
    """
    if is_url(folder):
        raise HnclipError("a folder to write cannot be a URL", where=folder, expected="a path")
    made, parent = [], os.path.realpath(folder)
    while not os.path.lexists(parent):
        made.append(parent)
        parent = os.path.dirname(parent)
    path = os.path.join(folder, LOCK_NAME)
    with naming(folder):
        os.makedirs(folder, exist_ok=True)
    lock = open_alone(path, folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
            for name in made:
                os.rmdir(name)
        lock.close()


def open_alone(path: str, shown: str) -> io.BufferedRandom:
    """Open a file to read and write that no other process has open so; made where it is not there.

    A link is not followed. Messages name ``shown``.

    Raises:
        HnclipError: another process has it, it is a link or no plain file, or it cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        try:
            descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise in_the_way(path) from None
            raise _unwritable(error, shown) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise in_the_way(path)
        output = _output(descriptor, shown)
        if not _locked(descriptor):
            output.close()
            raise HnclipError(
                "another process is writing it", where=shown, hint="another path with -o"
            )
        # Whoever held the lock may have renamed or removed the file in between.
        if _is_at(descriptor, path):
            return output
        output.close()


def in_the_way(path: str) -> HnclipError:
    """The error where a file is needed whose name is taken by something that is not ours."""
    return HnclipError(
        "this file is in the way, and hnclip has not written it",
        where=path,
        hint="moving it, or another path with -o",
    )


def temporary_file() -> io.BufferedRandom:
    """A file without a name in the temporary folder, which failures name."""
    where = "temporary files"
    hint = "TMPDIR=DIR, a folder with more room"
    with naming(where, hint):
        where = tempfile.gettempdir()
        with tempfile.TemporaryFile(buffering=0) as file:
            return _output(os.dup(file.fileno()), where, hint)


@contextlib.contextmanager
def naming(path: str, hint: str = "another path with -o") -> Iterator[None]:
    """Turn failures of the system into `HnclipError` of a path that the user knows."""
    try:
        yield
    except OSError as error:
        raise _unwritable(error, path, hint) from None


def _unwritable(error: OSError, path: str, hint: str = "another path with -o") -> HnclipError:
    return HnclipError(f"cannot write it: {error.strerror or error}", where=path, hint=hint)


class _Output(io.FileIO):
    """An open file whose failures name a path of the user's choice."""

    def __init__(self, descriptor: int, mode: str, path: str, *hint: str) -> None:
        super().__init__(descriptor, mode)
        self._naming = path, *hint

    def write(self, data: Any) -> int:
        with naming(*self._naming):
            return super().write(data) or 0

    def truncate(self, size: int | None = None) -> int:
        with naming(*self._naming):
            return super().truncate(size)


def _output(descriptor: int, path: str, *hint: str) -> io.BufferedRandom:
    return io.BufferedRandom(_Output(descriptor, "r+b", path, *hint))


def _new_neighbor(folder: str, path: str) -> tuple[str, io.BufferedRandom]:
    """A new file of ours beside others, and locked: whoever can lock one finds that it is dead."""
    while True:
        name = os.path.join(folder, f".hnclip-{os.urandom(8).hex()}.tmp")
        with naming(path):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o666)
        output = _output(descriptor, path)
        if _locked(descriptor) and _is_at(descriptor, name):
            return name, output
        output.close()  # another process took it for dead before it was locked


@cache
def _remove_left_over(folder: str) -> None:
    """Remove our neighbors of files in a folder that no process locks any more."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_if_dead(entry.path)


def _remove_if_dead(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Lock a file; False where another process has. Without locks nobody is kept out."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
