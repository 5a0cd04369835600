"""A chat completions endpoint as OpenAI defined it: one question, one answer, with patience.

By httpx, and not by OpenAI's own package: that sends what stands in OPENAI_CUSTOM_HEADERS to any
host, reads answers of any length for any time, and repeats a question only as it was.
"""

import email.utils
import json
import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
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
    404: "another --generator-model, or --endpoint up to the /v1",
    405: "--endpoint up to the /v1",
}
_PASSING = {408, 409, 425, 429}


class Unanswered(Exception):
    """A question got no usable answer, and asking again would not help."""


class Passing(Exception):
    """An attempt failed, but the next one need not, after the seconds that the server asks for."""

    def __init__(self, problem: str, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


class ChatClient:
    """Asks an endpoint; threads may share it.

    No redirect is followed, so that neither captions nor the key go where nobody sent them.
    Proxies and certificates are those of the environment, as everywhere.

    Args:
        endpoint: up to ``/v1``, or the whole way to ``/chat/completions``; http or https.
        model: its name there; None leaves it to the server.
        key: sent as a bearer token; shown nowhere.
        timeout: seconds for a connection, and for the answer after it.
        retries: further attempts where one fails in passing.
        requests_per_minute: None is without limit.

    Raises:
        HnclipError: the URL, the key or the proxy of the environment cannot be used, or httpx is
            not installed.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        model: str | None = None,
        key: str = "",
        timeout: float = 60.0,
        retries: int = 4,
        requests_per_minute: float | None = None,
    ) -> None:
        try:
            import httpx
        except ImportError:
            hint = "pip install 'hnclip[http]'"
            raise HnclipError("httpx is not installed", hint=hint) from None
        self.url = completions_url(endpoint)
        if not (key.isascii() and key.isprintable()) or " " in key:
            expected = "printable ASCII without spaces"
            raise HnclipError("the API key cannot be sent in a header", expected=expected)
        self._question = {"temperature": 0} | ({"model": model} if model is not None else {})
        self._key = key
        self._timeout = timeout
        self._retries = retries
        self._pacer = _Pacer(60.0 / (requests_per_minute or math.inf))
        self._httpx = httpx
        headers = {"User-Agent": "hnclip", "Accept-Encoding": "identity"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=None)
        try:
            self._client = httpx.Client(headers=headers, timeout=timeout, limits=limits)
        except (ImportError, ValueError, httpx.InvalidURL):  # whose text may hold a password
            problem = "the proxy that the environment names cannot be used"
            raise HnclipError(problem, expected="http://…") from None

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
        """
        question = {"messages": messages, "max_tokens": max_tokens, **self._question}
        attempt = 0
        while True:
            question["seed"] = hash64(seed, name, attempt) >> 33  # 31 bits: any server takes it
            attempt += 1
            self._pacer.wait()
            try:
                return read(self._answer(question))
            except Passing as error:
                if attempt > self._retries:
                    tries = "1 attempt" if attempt == 1 else f"{attempt} attempts"
                    raise Unanswered(f"{error}, after {tries}") from None
                if error.retry_after is None:
                    time.sleep(_backoff(attempt, hash64(seed, name, "jitter", attempt)))
                else:
                    self._pacer.pause(error.retry_after)

    def _answer(self, question: dict[str, Any]) -> str:
        """The text of the answer to one request."""
        deadline = time.monotonic() + self._timeout
        try:
            with self._client.stream("POST", self.url, json=question) as response:
                content = _read(response.iter_raw(), deadline)
        except (TimeoutError, self._httpx.ReadTimeout):
            raise Passing(f"no answer within {self._timeout:g} s") from None
        except self._httpx.TimeoutException:
            raise Passing(f"no connection within {self._timeout:g} s") from None
        except self._httpx.TransportError as error:
            text = self._shown(str(error) or type(error).__name__)
            if "CERTIFICATE_VERIFY_FAILED" in text:
                hint = "SSL_CERT_FILE=FILE with the authority that signed it"
                problem = "the endpoint's certificate is not trusted"
                raise self._error(problem, text, hint) from None
            raise Passing(f"the connection failed ({text})") from None
        if response.status_code != 200:
            raise self._failure(response, content)
        return _text_of(content)

    def _failure(self, response: Any, content: bytes) -> Exception:
        """What a status other than 200 means."""
        code = response.status_code
        status = f"{code} {response.reason_phrase}".strip()
        if 300 <= code < 400:
            problem = "the endpoint is elsewhere, and redirects are not followed"
            place = self._shown(response.headers.get("Location", "nowhere"))
            hint = "--endpoint with that address, if you trust it"
            return self._error(problem, f"{status} to {place}", hint)
        if code in _STOPPING:
            return self._error("the endpoint refuses requests", status, _STOPPING[code])
        if code not in _PASSING and code < 500:
            return Unanswered(f"the endpoint says {status}{self._explanation(content)}")
        seconds = retry_after(response.headers.get("Retry-After"), time.time())
        if seconds is not None and seconds > MAX_RETRY_AFTER:
            hint = "a lower --requests-per-minute, or later"
            return self._error(f"the endpoint asks to wait {seconds:.0f} s", status, hint)
        return Passing(f"the endpoint says {status}", seconds)

    def _error(self, problem: str, got: str, hint: str) -> HnclipError:
        return HnclipError(problem, where=self.url, got=got, hint=hint)

    def _explanation(self, content: bytes) -> str:
        try:
            text = json.loads(content)["error"]["message"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return ""
        return f" ({self._shown(text)})" if isinstance(text, str) else ""

    def _shown(self, text: str) -> str:
        """What a server said, short, printable, and without the key."""
        if self._key:
            text = text.replace(self._key, "…")
        text = "".join(letter if letter.isprintable() else " " for letter in text)
        return text[:160] + "…" if len(text) > 160 else text


class _Pacer:
    """Lets requests go one ``interval`` apart, and none during a pause."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                delay = self._next - now
                if delay <= 0:
                    self._next = now + self._interval
                    return
            time.sleep(delay)

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def _backoff(attempt: int, number: int) -> float:
    """Seconds before a further attempt, counted from 1; ``number`` of 64 bits is the jitter."""
    return min(math.ldexp(FIRST_BACKOFF, attempt - 1), MAX_BACKOFF) * (1 - number / 2**65)


def retry_after(header: str | None, now: float) -> float | None:
    """The seconds of a Retry-After header: a number, or an HTTP date; None for anything else."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def sends_in_the_clear(endpoint: str) -> bool:
    """Whether others on the network could read what is sent there."""
    parts = urlsplit(endpoint)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def completions_url(endpoint: str) -> str:
    """The whole address of an endpoint; raises `HnclipError` where it is none."""
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError as error:
        raise HnclipError(f"bad --endpoint ({error})") from None
    if parts.username is not None or parts.password is not None:
        raise HnclipError("bad --endpoint: it holds a password", hint="--api-key-env VAR")
    is_address = parts.scheme in ("http", "https") and parts.hostname
    if not is_address or not (endpoint.isascii() and endpoint.isprintable()) or " " in endpoint:
        expected = "http://… or https://… in percent-encoded ASCII, as in …/v1"
        raise HnclipError("bad --endpoint", got=repr(endpoint), expected=expected)
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _read(pieces: Iterable[bytes], deadline: float) -> bytes:
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            raise Unanswered(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(content)


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
