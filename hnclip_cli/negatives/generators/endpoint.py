"""A chat completions endpoint as OpenAI defined it: one question, one answer, with patience.

By httpx, and not by OpenAI's own package: that sends what stands in OPENAI_CUSTOM_HEADERS to any
host, reads answers of any length for any time, and repeats a question only as it was.
"""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterable, Callable
from functools import cache
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from hnclip_cli.errors import HnclipError
from hnclip_cli.negatives.generators.failures import FLAGS, Failures, Flags, Refused, Wait
from hnclip_cli.negatives.generators.replies import (
    Passing,
    Unanswered,
    complaint_of,
    parsed,
    text_of,
    tokens_of,
)
from hnclip_cli.negatives.generators.spent import Spent
from hnclip_cli.negatives.generators.waits import Pacer, backoff
from hnclip_cli.saying import keep_secret, shown
from hnclip_cli.streams.records import hash64

T = TypeVar("T")

MAX_ANSWER_BYTES = 1 << 20
TIMEOUT = 60.0  # seconds
# One more wait that a server asks for, without an answer to anybody in between, ends the run.
MAX_WAITS = 12

# Names of what a URL may hold beside a server's settings.
_SECRET = re.compile("key|token|secret|sig|auth|pass|code", re.IGNORECASE)
# What a question can do without; the answers are less repeatable then.
_DISPENSABLE = {"temperature", "seed"}


