"""--fit-slots, --slots and --refine: the side of hnclip negatives that never sees an image."""

import io
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hnclip_cli import console
from hnclip_cli.cli import cli
from hnclip_cli.errors import HnclipError
from hnclip_cli.language.caption import PHRASES
from hnclip_cli.language.parser import Parser
from tests.conftest import environment, parse_lines, run_hnclip, to_lines

CAPTIONS = [
    {"id": str(number), "caption": caption}
    for number, caption in enumerate(
        [
            "A brown horse stands in a field.",
            "A brown cow stands in a field.",
            "A white horse stands near a red barn.",
            "A black dog sits on a red couch.",
            "Two black cats sit on a blue couch.",
        ]
        * 4
    )
]


def run(*args, stdin=b""):
    return CliRunner().invoke(cli, ["negatives", *map(str, args)], input=io.BytesIO(stdin))


@pytest.fixture(scope="module", autouse=True)
def pipeline():
    try:
        Parser(PHRASES)
    except HnclipError as error:
        pytest.skip(str(error))


@pytest.fixture
def slots(tmp_path):
    path = tmp_path / "slots.json"
    assert run("--fit-slots", path, stdin=to_lines(*CAPTIONS)).exit_code == 0
    return path


def refinable():
    for number in range(40):
        color, other = ("red", "blue") if number % 2 else ("blue", "red")
        negatives = [
            {"caption": f"a {other} bus", "kind": "replace-color", "edits": []},
            {"caption": f"bus a {color}", "kind": "shuffle-words", "edits": []},
        ]
        yield {"id": str(number), "caption": f"a {color} bus", "negatives": negatives, "x": number}


def test_slots_are_fitted_saved_and_used(slots):
    def said(*flags):
        result = run(*flags, "--kind", "replace-color", stdin=to_lines(*CAPTIONS))
        assert (result.exit_code, result.stderr) == (0, "")
        records = parse_lines(result.stdout_bytes)
        assert [record["id"] for record in records] == [record["id"] for record in CAPTIONS]
        return [edit[2] for record in records for n in record["negatives"] for edit in n["edits"]]

    assert said("--slots", slots) == said("--slots", slots) != said()


def test_fitting_writes_the_model_and_nothing_else(tmp_path):
    result = run("--fit-slots", tmp_path / "slots.json", stdin=to_lines(*CAPTIONS))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    shuffled = run("--fit-slots", "-", stdin=to_lines(*CAPTIONS[::-1]))
    assert shuffled.stdout_bytes == (tmp_path / "slots.json").read_bytes()


def test_a_slot_model_of_nothing_is_not_written(tmp_path):
    result = run("--fit-slots", tmp_path / "slots.json")
    assert result.exit_code == 1
    assert "no captions to fit slots from" in result.stderr
    assert not (tmp_path / "slots.json").exists()


def test_what_is_no_slot_model_is_named(tmp_path):
    path = tmp_path / "slots.json"
    path.write_text("{}")
    result = run("--slots", path, stdin=to_lines(*CAPTIONS))
    assert result.exit_code == 1
    assert f"{path}: not a slot model" in result.stderr
    assert "--fit-slots" in result.stderr


def test_with_slots_a_line_in_gives_its_line_out_before_the_end_of_input(slots):
    process = subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", "negatives", "--slots", slots],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    os.write(process.stdin.fileno(), to_lines(CAPTIONS[0]))
    assert b"negatives" in process.stdout.readline()
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


def test_refine_drops_what_the_text_gives_away_and_says_what_it_kept(monkeypatch):
    monkeypatch.setattr(console, "verbosity", 1)  # -q would outlast this test
    records = list(refinable())
    result = run("--refine", stdin=to_lines(*records))
    assert result.exit_code == 0
    refined = parse_lines(result.stdout_bytes)
    assert [{**r, "negatives": []} for r in refined] == [{**r, "negatives": []} for r in records]
    kinds = [negative["kind"] for record in refined for negative in record["negatives"]]
    assert set(kinds) == {"replace-color"}
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"hnclip: refine: kept {len(kinds)} of 80 negatives")
    assert "hnclip: shuffle-words: kept 0 of 40 negatives (0%)" in lines
    assert run("--refine", "-q", stdin=to_lines(*records)).stderr == ""


def test_refine_of_nothing_is_nothing():
    result = run("--refine")
    assert (result.exit_code, result.stdout) == (0, "")


def test_refine_tells_who_forgot_to_make_negatives():
    result = run("--refine", stdin=to_lines(*CAPTIONS))
    assert (result.exit_code, result.stdout) == (1, "")
    assert '-:1: missing field "negatives"' in result.stderr
    assert "without --refine first" in result.stderr


def test_bad_records_are_skipped_on_demand(tmp_path):
    bad = {"caption": 3, "negatives": []}
    result = run("--refine", "--on-error", "skip", stdin=to_lines(bad, *refinable()))
    assert result.exit_code == 3
    assert len(parse_lines(result.stdout_bytes)) == 40
    fitted = run("--fit-slots", "-", "--on-error", "skip", stdin=to_lines(bad, *CAPTIONS))
    assert fitted.exit_code == 3
    assert fitted.stdout_bytes == run("--fit-slots", "-", stdin=to_lines(*CAPTIONS)).stdout_bytes


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--refine", "--kind", "swap-noun"), "--kind does nothing with --refine"),
        (("--refine", "--slots", "x"), "--slots does nothing with --refine"),
        (("--refine", "--shard", "0/2"), "--shard does nothing with --refine"),
        (("--refine", "--fit-slots", "x"), "--refine does nothing with --fit-slots"),
        (("--fit-slots", "x", "-o", "y"), "--output does nothing with --fit-slots"),
        (("--slots", "-"), "name a file, not -"),
    ],
)
def test_wrong_usage_is_found_early(args, message):
    result = run(*args)
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_whole_chain_runs_in_real_processes(tmp_path):
    captions = to_lines(*CAPTIONS)
    slots = tmp_path / "slots.json"
    assert run_hnclip("negatives", "--fit-slots", slots, stdin=captions).returncode == 0
    made = run_hnclip("negatives", "--slots", slots, stdin=captions).stdout
    refined = run_hnclip("negatives", "--refine", stdin=made)
    assert refined.returncode == 0
    assert refined.stdout.count(b"\n") == len(CAPTIONS)
    assert b"hnclip: refine: kept" in refined.stderr
