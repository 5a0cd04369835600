"""hnclip compare, as it is typed."""

import orjson
import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.commands.test_eval import item
from tests.conftest import run_hnclip, to_lines


def run(*args):
    return CliRunner().invoke(cli, ["compare", *map(str, args)])


@pytest.fixture
def two_models(tmp_path):
    """Scores of the same items: model B gains one, loses none."""
    for name, scores in (("a", [(1, 0), (0, 1)]), ("b", [(1, 0), (2, 1)])):
        items = [item(*pair, id=f"r{i}", image=f"{i}.jpg") for i, pair in enumerate(scores)]
        (tmp_path / f"{name}.jsonl").write_bytes(to_lines(*items))
    return tmp_path


def test_two_models_are_compared(two_models):
    a, b = two_models / "a.jsonl", two_models / "b.jsonl"
    report = orjson.loads(run(a, b).stdout)
    assert report["accuracy"]["item"]["difference"] == 0.5
    assert report["flipped"]["item"] == {"gained": ["r1"], "lost": []}
    table = run(a, b, "--format", "table").stdout
    assert (
        "  item accuracy               50.0  100.0  +50.0   +0.0 – +100.0       1      0" in table
    )
    assert "item accuracy, 1 gained: r1\n" in table


def test_one_of_two_models_can_come_through_a_pipe(two_models):
    stdin = (two_models / "b.jsonl").read_bytes()
    result = run_hnclip("compare", two_models / "a.jsonl", "-", stdin=stdin)
    assert (result.returncode, result.stderr) == (0, b"")
    assert orjson.loads(result.stdout)["b"] == "-"


def test_three_models_come_in_one_table(two_models):
    a, b = two_models / "a.jsonl", two_models / "b.jsonl"
    table = run(a, b, a, "--format", "table", "-o", two_models / "table.txt")
    assert (table.exit_code, table.output) == (0, "")
    text = (two_models / "table.txt").read_text()
    assert "  item accuracy               50.0  +50.0    +0.0\n" in text
    assert orjson.loads(run(a, b, a).stdout)["accuracy"]["item"]["differences"] == {
        "b": 0.5, "c": 0.0,
    }  # fmt: skip


def test_a_page_of_two_models_shows_what_flipped(two_models):
    result = run(two_models / "a.jsonl", two_models / "b.jsonl", "--html", two_models / "x.html")
    assert result.exit_code == 0
    assert result.stderr.startswith("hnclip: 1 picture left out: ")
    assert "1 of 1 items judged differently" in (two_models / "x.html").read_text()


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["a.jsonl"],
        ["-", "-"],
        ["a.jsonl", "-", "--html", "x.html"],
        ["a.jsonl", "b.jsonl", "c.jsonl", "--html", "x.html"],
        ["a.jsonl", "b.jsonl", "--html", "-"],
        ["a.jsonl", "b.jsonl", "--html", "x", "-o", "x"],
    ],
)
def test_wrong_usage_exits_with_2(args):
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")


def test_bad_records_of_either_file_can_be_skipped(two_models):
    a, b = two_models / "a.jsonl", two_models / "b.jsonl"
    b.write_bytes(b.read_bytes() + b"broken\n")
    failed = run(a, b)
    assert (failed.exit_code, failed.stderr.count("\n")) == (1, 1)
    skipped = run(a, b, "--on-error", "skip")
    assert (skipped.exit_code, orjson.loads(skipped.stdout)["skipped"]) == (3, 1)
