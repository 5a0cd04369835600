"""Tar shards: their members in order, and any one of them by name, with nothing unpacked."""

import os
import re
import tarfile
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple, cast

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import open_regular
from hnclip_cli.streams.records import hash64

# Members whose places are remembered, over all shards: about 100 MB.
MAX_REMEMBERED = 4_000_000
MAX_HEADER_BYTES = 1 << 18  # of a member's name and attributes

_MEMBER_NAME = re.compile(r"^(.*?\.(?:tar|tgz|tbz2?|txz)(?:\.\w+)?)::(.*)$", re.DOTALL)
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_DAMAGES = (tarfile.TarError, ValueError, EOFError, IndexError, OverflowError, RecursionError)
_BLOCK = 512


class Member(NamedTuple):
    """A regular file in a tar: where its bytes lie there."""

    name: str
    offset: int
    size: int


def split_member(name: str) -> tuple[str, str] | None:
    """``shards/000.tar::a/b.jpg`` as ``("shards/000.tar", "a/b.jpg")``; None for other names."""
    match = _MEMBER_NAME.match(name)
    return (match[1], match[2]) if match else None


def join_member(shard: str, member: str) -> str:
    """The spelling that `split_member` reads."""
    return f"{shard}::{member}"


def iter_members(stream: IO[bytes], where: str) -> Iterator[Member]:
    """The regular files of an uncompressed tar, in order; links, folders, devices are left out.

    Memory does not grow: only headers are read, and none is kept. Those before a damage come
    before its error.
    """
    size = os.fstat(stream.fileno()).st_size
    try:
        tar: Any  # "members" is missing from its type
        with tarfile.open(fileobj=cast(IO[bytes], _Headers(stream)), mode="r:") as tar:
            last = -1
            while info := tar.next():
                tar.members.clear()  # tarfile keeps all headers otherwise
                tar.pax_headers.clear()
                if info.size < 0 or tar.offset <= last:  # a crafted size would lead in circles
                    raise ValueError("a negative size")
                last = tar.offset
                is_cut = info.isreg() and info.offset_data + info.size > size
                if is_cut or tar.offset > size + _BLOCK:
                    raise ValueError(f"cut off inside of {info.name!r}")
                if info.isreg() and not info.issparse():
                    yield Member(info.name, info.offset_data, info.size)
            # A tar ends with a block of zeros; tarfile stops as quietly at anything else.
            block = os.pread(stream.fileno(), _BLOCK, tar.offset)
            if len(block) < _BLOCK:
                raise ValueError("cut off: it has no end mark")
            if block.strip(b"\0"):
                raise ValueError(f"no header at byte {tar.offset}")
    except _DAMAGES as error:
        head = os.pread(stream.fileno(), 8, 0)
        for magic, method in _COMPRESSED.items():
            if head.startswith(magic):
                raise HnclipError(
                    f"a tar file compressed by {method} cannot be read at random",
                    where=where,
                    hint="unpacking it to a plain .tar",
                ) from None
        reason = str(error) or type(error).__name__
        raise HnclipError(f"damaged tar file ({reason})", where=where) from None


class _Headers:
    """A tar as tarfile reads it, which holds each header in memory: so none that is large."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.tell, self.seek = stream.tell, stream.seek

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise ValueError(f"a header of {size} bytes, {MAX_HEADER_BYTES} allowed")
        return self._stream.read(size)


def read_at(stream: IO[bytes], member: Member) -> bytes:
    """The bytes of a member, leaving the stream's position alone."""
    return os.pread(stream.fileno(), member.size, member.offset)


class _Index:
    """Where the members of one tar lie: 24 bytes each, found by the hash of their name.

    Of members with the same name the last one counts, as in tar. What comes before a damage can
    be had.
    """

    def __init__(self, members: Iterable[Member]) -> None:
        self.damage: HnclipError | None = None
        places: dict[int, tuple[int, int]] = {}
        try:
            for member in members:
                places[hash64(member.name)] = (member.offset, member.size)
        except HnclipError as error:
            self.damage = error
        self._hashes = array("Q", sorted(places))
        self._places = array("Q", (part for key in self._hashes for part in places[key]))

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, name: str) -> Member | None:
        key = hash64(name)
        at = bisect_left(self._hashes, key)
        if at == len(self._hashes) or self._hashes[at] != key:
            return None
        return Member(name, *self._places[2 * at : 2 * at + 2])


class Shards:
    """The members of tar files by name, for several threads; each tar is read once for its index.

    Indexes are kept while all together they remember at most ``max_remembered`` members, those
    used last. A file that has changed is indexed again.
    """

    def __init__(self, max_remembered: int = MAX_REMEMBERED) -> None:
        self._max = max_remembered
        self._lock = threading.Lock()
        self._indexes: OrderedDict[tuple[str, int, int, int], _Index] = OrderedDict()

    def find(self, path: str, name: str) -> Member:
        """Where a member lies; an error where there is none, or the tar is no good."""
        with open_regular(path) as stream:
            return self._find(stream, path, name)

    def read(self, path: str, name: str, max_bytes: int) -> bytes:
        """The bytes of a member; an error where there are more than ``max_bytes``."""
        with open_regular(path) as stream:
            member = self._find(stream, path, name)
            if member.size > max_bytes:
                raise HnclipError(
                    f"member {name!r} is too large",
                    where=path,
                    got=f"{member.size} bytes",
                    expected=f"at most {max_bytes}",
                )
            data = read_at(stream, member)
        if len(data) < member.size:
            raise HnclipError("damaged tar file (cut off while it was read)", where=path)
        return data

    def _find(self, stream: IO[bytes], path: str, name: str) -> Member:
        status = os.fstat(stream.fileno())
        key = (path, status.st_ino, status.st_mtime_ns, status.st_size)
        with self._lock:
            if key not in self._indexes:
                self._indexes[key] = _Index(iter_members(stream, path))
                while len(self._indexes) > 1 and sum(map(len, self._indexes.values())) > self._max:
                    self._indexes.popitem(last=False)
            self._indexes.move_to_end(key)
            index = self._indexes[key]
        member = index.find(name)
        if member is None:
            raise index.damage or HnclipError("no such member", where=path, got=repr(name))
        return member
