"""hnclip fit, and what negatives --fitted makes of it."""

import io
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
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
    return CliRunner().invoke(cli, [*map(str, args)], input=io.BytesIO(stdin))


@pytest.fixture
def fitted(tmp_path):
    path = tmp_path / "fitted.json"
    assert run("fit", "-o", path, stdin=to_lines(*CAPTIONS)).exit_code == 0
    return path


@pytest.mark.usefixtures("parser")
def test_a_model_is_fitted_saved_and_used(fitted):
    def said(*flags):
        args = ("negatives", *flags, "--kind", "replace-color")
        result = run(*args, stdin=to_lines(*CAPTIONS))
        assert (result.exit_code, result.stderr) == (0, "")
        records = parse_lines(result.stdout_bytes)
        assert [record["id"] for record in records] == [record["id"] for record in CAPTIONS]
        return [edit[2] for record in records for n in record["negatives"] for edit in n["edits"]]

    assert said("--fitted", fitted) == said("--fitted", fitted) != said()


def test_fitting_writes_the_model_and_nothing_else(tmp_path):
    result = run("fit", "-o", tmp_path / "fitted.json", stdin=to_lines(*CAPTIONS))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    shuffled = run("fit", stdin=to_lines(*CAPTIONS[::-1]))
    assert shuffled.stdout_bytes == (tmp_path / "fitted.json").read_bytes()


def test_a_model_of_nothing_is_not_written(tmp_path):
    result = run("fit", "-o", tmp_path / "fitted.json")
    assert result.exit_code == 1
    assert "no captions to fit a model from" in result.stderr
    assert not (tmp_path / "fitted.json").exists()


def test_bad_records_are_skipped_on_demand():
    bad = {"caption": 3, "negatives": []}
    result = run("fit", "--on-error", "skip", stdin=to_lines(bad, *CAPTIONS))
    assert result.exit_code == 3
    assert result.stdout_bytes == run("fit", stdin=to_lines(*CAPTIONS)).stdout_bytes


def test_what_is_no_fitted_model_is_named(tmp_path):
    path = tmp_path / "fitted.json"
    path.write_text("{}")
    result = run("negatives", "--fitted", path, stdin=to_lines(*CAPTIONS))
    assert result.exit_code == 1
    assert f"{path}: not a fitted model" in result.stderr
    assert "hnclip fit" in result.stderr


@pytest.mark.usefixtures("parser")
def test_with_a_model_a_line_in_gives_its_line_out_before_the_end_of_input(fitted):
    process = subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", "negatives", "--fitted", fitted],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    os.write(process.stdin.fileno(), to_lines(CAPTIONS[0]))
    assert b"negatives" in process.stdout.readline()
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


@pytest.mark.usefixtures("parser")
def test_the_whole_chain_runs_in_real_processes(tmp_path):
    captions = to_lines(*CAPTIONS)
    fitted = tmp_path / "fitted.json"
    assert run_hnclip("fit", "-o", fitted, stdin=captions).returncode == 0
    made = run_hnclip("negatives", "--fitted", fitted, stdin=captions).stdout
    refined = run_hnclip("refine", stdin=made)
    assert refined.returncode == 0
    assert refined.stdout.count(b"\n") == len(CAPTIONS)
    assert b"hnclip: refine: kept" in refined.stderr
