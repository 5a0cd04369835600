"""Every command meets every kind of bad line: one line of error with its place, or a count."""

import numpy as np
import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import parse_lines, to_lines
from tests.factories import make_records

pytestmark = pytest.mark.long
BAD_LINES = {
    "broken JSON": (b'{"caption": "a cat"', "broken JSON"),
    "no object": (b'["a cat"]', "not a record"),
    "invalid UTF-8": (b'{"caption": "caf\xe9"}', "invalid UTF-8"),
    "missing field": (b'{"note": 1}', "missing field"),
    "wrong type": (b'{"image": "0.png", "caption": 5, "scores": "x"}', "wrong type"),
    "empty caption": (b'{"image": "0.png", "caption": " ", "scores": [[1]]}', '"caption" is empty'),
    "missing image": (b'{"image": "none.png", "caption": "a cat"}', "image not found"),
    "corrupt image": (b'{"image": "bad.png", "caption": "a cat"}', "cannot be decoded"),
    "bad negatives": (
        b'{"image": "0.png", "caption": "a cat", "negatives": [{"caption": 1}], "scores": [[1]]}',
        "negatives[0] has no caption",
    ),
}
ALL = set(BAD_LINES)
TEXT_ONLY = ALL - {"missing image", "corrupt image"}
# Without a note on what it lacks.
PLAIN = ["--objective", "ce-clip"]
COMMANDS = {
    "negatives": (["negatives", "--kind", "replace-color"], TEXT_ONLY - {"bad negatives"}),
    "embed image": (["embed", "--of", "image", "--model", "RUN", "-o", "OUT"],
                    ALL - {"wrong type", "empty caption", "bad negatives"}),
    "embed caption": (["embed", "--of", "caption", "--model", "RUN", "-o", "OUT"],
                      TEXT_ONLY - {"bad negatives"}),
    "embed negatives": (["embed", "--of", "negatives", "--model", "RUN", "-o", "OUT"],
                        {"broken JSON", "no object", "invalid UTF-8", "bad negatives"}),
    "score": (["score", "--model", "RUN", "--workers", "0", "-o", "OUT"], ALL),
    "train": (["train", "--model", "hnclip-tiny", "--steps", "1", "--batch-size", "4", *PLAIN,
               "--lock", "text", "--workers", "0", "-o", "OUT"], ALL),
    "eval": (["eval", "-o", "OUT"], TEXT_ONLY - {"wrong type", "empty caption"}),
}  # fmt: skip
CASES = [(command, bad) for command, (_, bads) in COMMANDS.items() for bad in sorted(bads)]


@pytest.fixture
def good_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = [record | {"scores": [[0.3, 0.1, 0.2]]} for record in make_records(tmp_path, 4)]
    (tmp_path / "bad.png").write_bytes(b"no image")
    return to_lines(*records).splitlines(keepends=True)


def run(command, tiny_run, data, *more):
    arguments = [tiny_run if word == "RUN" else word for word in COMMANDS[command][0]]
    return CliRunner().invoke(cli, [*arguments, *more], input=data)


@pytest.mark.parametrize(("command", "bad"), CASES)
def test_a_bad_line_is_named_with_its_place(good_lines, tmp_path, tiny_run, command, bad):
    line, message = BAD_LINES[bad]
    data = good_lines[0] + b"\n" + line + b"\n" + b"".join(good_lines[1:])
    before = set(tmp_path.iterdir())

    result = run(command, tiny_run, data)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("hnclip: -:3: ")
    assert message in result.stderr
    assert set(tmp_path.iterdir()) == before, "something half-written was left behind"

    result = run(command, tiny_run, data, "--on-error", "skip")
    assert result.exit_code == 3, result.stderr
    assert "hnclip: skipped: -:3: " in result.stderr and message in result.stderr
    assert result.stderr.splitlines()[-1] == "hnclip: skipped 1 bad record"
    if command == "negatives":
        assert len(parse_lines(result.stdout_bytes)) == 4
    else:
        assert (tmp_path / "OUT").exists()


@pytest.mark.parametrize(
    ("command", "bad", "message"),
    [
        (["train", "--model", "hnclip-tiny", "--steps", "1", "--batch-size", "4", "--lock", "text",
          "--workers", "0", "-o", "run"], {"group": 5}, '"group" has the wrong type'),
        (["mine", "e.npy", "-k", "1"], {"images": ["a"]}, "one image and one caption"),
        (["compare", "good.jsonl", "-", "--bootstrap", "5"], {"caption": "b"}, "not the same item"),
        (["compare", "good.jsonl", "in.jsonl", "--bootstrap", "5", "--html", "page"], {"id": 5},
         '"id" has the wrong type'),
    ],
)  # fmt: skip
def test_a_record_that_only_one_command_finds_bad_is_skipped_too(
    good_lines, tmp_path, command, bad, message
):
    np.save(tmp_path / "e.npy", np.eye(5, dtype=np.float32))
    (tmp_path / "good.jsonl").write_bytes(b"".join(good_lines))
    line = to_lines(parse_lines(good_lines[1])[0] | bad)
    data = good_lines[0] + line + b"".join(good_lines[1:])
    if command[0] == "compare":
        data = good_lines[0] + line + b"".join(good_lines[2:])
    (tmp_path / "in.jsonl").write_bytes(data)
    result = CliRunner().invoke(cli, command, input=data)
    assert result.exit_code == 1 and message in result.stderr
    result = CliRunner().invoke(cli, [*command, "--on-error", "skip"], input=data)
    assert result.exit_code == 3, result.stderr
    assert message in result.stderr and "hnclip: skipped 1 bad record" in result.stderr
