"""hnclip compare, as it is typed."""

import csv
import io
import itertools
import random
import re

import numpy as np
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
    head, *lines = (two_models / "table.txt").read_text().splitlines()
    assert [part.rpartition("/")[2] for part in head.split()] == ["a.jsonl", "b.jsonl", "a.jsonl"]
    assert next(line.split() for line in lines if "item accuracy" in line) == [
        "item", "accuracy", "50.0", "[100.0]", "50.0",
    ]  # fmt: skip
    numbers = orjson.loads(run(a, b, a).stdout)["numbers"]
    assert [model.get("difference") for model in numbers[0]["models"]] == [None, 0.5, 0.0]


@pytest.fixture
def five_models(tmp_path):
    """Five models of two seeds each, on items of two benchmarks."""
    for name, seed in itertools.product(["clip", "neg&clip", "ce_clip", "a%", "b#"], (0, 1)):
        rng = random.Random(f"{name} {seed}")
        items = [
            item(rng.random(), rng.random(), id=f"{i}", image=f"{i // 2}.jpg", subset=f"s{i % 3}",
                 benchmark=("sugarcrepe", "valse")[i % 2])
            for i in range(60)
        ]  # fmt: skip
        (tmp_path / f"{name}-s{seed}.jsonl").write_bytes(to_lines(*items))
    return sorted(tmp_path.glob("*.jsonl"))


def cells_of(text, split, start=1):
    """The values of each model, of each row with figures."""
    rows = [split(line) for line in text.splitlines()]
    found = [[re.findall(r"\d+\.\d", cell) for cell in row[start:]] for row in rows]
    return [[cell[0] for cell in row] for row in found if len(row) == 5 and all(row)]


def test_one_table_in_six_formats_says_what_eval_says(five_models):
    def made(kind, *more):
        result = run(*five_models, "--group-by", "(.+)-s[0-9]", "--format", kind, *more)
        assert result.exit_code == 0, result.output
        return result.stdout

    report = orjson.loads(made("json"))
    assert [model["name"] for model in report["models"]] == [
        "a%", "b#", "ce_clip", "clip", "neg&clip",
    ]  # fmt: skip
    evals = [orjson.loads(run_eval(path)) for path in five_models]
    expected = []
    for number in report["numbers"]:
        values = [entry_of(one, number["key"])["value"] for one in evals]
        seeds = list(zip(values[::2], values[1::2], strict=True))
        assert [tuple(model["values"]) for model in number["models"]] == seeds
        expected.append([f"{100 * np.mean(pair):.1f}" for pair in seeds])
        for pair, model in zip(seeds, number["models"], strict=True):
            assert model["deviation"] == pytest.approx(abs(pair[0] - pair[1]) / 2**0.5)
    assert "sugarcrepe.s0.accuracy" in {number["key"] for number in report["numbers"]}
    cut = re.compile(r"  +").split
    assert cells_of(made("table"), lambda line: cut(line.strip())) == expected
    assert cells_of(made("markdown"), lambda line: line.strip("| ").split(" | ")) == expected
    latex = made("latex")
    assert cells_of(latex, lambda line: line.split(" & ")) == expected
    assert r" & a\% & b\# & ce\_clip & clip & neg\&clip \\" in latex
    assert cells_of(made("html"), lambda line: line.split("</td>")[:-1], 0) == expected
    read = list(csv.DictReader(io.StringIO(made("csv"))))
    assert [[f"{float(row[model['name']]):.1f}" for model in report["models"]] for row in read] == (
        expected
    )
    by_model = list(csv.reader(io.StringIO(made("csv", "--transpose"))))
    assert next(zip(*by_model, strict=True)) == tuple(read[0])


def run_eval(path):
    return CliRunner().invoke(cli, ["eval", "--bootstrap", "0", str(path)]).stdout


def entry_of(report, key):
    """The number of a report that has this key."""
    for of in report.values():
        if isinstance(of, dict):
            if of.get("key") == key:
                return of
            if found := entry_of(of, key):
                return found
    return None


def test_reports_give_the_same_numbers_and_no_significance(five_models, tmp_path):
    reports = []
    for path in five_models[::2]:
        reports.append(path.with_suffix(".json"))
        reports[-1].write_text(run_eval(path))
    means = []
    for files in (five_models[::2], reports, [five_models[0], *reports[1:]]):
        table = orjson.loads(run(*files).stdout)
        means.append({n["key"]: [model["mean"] for model in n["models"]] for n in table["numbers"]})
        assert table["is_paired"] == (files == five_models[::2])
    assert means[0] == means[1] == means[2]
    text = run(*reports, "--format", "table").stdout
    assert "reports carry no items" in text and "*:" not in text


def test_keys_choose_numbers_and_names_are_ones_own(five_models):
    names = [word for name in "vwxyz" for word in ("--name", name)]
    made = run(*five_models[::2], *names, "--only", "*.s1.accuracy", "--transpose",
               "--format", "table")  # fmt: skip
    head, *lines = made.stdout.splitlines()
    assert head.split() == ["sugarcrepe.s1.accuracy", "valse.s1.accuracy"]
    assert [line.split()[0] for line in lines[:5]] == list("vwxyz")
    none = run(*five_models[:2], "--only", "nonsense")
    assert (none.exit_code, none.stderr.count("\n")) == (1, 1)
    assert "no number to show; got --only nonsense" in none.stderr


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
        ["a.jsonl", "b.jsonl", "--name", "one"],
        ["a.jsonl", "b.jsonl", "--group-by", "no group"],
        ["a.jsonl", "b.jsonl", "--group-by", "(broken"],
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
