"""A chat completions endpoint as OpenAI defined it: one question, one answer, with patience."""

import email.utils
import json
import math
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.records import hash64

T = TypeVar("T")

MAX_ANSWER_BYTES = 1 << 20
FIRST_BACKOFF = 0.5
MAX_BACKOFF = 30.0
# A server that asks for more patience than this has no capacity for this run.
MAX_RETRY_AFTER = 300.0

_STOPPING = {
    401: "a key that it knows, in the variable of --api-key-env",
    403: "a key that may use this model, in the variable of --api-key-env",
    404: "another --endpoint-model, or --endpoint up to the /v1",
    405: "--endpoint up to the /v1",
}
_PASSING = {408, 409, 425, 429}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to ask.

    Attributes:
        url: up to ``/v1``, or the whole way to ``/chat/completions``; http or https.
        model: its name there; None leaves it to the server.
        key: sent as a bearer token; shown nowhere.
        timeout: seconds for a connection, and for the answer after it.
        retries: further attempts where one fails in passing.
        requests_per_minute: None is without limit.

    Raises:
        HnclipError: the URL or the key cannot be used.
    """

    url: str
    model: str | None = None
    key: str = field(default="", repr=False)
    timeout: float = 60.0
    retries: int = 4
    requests_per_minute: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _completions_url(self.url))
        # http.client would name the key in its complaint.
        if not (self.key.isascii() and self.key.isprintable()) or " " in self.key:
            raise HnclipError(
                "the API key cannot be sent in a header",
                expected="printable ASCII without spaces",
            )

    @property
    def sends_key_in_the_clear(self) -> bool:
        """Whether there is a key, and others on the network could read it."""
        parts = urlsplit(self.url)
        is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
        return bool(self.key) and parts.scheme == "http" and not is_here


class Unanswered(Exception):
    """A question got no usable answer, and asking again would not help."""


class Passing(Exception):
    """An attempt failed, but the next one need not.

    Args:
        problem: what went wrong.
        retry_after: seconds that the server asks to wait; None where it does not say.
    """

    def __init__(self, problem: str, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


class Stopped(Exception):
    """The run is over; nobody waits for the answer."""


class ChatClient:
    """Asks an endpoint; threads may share it.

    No redirect is followed, so that neither captions nor the key go where nobody sent them.
    Proxies are those of the environment, as everywhere.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._pacer = _Pacer(60.0 / (endpoint.requests_per_minute or math.inf), self._stop)
        # Without the handlers that follow redirects and raise for a status.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
        ):
            self._opener.add_handler(handler)

    def close(self) -> None:
        """Let whoever waits for a turn or for another attempt give up."""
        self._stop.set()

    def ask(
        self,
        messages: list[dict[str, str]],
        read: Callable[[str], T],
        *,
        name: str,
        seed: int,
        max_tokens: int,
    ) -> T:
        """What ``read`` makes of the answer, at temperature 0.

        An attempt that fails in passing (no connection, no answer in time, 429, 5xx, an answer
        that is not understood) is repeated: after what the server says in Retry-After, else after
        ``FIRST_BACKOFF`` · 2ⁿ seconds, of which up to half is left off by a hash of ``name``.

        Args:
            messages: of the chat.
            read: takes the text of the answer; raises `Passing` where it is not understood.
            name: of the question; with ``seed`` it decides the seeds sent and the jitter.
            seed: of the run.
            max_tokens: that the answer may have.

        Raises:
            Unanswered: no usable answer came.
            HnclipError: none will ever come: a wrong key, model or address.
            Stopped: `close` was called.
        """
        question: dict[str, Any] = {
            "messages": messages,
            "temperature": 0,
            "max_tokens": max_tokens,
        }
        if self._endpoint.model is not None:
            question["model"] = self._endpoint.model
        attempt = 0
        while True:
            question["seed"] = hash64(seed, name, attempt) >> 33  # 31 bits: any server takes it
            self._pacer.wait()
            try:
                return read(self._answer(json.dumps(question).encode()))
            except Passing as error:
                failure = error
            attempt += 1
            if attempt > self._endpoint.retries:
                tries = "1 attempt" if attempt == 1 else f"{attempt} attempts"
                raise Unanswered(f"{failure}, after {tries}")
            if failure.retry_after is not None:
                self._pacer.pause(failure.retry_after)
            elif self._stop.wait(_backoff(attempt, hash64(seed, name, "jitter", attempt))):
                raise Stopped

    def _answer(self, body: bytes) -> str:
        """The text of the answer to one request."""
        deadline = time.monotonic() + self._endpoint.timeout
        headers = {"Content-Type": "application/json", "User-Agent": "hnclip"}
        if self._endpoint.key:
            headers["Authorization"] = f"Bearer {self._endpoint.key}"
        request = urllib.request.Request(self._endpoint.url, body, headers, method="POST")
        try:
            with cast(
                HTTPResponse, self._opener.open(request, timeout=self._endpoint.timeout)
            ) as response:
                content = _read(response, deadline)
                if response.status != 200:
                    raise self._failure(response, content)
        except TimeoutError:
            raise Passing(f"no answer within {self._endpoint.timeout:g} s") from None
        except (OSError, HTTPException) as error:
            raise self._broken(error) from None
        return _text_of(content)

    def _broken(self, error: Exception) -> Exception:
        """What a connection that failed means."""
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return HnclipError(
                "the endpoint's certificate is not trusted",
                where=self._endpoint.url,
                got=reason.verify_message,
                hint="SSL_CERT_FILE=FILE with the authority that signed it",
            )
        if isinstance(reason, TimeoutError):
            return Passing(f"no connection within {self._endpoint.timeout:g} s")
        text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return Passing(f"the connection failed ({self._shown(text)})")

    def _failure(self, response: HTTPResponse, content: bytes) -> Exception:
        """What a status other than 200 means."""
        status = f"{response.status} {response.reason}".strip()
        if 300 <= response.status < 400:
            return HnclipError(
                "the endpoint is elsewhere, and redirects are not followed",
                where=self._endpoint.url,
                got=f"{status} to {self._shown(response.headers.get('Location', 'nowhere'))}",
                hint="--endpoint with that address, if you trust it",
            )
        if response.status in _STOPPING:
            return HnclipError(
                "the endpoint refuses requests",
                where=self._endpoint.url,
                got=status,
                hint=_STOPPING[response.status],
            )
        if response.status not in _PASSING and response.status < 500:
            return Unanswered(f"the endpoint says {status}{self._explanation(content)}")
        seconds = retry_after(response.headers.get("Retry-After"), time.time())
        if seconds is not None and seconds > MAX_RETRY_AFTER:
            return HnclipError(
                f"the endpoint asks to wait {seconds:.0f} s",
                where=self._endpoint.url,
                got=status,
                hint="a lower --requests-per-minute, or later",
            )
        return Passing(f"the endpoint says {status}", seconds)

    def _explanation(self, content: bytes) -> str:
        try:
            text = json.loads(content)["error"]["message"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return ""
        return f" ({self._shown(text)})" if isinstance(text, str) else ""

    def _shown(self, text: str) -> str:
        """What a server said, short, printable, and without the key."""
        if self._endpoint.key:
            text = text.replace(self._endpoint.key, "…")
        text = "".join(letter if letter.isprintable() else " " for letter in text)
        return text[:160] + "…" if len(text) > 160 else text


class _Pacer:
    """Lets requests go one ``interval`` apart, and none during a pause."""

    def __init__(self, interval: float, stop: threading.Event) -> None:
        self._interval = interval
        self._stop = stop
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                now = time.monotonic()
                delay = self._next - now
                if delay <= 0:
                    self._next = now + self._interval
                    return
            self._stop.wait(delay)
        raise Stopped

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def _backoff(attempt: int, number: int) -> float:
    """Seconds before a further attempt, counted from 1; ``number`` of 64 bits is the jitter."""
    return min(math.ldexp(FIRST_BACKOFF, attempt - 1), MAX_BACKOFF) * (1 - number / 2**65)


def retry_after(header: str | None, now: float) -> float | None:
    """The seconds of a Retry-After header: a number, or an HTTP date; None for anything else.

    Args:
        header: its value.
        now: seconds since 1970.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _completions_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise HnclipError(f"bad --endpoint ({error})") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HnclipError(
            "bad --endpoint", got=repr(url), expected="http://… or https://…, as in …/v1"
        )
    if parts.username is not None or parts.password is not None:
        raise HnclipError("bad --endpoint: it holds a password", hint="--api-key-env VAR")
    if not url.isascii() or any(letter.isspace() or not letter.isprintable() for letter in url):
        raise HnclipError("bad --endpoint", got=repr(url), expected="percent-encoded ASCII")
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _read(response: HTTPResponse, deadline: float) -> bytes:
    pieces = []
    size = 0
    while piece := response.read1(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise Unanswered(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(pieces)


def _text_of(content: bytes) -> str:
    try:
        choice = json.loads(content)["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Passing("the answer is no chat completion") from None
    if not isinstance(text, str):
        raise Passing("the answer holds no text")
    if reason == "length":
        raise Passing("the answer was cut off")
    return text