class ChatClient:
    """Asks an endpoint; threads may share it.

    No redirect is followed, so that neither captions nor the key go where nobody sent them.
    Proxies and certificates are those of the environment, as everywhere.

    Args:
        endpoint: up to ``/v1``, or the whole way to ``/chat/completions``; http or https.
        model: its name there; None leaves it to the server.
        key: sent as a bearer token; shown nowhere.
        timeout: seconds for a question and its answer, from the connection to the last byte, and
            for a wait that the server asks for.
        retries: further attempts after a failure that may not happen again.
        requests_per_minute: None is without limit.
        flags: what the command calls the first three, for messages.

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
        timeout: float = TIMEOUT,
        retries: int = 4,
        requests_per_minute: float | None = None,
        flags: Flags = FLAGS,
    ) -> None:
        try:
            import httpx
        except ImportError:
            hint = "pip install 'hnclip[http]'"
            raise HnclipError("httpx is not installed", hint=hint) from None
        keep_secret(key)
        self.url = completions_url(endpoint, flags)
        for name, value in parse_qsl(urlsplit(self.url).query):
            if _SECRET.search(name):
                keep_secret(value)
        if not (key.isascii() and key.isprintable()) or " " in key:
            expected = "printable ASCII without spaces"
            raise HnclipError("the API key cannot be sent in a header", expected=expected)
        self._question = {"temperature": 0} | ({"model": model} if model is not None else {})
        self._timeout = timeout
        self._retries = retries
        self._pacer = Pacer(60.0 / (requests_per_minute or math.inf))
        # What the server wants parameters to be called; None: it does not want them.
        self._names: dict[str, str | None] = {}
        self.spent = Spent()
        self._failures = Failures(self.url, flags)
        self._httpx = httpx
        self._loop = _loop()  # one for all threads
        headers = {"User-Agent": "hnclip", "Accept-Encoding": "identity"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=None)
        try:
            self._client = httpx.AsyncClient(headers=headers, timeout=None, limits=limits)
        except (ImportError, ValueError, httpx.InvalidURL):  # whose text may hold a password
            problem = "the proxy that the environment names cannot be used"
            raise HnclipError(problem, expected="http://…") from None

    def ask(
        self,
        messages: list[dict[str, Any]],
        read: Callable[[str], T],
        *,
        name: str,
        seed: int,
        max_tokens: int,
    ) -> T:
        """What ``read`` makes of the answer, at temperature 0.

        After a failure that may not happen again (no connection, no answer in time, 5xx, an answer
        that is not understood) the request is sent again. It waits ``FIRST_BACKOFF`` · 2ⁿ seconds
        before, of which up to half is left off by a hash of ``name``. Where the server announces a
        wait, all requests wait for it, and it is no attempt. A parameter that the server does not
        take is renamed, or left out, where that helps.

        Args:
            messages: of the chat.
            read: takes the text of the answer; raises `Passing` where it is not understood.
            name: of the question; with ``seed`` it decides the seeds sent and the jitter.
            seed: of the run.
            max_tokens: that the answer may have.

        Raises:
            Unanswered: no usable answer came.
            HnclipError: none will ever come: a wrong key, model or address, no credit, a parameter
                that is refused, or waits without end.
        """
        question = {"messages": messages, "max_tokens": max_tokens, **self._question}
        attempt = waits = num_answers = 0
        while True:
            question["seed"] = hash64(seed, name, attempt) >> 33  # 31 bits: any server takes it
            share = hash64(seed, name, "jitter", attempt, waits) / 2**64
            body = self._named(question)
            self._pacer.wait(share)
            try:
                return read(self._answer(body))
            except Refused as refused:
                self._do_without(refused, body)
            except Wait as wait:
                if num_answers != self.spent["answers"]:
                    waits, num_answers = 0, self.spent["answers"]
                waits += 1
                self._pause(wait, waits, share)
            except Passing as error:
                attempt += 1
                self.spent.fail(str(error))
                if attempt > self._retries:
                    tries = "1 attempt" if attempt == 1 else f"{attempt} attempts"
                    raise Unanswered(f"{error}, after {tries}") from None
                self.spent.add(retries=1)
                time.sleep(backoff(attempt, share))
            except Unanswered as error:
                self.spent.fail(str(error))
                raise

    def summary(self) -> list[str]:
        """What the server did not take, and why attempts failed, a line each."""
        taken = [
            f"the endpoint takes {instead} for {name}"
            if instead
            else f"the endpoint refuses {name}, and was asked without"
            for name, instead in self._names.items()
        ]
        return [*taken, *self.spent.problems()]

    def _named(self, question: dict[str, Any]) -> dict[str, Any]:
        """A question with the names that the server takes."""
        names = self._names
        return {
            name: value
            for key, value in question.items()
            if (name := names.get(key, key)) is not None
        }

    def _do_without(self, refused: Refused, body: dict[str, Any]) -> None:
        """Ask differently from now on, unless that would be the same question again."""
        name, instead = refused.name, refused.instead
        if name not in body or (instead is None and name not in _DISPENSABLE):
            raise refused.error
        self._names = {**self._names, name: instead}

    def _pause(self, wait: Wait, waits: int, share: float) -> None:
        """Stop all requests for as long as the server asks for."""
        seconds = wait.seconds
        if seconds > self._timeout:
            problem = f"the endpoint asks to wait {seconds:.0f} s"
            raise self._failures.error(problem, str(wait), "later, or a longer --timeout")
        if waits > MAX_WAITS:
            problem = "the endpoint asks to wait again and again, and answers nothing"
            hint = "later, or a lower --requests-per-minute"
            raise self._failures.error(problem, str(wait), hint)
        self.spent.add(waits=1)
        self._pacer.pause(max(seconds, min(backoff(waits - 4, share), self._timeout)))

    def _answer(self, question: dict[str, Any]) -> str:
        """The text of the answer to one request."""
        self.spent.add(requests=1)
        try:
            exchange = asyncio.run_coroutine_threadsafe(self._exchange(question), self._loop)
            response, content = exchange.result()
        except TimeoutError:
            raise Passing(f"no answer within {self._timeout:g} s") from None
        except self._httpx.TransportError as error:
            text = shown(str(error) or type(error).__name__)
            if "CERTIFICATE_VERIFY_FAILED" in text:
                hint = "SSL_CERT_FILE=FILE with the authority that signed it"
                problem = "the endpoint's certificate is not trusted"
                raise self._failures.error(problem, text, hint) from None
            raise Passing(f"the connection failed ({text})") from None
        reply = parsed(content)
        if response.status_code != 200:
            raise self._failures.of(response, complaint_of(reply))
        if isinstance(reply, dict) and reply.get("error") and not reply.get("choices"):
            raise self._failures.of(response, complaint_of(reply))
        self.spent.add(answers=1)
        if tokens := tokens_of(reply):
            self.spent.add(counted=1, tokens_in=tokens[0], tokens_out=tokens[1])
        return text_of(reply)

    async def _exchange(self, question: dict[str, Any]) -> tuple[Any, bytes]:
        """A response and what it holds, all within one deadline.

        httpx knows deadlines of reads only, which a server can meet with a byte now and then.
        """
        async with (
            asyncio.timeout(self._timeout),
            self._client.stream("POST", self.url, json=question) as response,
        ):
            return response, await _read(response.aiter_raw())


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Where all requests run, in a thread of its own."""
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, daemon=True).start()
    return loop


def sends_in_the_clear(endpoint: str) -> bool:
    """Whether others on the network could read what is sent there."""
    try:
        parts = urlsplit(endpoint)
    except ValueError:  # nothing will be sent
        return False
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def completions_url(endpoint: str, flags: Flags = FLAGS) -> str:
    """The whole address of an endpoint; raises `HnclipError` where it is none."""
    problem = f"bad {flags.endpoint}"
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError:  # whose text may hold a password
        raise HnclipError(f"{problem}: its host or port cannot be read") from None
    if parts.username is not None or parts.password is not None:
        raise HnclipError(f"{problem}: it holds a password", hint=f"{flags.key} VAR")
    is_address = parts.scheme in ("http", "https") and parts.hostname
    if not is_address or not (endpoint.isascii() and endpoint.isprintable()) or " " in endpoint:
        expected = "http://… or https://… in percent-encoded ASCII, as in …/v1"
        got = "another scheme, or none" if not is_address else "other characters"
        raise HnclipError(problem, got=got, expected=expected)
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


async def _read(pieces: AsyncIterable[bytes]) -> bytes:
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            raise Unanswered(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(content)
