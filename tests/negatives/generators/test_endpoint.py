"""The client against a real server on this machine."""

import gzip
import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.negatives.generators import endpoint as endpoint_module
from hnclip_cli.negatives.generators.chat import messages, read_answer
from hnclip_cli.negatives.generators.endpoint import (
    MAX_WAITS,
    ChatClient,
    completions_url,
    sends_in_the_clear,
)
from hnclip_cli.negatives.generators.replies import Unanswered
from tests.negatives.generators.server import complaint, completion, failing, written

pytestmark = pytest.mark.usefixtures("quick")
ANSWER = [("negate", "no dog")]
KEY = "sk-secret-123"


def ask(url, name="1", seed=0, **how):
    return asked(ChatClient(url, **how), name, seed)


def asked(client, name="1", seed=0):
    return client.ask(
        messages("a dog", ["negate"]), read_answer, name=name, seed=seed, max_tokens=50
    )


def one_after_the_other(*replies):
    """A behavior that gives these replies, and then the last one for ever."""
    return lambda handler: replies[min(handler.number, len(replies) - 1)]


TEXT = '{"negatives": [{"kind": "negate", "caption": "no dog"}]}'
GOOD = written(*ANSWER)


def test_the_question_is_deterministic_and_complete(serve):
    server = serve(lambda _: GOOD)
    for _ in range(2):
        assert ask(server.url, model="m", key=KEY) == ANSWER
    ask(server.url, seed=1)
    ask(server.url, name="2")
    paths, headers, questions = zip(*server.requests, strict=True)
    assert set(paths) == {"/v1/chat/completions"}
    assert headers[0]["Authorization"] == f"Bearer {KEY}"
    assert "Authorization" not in headers[2]
    assert questions[0] == questions[1]
    assert questions[0]["temperature"] == 0
    assert questions[0]["model"] == "m" and "model" not in questions[2]
    assert len({question["seed"] for question in questions[1:]}) == 3
    assert all(0 <= question["seed"] < 2**31 for question in questions)


@pytest.mark.parametrize("failure", [failing(500), failing(503), failing(429), failing(408)])
def test_what_fails_in_passing_is_asked_again(serve, failure):
    server = serve(one_after_the_other(failure, failure, GOOD))
    assert ask(server.url) == ANSWER
    assert len(server.requests) == 3
    assert len({question["seed"] for _, _, question in server.requests}) == 3


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ((200, {}, b"<html>"), "the answer is no chat completion"),
        ((200, {}, b'{"choices": []}'), "the answer is no chat completion"),
        ((200, {}, b"[" * 100_000), "the answer is no chat completion"),
        ((200, {}, b'{"choices": [{"message": {"content": null}}]}'), "the answer holds no text"),
        (completion("Sure!"), "the answer is not the JSON asked for"),
        (
            completion('{"negatives"', "length"),
            "the answer was cut off: it reached the limit of its tokens (--max-tokens)",
        ),
        (failing(500), "the endpoint says 500 Internal Server Error (no luck)"),
        (
            (200, {}, b'{"error": {"code": 502, "message": "the model is gone"}}'),
            "the endpoint says 502 in an answer (the model is gone)",
        ),
    ],
)
def test_what_stays_bad_is_given_up(serve, reply, problem):
    server = serve(lambda _: reply)
    with pytest.raises(Unanswered) as caught:
        ask(server.url, retries=2)
    assert str(caught.value) == f"{problem}, after 3 attempts"
    assert len(server.requests) == 3


def test_a_request_that_the_server_finds_bad_is_not_repeated(serve):
    server = serve(lambda _: failing(400))
    with pytest.raises(Unanswered, match=r"the endpoint says 400 Bad Request \(no luck\)$"):
        ask(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "hint"), [(401, "key"), (403, "key"), (404, "--endpoint")])
def test_a_wrong_key_or_model_ends_the_run_with_a_hint(serve, status, hint):
    reply = (status, {}, f'{{"error": {{"message": "bad key {KEY}"}}}}'.encode())
    server = serve(lambda _: reply)
    with pytest.raises(HnclipError, match=hint) as caught:
        ask(server.url, key=KEY)
    assert str(status) in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(server.requests) == 1


