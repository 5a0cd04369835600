import io
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from hnclip_cli.errors import HnclipError
from hnclip_cli.language.caption import TAGS
from hnclip_cli.language.parser import Parser
from hnclip_cli.negatives.kinds.registry import KINDS
from tests.conftest import environment, parse_lines, to_lines


@pytest.fixture(scope="module", autouse=True)
def pipeline():
    try:
        Parser(TAGS)
    except HnclipError as error:
        pytest.skip(str(error))


def run(*args, stdin=b""):
    return CliRunner().invoke(cli, ["negatives", *map(str, args)], input=io.BytesIO(stdin))


CAR = {"id": "7", "caption": "A red car behind a blue bus.", "negatives": "old", "extra": [1]}


def test_negatives_are_put_in_place_and_the_rest_passes_through():
    result = run("--kind", "swap-adjective", stdin=to_lines(CAR))
    assert (result.exit_code, result.stderr) == (0, "")
    assert parse_lines(result.stdout_bytes) == [
        {
            "id": "7",
            "caption": "A red car behind a blue bus.",
            "negatives": [
                {
                    "caption": "A blue car behind a red bus.",
                    "kind": "swap-adjective",
                    "edits": [[2, 5, "blue"], [19, 23, "red"]],
                }
            ],
            "extra": [1],
        }
    ]
    assert list(parse_lines(result.stdout_bytes)[0]) == list(CAR)


def test_kinds_and_number_are_chosen():
    args = ("--kind", "replace-color", "--kind", "flip-relation", "--per-caption", 3)
    (record,) = parse_lines(run(*args, stdin=to_lines(CAR)).stdout_bytes)
    kinds = [negative["kind"] for negative in record["negatives"]]
    assert kinds == ["replace-color", "replace-color", "flip-relation"]


def test_nothing_in_nothing_out():
    result = run()
    assert (result.exit_code, result.stdout) == (0, "")


def test_true_captions_are_read_from_their_own_file(tmp_path):
    truth = tmp_path / "true.jsonl"
    truth.write_bytes(to_lines({"group": "1", "caption": "a red car in front of a blue bus"}))
    record = {"group": "1", "caption": "a red car behind a blue bus"}
    args = ("--kind", "flip-relation")
    (free,) = parse_lines(run(*args, stdin=to_lines(record)).stdout_bytes)
    (held,) = parse_lines(run(*args, "--true-captions", truth, stdin=to_lines(record)).stdout_bytes)
    assert (len(free["negatives"]), held["negatives"]) == (1, [])


def test_what_comes_before_a_bad_record_is_written():
    result = run(stdin=to_lines(CAR, {"image": "x"}, CAR))
    assert result.exit_code == 1
    assert len(parse_lines(result.stdout_bytes)) == 1
    assert result.stderr == 'hnclip: -:2: missing field "caption"; got the fields image\n'


def test_bad_records_are_skipped_on_demand():
    result = run("--on-error", "skip", stdin=to_lines(CAR, {"caption": 3}, CAR))
    assert result.exit_code == 3
    assert len(parse_lines(result.stdout_bytes)) == 2
    assert "skipped 1 bad record" in result.stderr


def test_shards_joined_are_the_whole():
    records = to_lines(*({"caption": f"{n} red cats on a bed"} for n in range(7)))
    parts = [run("--shard", f"{index}/3", stdin=records).stdout for index in range(3)]
    assert "".join(parts) == run(stdin=records).stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--kind", "swap-nose"), "expected one of swap-noun, swap-adjective"),
        (("--per-caption", 0), "0 is not in the range"),
        (("x.jsonl", "--true-captions", "-"), "name a file, not -"),
        (("x.jsonl", "--fitted", "-"), "name a file, not -"),
    ],
)
def test_wrong_usage_is_found_early(args, message):
    result = run(*args)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_file_of_true_captions_is_named(tmp_path):
    result = run("--true-captions", tmp_path / "none.jsonl")
    assert result.exit_code == 1
    assert "none.jsonl: cannot read it" in result.stderr


def test_the_help_lists_every_kind_without_loading_spacy():
    result = run("--help")
    assert all(kind in result.stdout for kind in KINDS)
    code = (
        "import sys; from click.testing import CliRunner; from hnclip_cli.cli import cli;"
        "CliRunner().invoke(cli, ['negatives', '--help']);"
        "print({'spacy', 'numpy', 'orjson', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment())
    assert done.stdout == b"set()\n"


def test_a_line_in_gives_its_line_out_before_the_end_of_input():
    process = subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", "negatives"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    os.write(process.stdin.fileno(), to_lines(CAR))
    assert b"negatives" in process.stdout.readline()
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


def test_fields_of_another_name_are_named_by_flags(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(
        to_lines(
            {"photo": "1.png", "text": "A red car is behind a blue bus."},
            {"photo": "1.png", "text": "A blue car is behind a red bus."},
        )
    )
    flags = ["--caption-key", "text", "--image-key", "photo", "--kind", "swap-adjective"]
    made = parse_lines(run(*flags, str(path)).stdout_bytes)
    assert made[0]["caption"] == made[0]["text"] and made[0]["image"] == "1.png"
    assert [n["caption"] for n in made[0]["negatives"]] == ["A blue car is behind a red bus."]
    known = parse_lines(run(*flags, "--true-captions", str(path), str(path)).stdout_bytes)
    assert known[0]["negatives"] == []
    said = run(str(path)).stderr
    assert "try --caption-key NAME, or hnclip data captions" in said
