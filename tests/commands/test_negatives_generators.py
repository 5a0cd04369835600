"""hnclip negatives --generator against a real server on this machine; pipes among processes."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import environment, parse_lines, to_lines
from tests.negatives.generators.conftest import masked_folder, no_proxies, serve
from tests.negatives.generators.server import complaint, completion, failing, good, written

__all__ = ["masked_folder", "no_proxies", "serve"]

KINDS = ("--kind", "replace-noun", "--kind", "replace-color")
DOG = {"id": "7", "caption": "A red dog sitting on a bench.", "extra": [1]}
KEY = "sk-secret-123"


def start(*args):
    """A real process, for pipes and signals."""
    return subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", "negatives", *KINDS, *map(str, args)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip


def run(*args, records=(DOG,), **variables):
    """The records, the lines on stderr, and the exit code."""
    stdin = io.BytesIO(to_lines(*records))
    arguments = ["negatives", *KINDS, *map(str, args)]
    result = CliRunner().invoke(cli, arguments, input=stdin, env=variables)
    return parse_lines(result.stdout_bytes), result.stderr.splitlines(), result.exit_code


def dogs(count):
    return [{"id": str(number), "caption": f"{number} red dogs"} for number in range(count)]


def http(server, *args):
    return ("--generator", "http", "--endpoint", server.url, *args)


def mlm(folder, *args):
    return ("--generator", "mlm", "--generator-model", folder, "--device", "cpu", *args)


def test_an_endpoint_writes_negatives_into_records(serve):
    server = serve(good)
    records, errors, code = run(
        *http(server, "--api-key-env", "OUR_KEY", "--generator-model", "m"), OUR_KEY=KEY
    )
    assert code == 0
    assert records == [
        DOG
        | {
            "negatives": [
                {
                    "caption": "A red cat sitting on a bench.",
                    "kind": "replace-noun",
                    "edits": [[6, 9, "cat"]],
                },
                {
                    "caption": "A blue dog sitting on a bench.",
                    "kind": "replace-color",
                    "edits": [[2, 5, "blue"]],
                },
            ]
        }
    ]
    assert errors == [
        "hnclip: 2 of 2 written negatives kept",
        "hnclip: 1 request; the endpoint does not say how many tokens",
    ]
    ((_, headers, question),) = server.requests
    assert (headers["Authorization"], question["model"]) == (f"Bearer {KEY}", "m")


def test_slow_answers_come_in_the_order_of_the_records(serve):
    def uneven(handler):
        time.sleep(0.3 if handler.caption.startswith(("0", "5")) else 0)
        return good(handler)

    server = serve(uneven)
    one, _, _ = run(*http(server, "--workers", 1), records=dogs(12))
    many, _, code = run(*http(server, "--workers", 6), records=dogs(12))
    assert code == 0
    assert many == one
    assert [record["id"] for record in many] == [str(number) for number in range(12)]


@pytest.mark.parametrize("generator", ["http", "mlm"])
def test_each_line_is_answered_before_the_next_is_written(serve, generator, masked_folder):
    args = http(serve(good)) if generator == "http" else mlm(masked_folder)
    process = start(*args)
    for _ in range(3):
        process.stdin.write(to_lines(DOG))
        process.stdin.flush()
        assert b'"negatives":[{' in process.stdout.readline()
    output, _ = process.communicate(timeout=60)
    assert (output, process.returncode) == (b"", 0)


def test_a_question_that_fails_for_good_is_a_bad_record(serve):
    server = serve(lambda handler: failing(400) if handler.caption[0] == "1" else good(handler))
    records, errors, code = run(*http(server), records=dogs(3))
    assert ([record["id"] for record in records], code) == (["0"], 1)
    assert errors == [
        "hnclip: -:2: no negatives from the endpoint: the endpoint says 400 Bad Request (no luck)"
    ]
    records, errors, code = run(*http(server, "--on-error", "skip"), records=dogs(3))
    assert ([record["id"] for record in records], code) == (["0", "2"], 3)
    assert errors[0].startswith("hnclip: skipped: -:2: no negatives from the endpoint")
    assert errors[-1] == "hnclip: skipped 1 bad record"


@pytest.mark.parametrize("policy", ["fail", "skip"])
@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (complaint(429, "You exceeded your quota", code="insufficient_quota"), "exceeded your"),
        (complaint(402, "Insufficient Balance"), "Insufficient Balance"),
        (complaint(400, "Unknown parameter: 'max_tokens'."), "refuses max_tokens"),
    ],
)
def test_what_no_record_can_mend_stops_at_once_with_one_line(serve, policy, reply, said):
    server = serve(lambda _: reply)
    args = ("--on-error", policy, "--workers", 1)
    records, errors, code = run(*http(server, *args), records=dogs(50))
    assert (records, code, len(errors)) == ([], 1, 1)
    assert said in errors[0]
    assert len(server.requests) <= 2


def test_the_note_at_the_end_says_what_it_took(serve):
    usage = {"prompt_tokens": 100, "completion_tokens": 20}

    def behavior(handler):
        if handler.number == 0:
            return failing(500)
        status, headers, content = good(handler)
        return status, headers, content[:-1] + f', "usage": {json.dumps(usage)}}}'.encode()

    server = serve(behavior)
    args = ("--max-tokens", 77, "--price", "0.5,2", "--workers", 1)
    _, errors, code = run(*http(server, *args), records=dogs(3))
    assert code == 0
    assert errors == [
        "hnclip: 6 of 6 written negatives kept",
        "hnclip: 4 requests (1 after failures); 300 tokens in, 60 out; cost 0.0003",
        "hnclip: failed attempts: 1 × the endpoint says 500 Internal Server Error (no luck)",
    ]
    assert {question["max_tokens"] for _, _, question in server.requests} == {77}


def test_a_cut_answer_is_said(serve):
    cut = completion("{", "length")
    server = serve(lambda handler: cut if handler.caption[0] == "1" else good(handler))
    args = ("--retries", 0, "--on-error", "skip")
    records, errors, code = run(*http(server, *args), records=dogs(3))
    assert ([record["id"] for record in records], code) == (["0", "2"], 3)
    assert errors[0] == (
        "hnclip: skipped: -:2: no negatives from the endpoint: the answer was cut off: it reached"
        " the limit of its tokens (--max-tokens), after 1 attempt"
    )
    assert errors[3].startswith("hnclip: failed attempts: 1 × the answer was cut off")


def test_what_was_answered_is_not_asked_again(serve, tmp_path):
    """Not after an error, Ctrl-C or a kill, and the output is that of one run."""
    whole, _, _ = run(*http(serve(good)), records=dogs(12))
    resume = ("--resume", tmp_path / "answers.jsonl")

    failed = serve(lambda handler: failing(401) if handler.number >= 3 else good(handler))
    _, _, code = run(*http(failed, *resume, "--workers", 1), records=dogs(12))
    assert code == 1
    num_answered = count_lines(tmp_path / "answers.jsonl")
    assert num_answered == 3

    for signum, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        server = serve(
            lambda handler: (
                good(handler) if handler.number < 2 else handler.server.over.wait(60) and None
            )
        )
        process = start(*http(server, *resume, "--workers", 2, "-o", tmp_path / "out.jsonl"))
        process.stdin.write(to_lines(*dogs(12)))
        process.stdin.flush()
        while (
            len(server.requests) < 4 or count_lines(tmp_path / "answers.jsonl") < num_answered + 2
        ):
            time.sleep(0.01)
        num_answered += 2
        process.send_signal(signum)
        assert process.wait(20) == code
        process.communicate()
        assert not (tmp_path / "out.jsonl").exists()

    with open(tmp_path / "answers.jsonl", "ab") as stream:
        stream.write(b'{"asked": "00')
    last = serve(good)
    records, errors, code = run(*http(last, *resume), records=dogs(12))
    assert (records, code) == (whole, 0)
    assert len(last.requests) == 12 - num_answered == 5
    assert errors[1] == (
        "hnclip: 5 requests; the endpoint does not say how many tokens; 7 answers known from before"
    )
    nothing = serve(lambda _: failing(500))
    assert run(*http(nothing, *resume), records=dogs(12))[0] == whole
    assert nothing.requests == []


def test_answers_of_other_questions_are_not_taken(serve, tmp_path):
    server = serve(good)
    resume = http(server, "--resume", tmp_path / "answers.jsonl")
    for more in ((), ("--seed", 1), ("--generator-model", "m"), ("--kind", "negate"), ("-q",)):
        assert run(*resume, *more)[2] == 0
    assert len(server.requests) == 4


def count_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_wrong_key_stops_at_once_with_one_line(serve, policy):
    server = serve(lambda _: failing(401))
    args = ("--api-key-env", "OUR_KEY", "--on-error", policy, "--workers", 1)
    records, errors, code = run(*http(server, *args), records=dogs(50), OUR_KEY=KEY)
    assert (records, code, len(errors)) == ([], 1, 1)
    assert "401" in errors[0] and "--api-key-env" in errors[0] and KEY not in errors[0]
    assert len(server.requests) <= 2


def test_retries_are_seen_in_time_and_not_in_the_output(serve):
    server = serve(lambda handler: good(handler) if handler.number else failing(500))
    records, _, code = run(*http(server))
    assert (len(records[0]["negatives"]), code, len(server.requests)) == (2, 0, 2)


def test_requests_keep_to_the_rate(serve):
    server = serve(good)
    started = time.monotonic()
    run(*http(server, "--requests-per-minute", 240), records=dogs(5))
    assert time.monotonic() - started >= 1


def hang(handler):
    handler.server.over.wait(60)


def put_off(handler):
    return failing(429, Retry_After="50")


@pytest.mark.parametrize(
    ("signum", "code", "behavior"),
    [(signal.SIGINT, 130, hang), (signal.SIGTERM, 143, hang), (signal.SIGINT, 130, put_off)],
)
def test_a_signal_stops_at_once_although_the_server_does_not_answer(
    serve, signum, code, behavior, tmp_path
):
    server = serve(behavior)
    process = start(*http(server, "-o", tmp_path / "out.jsonl"))
    process.stdin.write(to_lines(*dogs(20)))
    process.stdin.flush()
    while len(server.requests) < (4 if behavior is hang else 1):
        time.sleep(0.01)
    process.send_signal(signum)
    assert process.wait(20) == code
    assert process.stderr.read() == b""
    assert os.listdir(tmp_path) == []
    process.communicate()


def test_a_closed_reader_ends_it_quietly(serve):
    process = start(*http(serve(good)))
    process.stdin.write(to_lines(DOG))
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    try:
        while process.poll() is None:
            process.stdin.write(to_lines(DOG))
            process.stdin.flush()
            time.sleep(0.01)
    except BrokenPipeError:
        pass
    assert process.wait(20) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_nobody_listening_is_said_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        args = ("--generator", "http", "--endpoint", url, "--retries", 0)
        records, errors, code = run(*args)
    assert (records, code, len(errors)) == ([], 1, 1)
    assert "-:1: no negatives from the endpoint: the connection failed" in errors[0]


def test_shards_joined_are_the_whole(serve, tmp_path):
    server = serve(good)
    whole, _, _ = run(*http(server), records=dogs(5))
    parts = [run(*http(server, "--shard", f"{i}/2"), records=dogs(5))[0] for i in (0, 1)]
    assert parts[0] + parts[1] == whole


def test_a_masked_model_replaces_words(masked_folder):
    records, errors, code = run(*mlm(masked_folder), records=[DOG, DOG | {"caption": "nothing"}])
    assert (errors, code) == ([], 0)
    (noun, color), nothing = (record.pop("negatives") for record in records)
    assert records == [DOG, DOG | {"caption": "nothing"}]
    assert (noun["kind"], color["kind"], nothing) == ("replace-noun", "replace-color", [])
    assert color["caption"].endswith(" dog sitting on a bench.")


def test_a_language_model_ranks_the_candidates(masked_folder):
    judge = ("--kind", "replace-verb", "--judge", masked_folder, "--device", "cpu")
    records, errors, code = run(*judge, records=[DOG] * 3)
    assert (code, errors) == (0, []) and len(records) == 3
    verb = [negative for negative in records[0]["negatives"] if negative["kind"] == "replace-verb"]
    assert verb[0]["caption"].split()[3] in ("standing", "lying", "walking")  # what it has read
    assert records == run(*judge, "--workers", 2, records=[DOG] * 3)[0]
    _, (error,), code = run("--judge", "no-such-model-of-ours")
    assert code == 1 and "no-such-model-of-ours: model cannot be loaded" in error


def test_bad_records_are_named_in_order_with_a_masked_model(masked_folder):
    records, errors, code = run(*mlm(masked_folder), records=[DOG, {"image": "x"}, DOG])
    assert (len(records), code) == (1, 1)
    assert errors == ['hnclip: -:2: missing field "caption"; got the fields image']


def usage(*args):
    result = CliRunner().invoke(cli, ["negatives", *map(str, args)], input="")
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--generator", "gpt"], "got 'gpt', expected one of lexicon, mlm, http, conme"),
        (["--generator", "mlm"], "needs --generator-model"),
        (["--generator", "http"], "needs --endpoint"),
        (["--generator", "http", "--endpoint", "x", "--kind", "shuffle-words"],
         "--generator http does not make shuffle-words"),
        (["--generator", "http", "--endpoint", "http://x", "--api-key-env", "NO_SUCH_VARIABLE"],
         "the environment has no NO_SUCH_VARIABLE"),
        (["--generator", "http", "--endpoint", "x", "--api-key-env", "sk-0123"],
         "the environment has no variable of this name"),
        (["--generator", "mlm", "--generator-model", "x", "--retries", "1"],
         "--retries does nothing"),
        (["--generator", "http", "--endpoint", "x", "--batch-size", "1"],
         "--batch-size does nothing"),
        (["--generator", "http", "--endpoint", "x", "--fitted", "y"], "--fitted does nothing"),
        (["--generator", "mlm", "--generator-model", "x", "--workers", "2"],
         "--workers does nothing"),
        (["--generator", "http", "--endpoint", "x", "--resume", "-", "-o", "y"],
         "--resume needs a file"),
        (["--generator", "http", "--endpoint", "x", "--resume", "y", "-o", "y"],
         "--resume and -o are the same file"),
        (["--generator", "http", "--endpoint", "x", "--price", "1"], "as in 0.15,0.60"),
        (["--generator", "http", "--endpoint", "x", "--price", "1,nan"], "as in 0.15,0.60"),
        (["--max-tokens", "9"], "--max-tokens does nothing with --generator lexicon"),
        (["--device", "cpu"], "--device does nothing without --judge or --generator mlm"),
        (["--judge", "x", "--generator", "mlm"], "--judge does nothing with --generator mlm"),
        (["--endpoint", "http://x"], "--endpoint does nothing with --generator lexicon"),
        (["--generator-model", "x"], "--generator-model does nothing with --generator lexicon"),
    ],
)  # fmt: skip
def test_wrong_usage_is_found_early(args, message):
    code, text = usage(*args)
    assert code == 2
    assert message in " ".join(text.split())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://user:hidden@host/v1"])
def test_a_bad_address_is_an_error_of_one_line(url):
    code, text = usage("--generator", "http", "--endpoint", url)
    assert (code, text.count("\n")) == (1, 1)
    assert "bad --endpoint" in text and "hidden" not in text


def test_a_file_of_something_else_is_not_resumed_from(serve, tmp_path):
    path = tmp_path / "captions.jsonl"
    path.write_bytes(to_lines(DOG))
    code, text = usage(*http(serve(good), "--resume", path))
    assert (code, text.count("\n")) == (1, 1)
    assert "captions.jsonl:1: not an answer of an earlier run" in text
    assert path.read_bytes() == to_lines(DOG)


def test_a_key_over_an_open_connection_is_pointed_out(monkeypatch):
    monkeypatch.setenv("OUR_KEY", KEY)
    args = [
        "--generator",
        "http",
        "--endpoint",
        "http://far.example/v1",
        "--api-key-env",
        "OUR_KEY",
    ]
    code, text = usage(*args)
    assert code == 0
    assert "travels unencrypted" in text and KEY not in text


def test_without_transformers_the_extra_is_named(masked_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    code, text = usage(*mlm(masked_folder))
    assert (code, text) == (
        1,
        "hnclip: transformers is not installed; try pip install 'hnclip[mlm]'\n",
    )


def test_a_model_that_is_not_there_is_not_fetched(tmp_path):
    code, text = usage(*mlm(tmp_path / "none"))
    assert code == 1
    assert "none: model cannot be loaded" in text and text.count("\n") == 1


def test_an_endpoint_that_writes_nothing_is_no_error(serve):
    records, _, code = run(*http(serve(lambda _: written())))
    assert (records, code) == ([DOG | {"negatives": []}], 0)
