"""An objective of a plug-in, trained by the command."""

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from hnclip_cli.plugins import VARIABLE
from tests.conftest import parse_lines, to_lines
from tests.factories import make_records

PLUGIN = """
from hnclip_cli.training.objectives.rows import masked_mean

def margin(view):
    return masked_mean((1 - view.gaps).relu(), view.negatives.mask, view.ranks)

OBJECTIVES = {"with-margin": {"contrastive": 1, margin: 0.5}, "margin": margin,
              "unknown": {"contrast": 1}, "text": {"imc": "much"}}
"""
COMMAND = ["train", "--plugin", "p.py", "--model", "hnclip-tiny", "--batch-size", "3"]
COMMAND += ["--steps", "1", "--overwrite", "-o", "run", "r.jsonl", "--objective"]


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / "p.py").write_text(PLUGIN)
    (tmp_path / "r.jsonl").write_bytes(to_lines(*make_records(tmp_path)))
    return lambda objective: CliRunner().invoke(cli, [*COMMAND, objective])


def test_it_is_a_mapping_or_a_function(train):
    (said,) = parse_lines(train("with-margin").stdout_bytes)
    assert said["loss"] == pytest.approx(said["contrastive"] + 0.5 * said["margin"], rel=1e-6)
    (said,) = parse_lines(train("margin").stdout_bytes)
    assert said["loss"] == pytest.approx(said["margin"], rel=1e-6)


@pytest.mark.parametrize(
    ("objective", "message"),
    [("unknown", "no such term; got 'contrast'"), ("text", "'imc' has a bad weight; got 'much'")],
)
def test_what_is_wrong_with_it_is_one_line(train, objective, message):
    result = train(objective)
    assert result.exit_code == 1 and message in result.stderr
    assert result.stderr.count("\n") == 1