def test_the_key_is_in_no_message(serve):
    reply = (422, {}, f'{{"error": {{"message": "{KEY} \\u001b[31m is odd"}}}}'.encode())
    with pytest.raises(Unanswered) as caught:
        ask(serve(lambda _: reply).url, key=KEY)
    assert KEY not in str(caught.value) and "\x1b" not in str(caught.value)
    assert KEY not in repr(ChatClient("http://x/", key=KEY))
    with pytest.raises(HnclipError) as refused:
        ChatClient("http://x/", key=f"{KEY}\r\nHost: y")
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("status", [302, 401, 418, 429, 500])
@pytest.mark.parametrize("said", [KEY, f"{KEY[:12]}…", f"\x1b[8m{KEY}\x1b[0m"])
def test_a_server_that_repeats_the_key_does_not_spread_it(serve, status, said):
    def behavior(handler):
        handler.responses = {status: (f"Invalid {said}".encode("ascii", "replace").decode(), "")}
        headers = {"Location": f"http://x/?key={KEY}", "Retry-After": "1000"}
        return status, headers, json.dumps({"error": {"message": f"{said} is odd"}}).encode()

    with pytest.raises((HnclipError, Unanswered)) as caught:
        ask(serve(behavior).url, key=KEY, retries=0)
    text = str(caught.value)
    assert "secret" not in text and text.isprintable()


def test_a_key_in_an_answer_is_not_kept(serve):
    server = serve(lambda _: written(("negate", f"no {KEY}")))
    assert ask(server.url, key=KEY) == [("negate", "no …")]


def test_a_signature_in_the_url_is_in_no_message(serve):
    reply = complaint(401, "unknown signature 0123456789abcdef")
    with pytest.raises(HnclipError) as caught:
        ask(f"{serve(lambda _: reply).url}?api-version=1.2.3&sig=0123456789abcdef")
    assert "0123" not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    ["http://us:pa-ss@x/v1", "us:pa-ss@x/v1", "http://us:pa-ss", "http://[pa-ss@x", "pa-ss\n://x",
     "http://us:pa-ss/@x/v1"],
)  # fmt: skip
def test_a_password_in_a_bad_address_is_in_no_message(endpoint):
    sends_in_the_clear(endpoint)  # which is asked first
    with pytest.raises(HnclipError) as caught:
        ChatClient(endpoint)
    assert "pa-ss" not in str(caught.value)


def test_nothing_of_the_environment_is_sent(serve, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login us password {KEY}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Ours: {KEY}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    server = serve(lambda _: GOOD)
    assert ask(server.url) == ANSWER
    ((_, headers, _),) = server.requests
    assert "Authorization" not in headers
    assert not any(KEY in value for value in headers.values())


def test_a_proxy_of_the_environment_is_used(serve, monkeypatch):
    proxy = serve(lambda _: GOOD)
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
    assert ask("http://far.example/v1") == ANSWER
    assert proxy.requests[0][0] == "http://far.example/v1/chat/completions"
    monkeypatch.setenv("HTTP_PROXY", "gopher://far.example")
    with pytest.raises(HnclipError, match="the proxy that the environment names cannot be used"):
        ask("http://far.example/v1")


def test_compressed_answers_are_neither_asked_for_nor_unpacked(serve):
    headers = {"Content-Encoding": "gzip"}
    server = serve(lambda _: (200, headers, gzip.compress(GOOD[2])))
    with pytest.raises(Unanswered, match="the answer is no chat completion"):
        ask(server.url, retries=0)
    assert server.requests[0][1]["Accept-Encoding"] == "identity"


def test_without_httpx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(HnclipError, match=r"httpx is not installed; try pip install 'hnclip\[http"):
        ChatClient("http://far.example/v1")


def test_redirects_are_not_followed(serve):
    other = serve(lambda _: GOOD)
    server = serve(lambda _: (307, {"Location": other.url}, b""))
    with pytest.raises(HnclipError, match="redirects are not followed"):
        ask(server.url, key=KEY)
    assert other.requests == []


@pytest.mark.parametrize(
    "failure", [failing(429, Retry_After="0.2"), failing(503, retry_after_ms="200")]
)
def test_an_announced_wait_uses_up_no_attempt(serve, failure):
    server = serve(one_after_the_other(*[failure] * 3, GOOD))
    client = ChatClient(server.url, retries=0)
    started = time.monotonic()
    assert asked(client) == ANSWER
    assert time.monotonic() - started >= 0.6
    assert len({question["seed"] for _, _, question in server.requests}) == 1
    assert "4 requests (3 after a wait)" in client.spent.line()


def test_after_a_wait_requests_start_again_one_after_the_other(serve):
    times = []

    def behavior(handler):
        times.append(time.monotonic())
        return GOOD if times[-1] - times[0] > 0.9 else failing(429, Retry_After="1")

    client = ChatClient(serve(behavior).url, retries=0)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda name: asked(client, str(name)), range(8)))
    assert answers == [ANSWER] * 8
    answered = times[-8:]
    assert answered[-1] - answered[0] > 0.2


