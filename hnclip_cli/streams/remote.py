"""Images behind URLs, fetched through fsspec: only where the user asked for it."""

import ipaddress
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.threads import within

ATTEMPTS = 3
TIMEOUT = 30.0  # seconds, for one attempt, from the first byte that is sent to the last that comes
DEADLINE = 50.0  # seconds, for all attempts
PAUSE = 0.5  # seconds before the second attempt, doubled for the third
_CHUNK = 1 << 20

# What they name is no host, or one that the user's own settings say.
_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "memory"}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address is behind it


class Private(OSError):
    """An address of this machine, or of a network that only those inside can reach."""


def fetch(url: str, max_bytes: int, *, private: bool = False) -> bytes:
    """The bytes behind a URL of any protocol that fsspec knows.

    Failures that may pass are tried again, and all is over after ``DEADLINE``. Messages show the
    URL without credentials.

    Args:
        private: whether private addresses may be asked, as a redirect could lead to. Those of
            stores such as ``s3`` are the user's own to set.
    """
    shown = repr(url)
    reason, end = "", time.monotonic() + DEADLINE
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        seconds = min(TIMEOUT, end - time.monotonic())
        if seconds <= 0:
            break
        try:
            data = within(seconds, lambda: _read(url, max_bytes, private))
        except FileNotFoundError:
            raise HnclipError("image not found", got=shown) from None
        except ImportError as error:
            raise HnclipError(
                f"a package for this protocol is missing ({error})",
                got=shown,
                hint="pip install 'hnclip[remote]' for https, s3fs for s3, gcsfs for gs",
            ) from None
        except (ValueError, PermissionError) as error:  # unknown protocols, malformed URLs
            raise HnclipError(f"image cannot be fetched ({_name(error)})", got=shown) from None
        except Exception as error:  # every protocol's package has errors of its own
            if isinstance(error, Private) or isinstance(getattr(error, "os_error", None), Private):
                raise HnclipError(
                    "image is at a private address, or redirected to one",
                    got=shown,
                    hint="--private-images, if you trust whoever wrote the records",
                ) from None
            reason = _name(error)
            if 400 <= getattr(error, "status", 0) < 500:
                break
        else:
            if len(data) > max_bytes:
                raise HnclipError(
                    "image is too large", got=shown, expected=f"at most {max_bytes} bytes"
                )
            return data
    raise HnclipError(f"image cannot be fetched ({reason})", got=shown)


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
