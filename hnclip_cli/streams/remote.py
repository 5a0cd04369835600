"""Images behind URLs, fetched through fsspec: only where the user asked for it."""

import time

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.threads import within

ATTEMPTS = 3
TIMEOUT = 30.0  # seconds, for one attempt
PAUSE = 0.5  # seconds before the second attempt, doubled for the third
_CHUNK = 1 << 20


def fetch(url: str, max_bytes: int) -> bytes:
    """The bytes behind a URL of any protocol that fsspec knows.

    Failures that may pass are tried again. Messages show the URL without credentials.
    """
    shown = repr(url)
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            data = within(TIMEOUT, lambda: _read(url, max_bytes))
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


def _name(error: Exception) -> str:
    """What kind of error it is; its text may hold the URL with its credentials."""
    status = getattr(error, "status", None)
    return f"HTTP status {status}" if isinstance(status, int) else type(error).__name__


def _read(url: str, max_bytes: int) -> bytes:
    """At most ``max_bytes`` and one more."""
    import fsspec

    is_web = url.startswith(("http://", "https://"))
    # Not to be quoted again; as a stream: whether a server knows byte ranges, what size it
    # claims, does not matter.
    files, path = fsspec.core.url_to_fs(url, **({"encoded": "%" in url} if is_web else {}))
    options = {"block_size": 0, "size": 1} if is_web else {}
    data = bytearray()
    with files.open(path, "rb", **options) as stream:
        while chunk := stream.read(min(max_bytes + 1 - len(data), _CHUNK)):
            data += chunk
    return bytes(data)
