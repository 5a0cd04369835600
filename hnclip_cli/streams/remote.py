"""What is behind URLs, through fsspec: only where the user asked for it."""

import io
import ipaddress
import socket
import time
from collections.abc import Callable
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.threads import within

T = TypeVar("T")

ATTEMPTS = 3
TIMEOUT = 30.0  # seconds, for one attempt, from the first byte that is sent to the last that comes
DEADLINE = 50.0  # seconds, for all attempts
PAUSE = 0.5  # seconds before the second attempt, doubled for each further one
# Of a file that the user has named. A store that is asked for too much wants a minute.
FILE_ATTEMPTS = 8
BLOCK_BYTES = 8 << 20  # what one attempt fetches of it
_CHUNK = 1 << 20
# What stores call the mark that a file gets whenever it is written: S3, Azure, Google, others.
_VERSIONS = ("ETag", "etag", "generation", "mtime", "last_modified")

# What they name is no host, or one that the user's own settings say.
_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "memory"}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address is behind it


class Private(OSError):
    """An address of this machine, or of a network that only those inside can reach."""


class Incomplete(OSError):
    """Fewer bytes, or more, than were asked for."""


def fetch(url: str, max_bytes: int, *, private: bool = False) -> bytes:
    """The bytes of an image behind a URL of any protocol that fsspec knows.

    Failures that may pass are tried again, and all is over after ``DEADLINE``. Messages show the
    URL without credentials.

    Args:
        private: whether private addresses may be asked, as a redirect could lead to. Those of
            stores such as ``s3`` are the user's own to set.
    """
    data = _persist(lambda: _read(url, max_bytes, private), url, "image", ATTEMPTS, DEADLINE)
    if len(data) > max_bytes:
        raise HnclipError(
            "image is too large", got=repr(url), expected=f"at most {max_bytes} bytes"
        )
    return data


def open_remote(url: str) -> IO[bytes]:
    """A file behind a URL that the user has typed, as a stream that does not seek.

    A connection that is cut or slow, or a store that has no time, costs another attempt at the same
    block, so nothing is lost and nothing comes twice.

    Raises:
        HnclipError: it is not there or cannot be read; likewise when the stream is read, also where
            the file was changed meanwhile.
    """
    return io.BufferedReader(_RemoteFile(url), _CHUNK)


def check_writable(url: str) -> None:
    """Refuse what could not be written, before work is done for it."""
    if url.startswith(("http://", "https://")):
        raise HnclipError("cannot write to a web server", where=url, expected="s3://… or a path")
    _persist(lambda: _place(url), url, "file", 1)


def upload(file: IO[bytes], url: str) -> None:
    """Put a file that is open here under a URL: whole, or not at all where it fails."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)

    def put() -> None:
        files, path = _place(url)
        files.put_file(f"/dev/fd/{file.fileno()}", path)

    # Slower than that, blocks could not be read either.
    _persist(put, url, "file", FILE_ATTEMPTS, seconds=TIMEOUT * (1 + size / BLOCK_BYTES))


class _RemoteFile(io.RawIOBase):
    """Blocks of a file, each one request."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._block, self._next = memoryview(b""), 0  # the rest of a block, and where it ends
        self._version, size = self._ask(self._look)
        if size is None:
            raise HnclipError(
                "the server does not say how long it is",
                where=url,
                hint="curl or another program that writes it to a pipe, and - as INPUT",
            )
        self._size: int = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._block and self._next < self._size:
            self._block = memoryview(self._ask(self._fetch))
            self._next += len(self._block)
            if self._next == self._size and self._ask(self._look) != (self._version, self._size):
                raise HnclipError("the file was changed while it was read", where=self._url)
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def _look(self) -> tuple[object, int | None]:
        files, path = _place(self._url)
        files.invalidate_cache()
        info = files.info(path)
        return next((info[name] for name in _VERSIONS if info.get(name)), None), info["size"]

    def _fetch(self) -> bytes:
        files, path = _place(self._url)
        stop = min(self._next + BLOCK_BYTES, self._size)
        data: bytes = files.cat_file(path, start=self._next, end=stop)
        if len(data) != stop - self._next:
            raise Incomplete
        return data

    def _ask(self, call: Callable[[], T]) -> T:
        return _persist(call, self._url, "file", FILE_ATTEMPTS)


