"""Files that are read: plain or packed, here or behind a URL that the user has typed."""

import contextlib
import difflib
import errno
import hashlib
import io
import os
import re
import stat
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.packed import unpacked, unpacking

# Seconds until somebody must have opened the other end of a named pipe.
OPEN_SECONDS = 60.0
# Of a file that is held in memory as a whole, unpacked.
MAX_WHOLE_BYTES = 1 << 29
MAX_WORDS_BYTES = 1 << 22  # of a file with words or names, likewise
_CHUNK = 1 << 20
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def open_input_file(path: str) -> IO[bytes]:
    """Open a file, or what is behind a URL, for reading; unpacked on the way as its name says.

    Names from data come here only behind `inside`, so a URL is one that the user has typed.

    Raises:
        HnclipError: it cannot be opened, or is a named pipe that nobody writes to.
    """
    if is_url(path):
        from hnclip_cli.streams.remote import open_remote  # here, so that --help does not wait

        return unpacked(open_remote(path), path)
    path = path.removeprefix("file://") if path.startswith("file:///") else path
    try:
        stream = open(path, "rb", opener=open_patiently)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        near = _beside(path) if isinstance(error, FileNotFoundError) else ""
        raise HnclipError(
            f"cannot read it: {reason}", where=path, hint=near or "another path, or - for stdin"
        ) from None
    return unpacked(stream, path)


def is_url(name: str) -> bool:
    """Whether a name is a URL, and not of a file here."""
    return bool(_SCHEME.match(name)) and not name.startswith("file:///")


def descriptor_of(stream: IO[bytes]) -> int | None:
    """The open file whose bytes a stream has as they are; None where they come another way."""
    if isinstance(stream, io.BufferedReader):
        with contextlib.suppress(OSError):
            return stream.fileno()
    return None


def no_folder(path: str) -> HnclipError:
    """The error for a folder that is not there."""
    return HnclipError("no such folder", where=path, hint=_beside(path, is_folder=True))


def alike(name: str, names: Iterable[str]) -> str:
    """The name that is spelled most alike, or the only one that begins so; empty where none is."""
    lower = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.75)
    begun = [one for one in lower if one.startswith(name.lower())]
    return lower[near[0]] if near else lower[begun[0]] if name and len(begun) == 1 else ""


def _beside(path: str, *, is_folder: bool = False) -> str:
    """What is spelled most alike in the same folder; empty where nothing is."""
    parent, name = os.path.split(path.rstrip("/"))
    names = os.listdir(parent or ".") if os.path.isdir(parent or ".") else []
    near = alike(
        name, (one for one in names if os.path.isdir(os.path.join(parent, one)) == is_folder)
    )
    return near and os.path.join(parent, near)


def read_whole(path: str, max_bytes: int = MAX_WHOLE_BYTES) -> bytes:
    """What `open_input_file` gives, in memory; `HnclipError` also where that is larger."""
    with open_input_file(path) as stream:
        return read_rest(stream, path, max_bytes)


def read_rest(stream: IO[bytes], where: str, max_bytes: int = MAX_WHOLE_BYTES) -> bytes:
    """What is left of a stream; `HnclipError` where that is more, or damaged."""
    pieces, size = [], 0
    with unpacking(where):
        while piece := stream.read(min(_CHUNK, max_bytes + 1 - size)):
            pieces.append(piece)
            size += len(piece)
    if size > max_bytes:
        raise HnclipError("the file is too large", where=where, expected=in_bytes(max_bytes))
    return b"".join(pieces)


def in_bytes(bound: int) -> str:
    """A bound of sizes as messages show it."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if bound >= unit and bound % unit == 0:
            return f"at most {bound // unit} {name}"
    return f"at most {bound} bytes"


class HashedStream:
    """A stream that is read once from end to end, and the SHA-256 of what was read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._read1 = getattr(stream, "read1", stream.read)
        self._digest = hashlib.sha256()

    def read1(self, size: int) -> bytes:
        data: bytes = self._read1(size)
        self._digest.update(data)
        return data

    read = read1

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def open_patiently(path: str, flags: int) -> int:
    """Open a file as `os.open` does, but wait at a named pipe only so long for its other end."""
    is_late = threading.Event()

    def open_it() -> int:
        descriptor = os.open(path, flags, 0o666)
        if is_late.is_set():
            os.close(descriptor)
        return descriptor

    try:
        is_pipe = stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        is_pipe = False
    if not is_pipe:
        return open_it()
    if flags & os.O_ACCMODE == os.O_RDONLY:
        from hnclip_cli.streams.threads import within  # here, so that --help does not wait for it

        with contextlib.suppress(TimeoutError):
            return within(OPEN_SECONDS, open_it)
        is_late.set()
        with contextlib.suppress(OSError):  # let go of the thread that still waits
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        raise _lonely(path, "writes to", "a program that writes to it, or a plain file")
    deadline = time.monotonic() + OPEN_SECONDS
    while time.monotonic() < deadline:
        try:
            descriptor = os.open(path, flags | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads
                raise
            time.sleep(0.05)
        else:
            os.set_blocking(descriptor, True)
            return descriptor
    raise _lonely(path, "reads", "a program that reads it, or a plain file")


def _lonely(path: str, does: str, hint: str) -> HnclipError:
    problem = f"nobody {does} this named pipe, within {OPEN_SECONDS:g} seconds"
    return HnclipError(problem, where=path, hint=hint)


def inside(folder: str, name: str, what: str) -> str:
    """Join a name from a data file to a user's folder; `HnclipError` where it leads out of it."""
    if os.path.isabs(name) or ".." in Path(name).parts or _SCHEME.match(name):
        raise HnclipError(f"{what} leaves its folder", got=repr(name), expected="a plain file name")
    return os.path.join(folder, name)


def check_no_pipes(folder: str) -> None:
    """Raise `HnclipError` where a folder holds what a library would wait at, or read for ever."""
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):  # a link that leads nowhere
            if not entry.is_dir():
                open_regular(entry.path).close()


def open_inside(folder: str, path: str) -> IO[bytes]:
    """Open a regular file that was found below a folder, as `open_regular` does.

    Raises:
        FileNotFoundError: no such file, and no link.
        InputError: a link that leads out of the folder or nowhere, or what `open_regular` refuses.
    """
    target, home = os.path.realpath(path), os.path.realpath(folder)
    if os.path.commonpath([home, target]) != home:
        raise InputError("a link that leads out of the folder", where=path)
    is_link = os.path.islink(path)
    try:
        return open_regular(target if is_link else path)
    except FileNotFoundError:
        if not is_link:
            raise
        raise InputError("a link that leads nowhere", where=path) from None
    except HnclipError as error:
        raise InputError(str(error)) from None


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