def test_a_wait_longer_than_the_timeout_ends_the_run(serve):
    server = serve(lambda _: failing(429, Retry_After="61"))
    with pytest.raises(HnclipError, match=r"asks to wait 61 s; got 429 .*\(no luck\); .*--timeout"):
        ask(server.url)
    assert len(server.requests) == 1


def test_waits_without_an_answer_come_to_an_end(serve):
    server = serve(lambda _: failing(429, Retry_After="0"))
    with pytest.raises(HnclipError, match="asks to wait again and again, and answers nothing"):
        ask(server.url, timeout=0.3)
    assert len(server.requests) == MAX_WAITS + 1


@pytest.mark.parametrize(
    ("reply", "hint"),
    [
        (complaint(429, "You exceeded your current quota", code="insufficient_quota"), "credit"),
        (complaint(429, "over", type="insufficient_quota"), "credit"),
        (complaint(402, "Insufficient Balance"), "credit"),
        (complaint(400, "no such model", param="model"), "--generator-model"),
        (complaint(400, "max_tokens is too large: 9. It may be 4."), "--max-tokens"),
    ],
)
def test_what_no_question_can_mend_ends_the_run_at_once(serve, reply, hint):
    server = serve(lambda _: reply)
    with pytest.raises(HnclipError, match=hint) as caught:
        ask(server.url, model="m")
    assert str(reply[0]) in str(caught.value)
    assert len(server.requests) == 1


TAKES_NO_MAX_TOKENS = complaint(
    400,
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
    " 'max_completion_tokens' instead.",
    type="invalid_request_error",
    param="max_tokens",
    code="unsupported_parameter",
)
TAKES_NO_TEMPERATURE = complaint(
    400, "Unsupported value: 'temperature' does not support 0.", param="temperature"
)


def test_a_server_is_asked_in_its_own_words(serve):
    def newer(handler):
        if "max_tokens" in handler.question:
            return TAKES_NO_MAX_TOKENS
        if "temperature" in handler.question:
            return TAKES_NO_TEMPERATURE
        assert handler.question["max_completion_tokens"] == 50
        return GOOD

    server = serve(newer)
    client = ChatClient(server.url, retries=0)
    assert asked(client) == asked(client) == ANSWER
    assert len(server.requests) == 4
    assert client.summary() == [
        "the endpoint takes max_completion_tokens for max_tokens",
        "the endpoint refuses temperature, and was asked without",
    ]


@pytest.mark.parametrize("reply", [TAKES_NO_MAX_TOKENS, TAKES_NO_TEMPERATURE])
def test_a_parameter_that_is_refused_again_ends_the_run(serve, reply):
    server = serve(lambda _: reply)
    with pytest.raises(HnclipError, match=r"the endpoint refuses \w+; got 400 .*Unsupported"):
        ask(server.url)
    assert len(server.requests) == 2


def test_refusals_of_the_model_are_counted_and_not_repeated(serve):
    server = serve(lambda _: completion("", "content_filter"))
    client = ChatClient(server.url)
    with pytest.raises(Unanswered, match="the model refuses to answer"):
        asked(client)
    assert len(server.requests) == 1
    assert client.summary() == ["failed attempts: 1 × the model refuses to answer"]