def _place(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path there."""
    import fsspec

    if "::" in url:
        raise HnclipError("a chain of URLs", where=url, expected="a plain URL")
    place: tuple[Any, str] = fsspec.core.url_to_fs(url)
    return place


def _persist(
    call: Callable[[], T],
    url: str,
    what: str,
    attempts: int,
    deadline: float = float("inf"),
    seconds: float | None = None,
) -> T:
    """Call until it works, where a failure may pass; `HnclipError` where it does not.

    Args:
        what: is behind the URL, for messages.
        deadline: seconds for all attempts.
        seconds: for one; as a rule ``TIMEOUT``.
    """
    shown = repr(url)
    reason, end = "", time.monotonic() + deadline
    for attempt in range(attempts):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        left = min(seconds or TIMEOUT, end - time.monotonic())
        if left <= 0:
            break
        try:
            return within(left, call)
        except HnclipError:
            raise
        except FileNotFoundError:
            raise HnclipError(f"{what} not found", got=shown) from None
        except ImportError as error:
            raise HnclipError(
                f"a package for this protocol is missing ({error})",
                got=shown,
                hint="pip install 'hnclip[remote]' for https, s3fs for s3, gcsfs for gs",
            ) from None
        except (ValueError, PermissionError) as error:  # unknown protocols, malformed URLs
            raise HnclipError(f"{what} cannot be fetched ({_name(error)})", got=shown) from None
        except Exception as error:  # every protocol's package has errors of its own
            if isinstance(error, Private) or isinstance(getattr(error, "os_error", None), Private):
                raise HnclipError(
                    f"{what} is at a private address, or redirected to one",
                    got=shown,
                    hint="--private-images, if you trust whoever wrote the records",
                ) from None
            reason = _name(error)
            if 400 <= getattr(error, "status", 0) < 500 or "Credentials" in reason:
                break
    raise HnclipError(f"{what} cannot be fetched ({reason})", got=shown)


def check_public(address: str) -> None:
    """Raise `Private` for an IP address that not everybody on the internet could reach."""
    ip: Any = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:
        embedded = ipaddress.ip_address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        ip = ip.ipv4_mapped or ip.sixtofour or embedded or ip
    if not ip.is_global or ip.is_multicast:
        raise Private("a private address")


def _name(error: Exception) -> str:
    """What kind of error it is; its text may hold the URL with its credentials."""
    status = getattr(error, "status", None)
    return f"HTTP status {status}" if isinstance(status, int) else type(error).__name__


def _read(url: str, max_bytes: int, private: bool) -> bytes:
    """At most ``max_bytes`` and one more."""
    import fsspec

    web: dict[str, Any] = {}
    options = {}
    if url.startswith(("http://", "https://")):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=TIMEOUT)  # or it would go on behind our back
        # Not to be quoted again; as a stream: whether a server knows byte ranges, what size it
        # claims, does not matter.
        web = {"encoded": "%" in url, "client_kwargs": {"timeout": timeout}}
        web |= {} if private else {"get_client": _public_client}
        options = {"block_size": 0, "size": 1}
    elif not private:
        _check_host(url)
    files, path = fsspec.core.url_to_fs(url, **web)
    data = bytearray()
    with files.open(path, "rb", **options) as stream:
        while chunk := stream.read(min(max_bytes + 1 - len(data), _CHUNK)):
            data += chunk
    return bytes(data)


async def _public_client(**settings: Any) -> Any:
    """A client that looks at each address it is about to connect to, after redirects too."""
    import aiohttp

    def open_socket(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, (host, *_) = address
        check_public(host)
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(socket_factory=open_socket)
    return aiohttp.ClientSession(connector=connector, **settings)


def _check_host(url: str) -> None:
    """The same for other protocols, as far as it can be known before."""
    parts = urlsplit(url)
    if parts.scheme not in _STORES:
        for *_, place in socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM):
            check_public(str(place[0]))