def test_tokens_are_counted_also_of_answers_that_are_of_no_use(serve):
    usage = {"prompt_tokens": 1000, "completion_tokens": 200}
    bad, cut = completion("Sure!", usage=usage), completion("{", "length", usage=usage)
    server = serve(one_after_the_other(bad, cut, completion(TEXT, usage=usage), GOOD))
    client = ChatClient(server.url)
    assert asked(client) == asked(client) == ANSWER
    assert client.spent.line((0.5, 2)) == (
        "4 requests (2 after failures); 3,000 tokens in, 600 out in 3 of 4 answers; cost 0.0027"
    )
    assert client.summary() == [
        "failed attempts: 1 × the answer is not the JSON asked for; 1 × the answer was cut off: it"
        " reached the limit of its tokens (--max-tokens)"
    ]


def test_the_query_of_the_address_is_in_no_message(serve):
    server = serve(lambda _: failing(401))
    with pytest.raises(HnclipError, match="401") as caught:
        ask(f"{server.url}?token={KEY}")
    assert KEY not in str(caught.value)


def test_a_server_that_hangs_is_given_up(serve):
    server = serve(lambda handler: handler.server.over.wait(30) and None)
    with pytest.raises(Unanswered, match=r"no answer within 0.2 s, after 2 attempts"):
        ask(server.url, timeout=0.2, retries=1)


def test_an_answer_that_trickles_is_given_up(serve):
    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not handler.server.over.wait(0.05):
            handler.wfile.write(b" ")

    with pytest.raises(Unanswered, match="no answer within"):
        ask(serve(trickle).url, timeout=0.3, retries=0)


@pytest.mark.parametrize("pause", [0, 0.05])
@pytest.mark.parametrize("again", [b"x", b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_header_without_end_is_given_up(serve, again, pause):
    def drip(handler):
        handler.wfile.write(b"" if b"100" in again else b"HTTP/1.1 200 OK\r\nA: ")
        while not handler.server.over.wait(pause):
            handler.wfile.write(again)

    with pytest.raises(Unanswered, match=r"no answer within|the connection failed"):
        ask(serve(drip).url, timeout=0.3, retries=0)


def close(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def half(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(GOOD[2][:20])
    close(handler)


@pytest.mark.parametrize("behavior", [close, half])
def test_a_connection_that_breaks_is_made_again(serve, behavior):
    server = serve(lambda handler: behavior(handler) if handler.number == 0 else GOOD)
    assert ask(server.url) == ANSWER
    assert len(server.requests) == 2


def test_an_answer_without_end_is_refused(serve, monkeypatch):
    monkeypatch.setattr(endpoint_module, "MAX_ANSWER_BYTES", 100_000)
    server = serve(lambda _: (200, {}, b" " * 200_000))
    with pytest.raises(Unanswered, match="longer than 100000 bytes"):
        ask(server.url)
    assert len(server.requests) == 1


def test_nobody_listening_is_an_error_of_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(Unanswered, match=r"the connection failed \(.+\), after 2 attempts"):
            ask(url, retries=1)


def test_something_else_than_http_is_a_failed_connection(serve):
    def rubbish(handler):
        handler.connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")
        handler.close_connection = True

    with pytest.raises(Unanswered, match="the connection failed"):
        ask(serve(rubbish).url, retries=0)


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("http://h:1/v1", "http://h:1/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
        ("https://h/v1?api-version=2", "https://h/v1/chat/completions?api-version=2"),
    ],
)
def test_the_address_is_completed(url, full):
    assert completions_url(url) == full == ChatClient(url).url


@pytest.mark.parametrize(
    "url",
    [
        "", "h/v1", "file:///etc/passwd", "ftp://h/v1", "http://", "http://u:p@h/v1",
        "http://h:99999/", "http://h/a b", "http://h/\r\nX: y", "http://[::1/", "http://h/é",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(url):
    with pytest.raises(HnclipError, match="bad --endpoint") as caught:
        ChatClient(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://far/v1", True), ("https://far/v1", False),
        ("http://127.0.0.1:8/v1", False), ("http://[::1]:8/v1", False),
    ],
)  # fmt: skip
def test_what_others_can_read_is_known(url, expected):
    assert sends_in_the_clear(url) is expected
