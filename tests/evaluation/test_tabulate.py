"""The table of several models against plain loops."""

import numpy as np
import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.evaluation.compare import compare
from hnclip_cli.evaluation.layouts import LAYOUTS, layout
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.evaluation.tabulate import tabulate
from tests.evaluation.test_compare import compare_records, model


def item_accuracy(table):
    return next(n for n in table["numbers"] if n["key"] == "all.accuracy")["models"]


def rights(rng, share, count=80):
    return (rng.random(count) < share).astype(int)


def test_each_is_compared_with_the_first_as_if_they_were_two():
    runs = [model(of) for of in ([1, 1, 0, 0, 0], [1, 0, 1, 1, 0], [1, 1, 1, 1, 1])]
    first, *others = item_accuracy(compare_records(*runs))
    assert first == {"mean": 0.4, "deviation": None, "values": [0.4]}
    for found, other in zip(others, runs[1:], strict=True):
        alone = compare_records(runs[0], other)["accuracy"]["item"]
        assert (found["mean"], found["difference"]) == (alone["b"], alone["difference"])
        assert found["interval"] == pytest.approx(alone["interval"])


def test_seeds_of_a_model_count_as_their_mean():
    rng = np.random.default_rng(0)
    a, b = ([rights(rng, share) for _ in range(3)] for share in (0.4, 0.6))
    table = tabulate(
        [model(of) for of in (a[0], b[0], *a[1:], *b[1:])], models=list("abaabb"), rounds=4000
    )
    assert [found["name"] for found in table["models"]] == ["a", "b"]
    _, second = item_accuracy(table)
    means = [of.mean() for of in b]
    assert second["values"] == means
    assert (second["mean"], second["deviation"]) == pytest.approx(
        (np.mean(means), np.std(means, ddof=1))
    )
    change = np.mean(b, axis=0) - np.mean(a, axis=0)
    draws = [change[rng.integers(80, size=80)].mean() for _ in range(4000)]
    assert second["difference"] == pytest.approx(change.mean())
    assert second["interval"] == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.02)
    assert second["p"] == pytest.approx(2 * np.mean(np.array(draws) <= 0), abs=0.02)


def test_a_star_needs_a_difference_that_holm_leaves_clear():
    rng = np.random.default_rng(1)
    base = rights(rng, 0.5, 200)
    better = np.maximum(base, rights(rng, 0.5, 200))
    table = tabulate([model(base), model(better), model(base)], rounds=200)
    _, second, third = item_accuracy(table)
    assert (second["is_significant"], third["is_significant"]) == (True, False)
    assert (second["p"], second["p_holm"]) == (2 / 201, 4 / 201)
    assert (third["p"], third["interval"]) == (1.0, [0.0, 0.0])


def test_the_records_that_all_have_count():
    runs = [model([1, 0, 1, 0])[first:] for first in (0, 1, 2)]
    table = compare_records(*runs)
    assert table["records"] == 2
    assert [(of["file"], of["ids"]) for of in table["unpaired"]] == [
        ("a.jsonl", ["r0", "r1"]), ("b.jsonl", ["r1"]),
    ]  # fmt: skip
    with pytest.raises(HnclipError, match="got 0 records in all, 1 and 1 and 0 in some"):
        compare_records(model([1]), model([1]), [])


def test_reports_of_other_benchmarks_leave_gaps():
    one = evaluate(model([1, 0], benchmark="sugarcrepe", subset="swap_obj"), rounds=0)
    other = evaluate(model([1, 1], benchmark="valse", subset="plurals"), rounds=0)
    table = tabulate([one, other])
    means = {n["key"]: [found["mean"] for found in n["models"]] for n in table["numbers"]}
    assert means["all.accuracy"] == [0.5, 1.0]
    assert means["sugarcrepe.swap_obj.accuracy"] == [0.5, None]
    assert means["valse.plurals.accuracy"] == [None, 1.0]
    assert not table["is_paired"] and table["same_items"]  # of the same images and captions
    assert "–" in LAYOUTS["table"](table, False)


@pytest.mark.parametrize("runs", [[], [model([1])], [model([1])] * 2])
def test_less_than_two_models_are_no_comparison(runs):
    with pytest.raises(HnclipError, match="nothing to compare with"):
        tabulate(runs, models=["a"] * len(runs))
    if len(runs) < 2:
        with pytest.raises(HnclipError, match="nothing to compare with"):
            compare(runs)


def test_the_best_are_those_that_look_so_and_none_where_all_do():
    table = tabulate([model([1, 0]), model([1, 1]), model([1, 1])], rounds=0)
    line = next(line for line in layout(table)[1] if line.name == "item accuracy")
    assert [cell.is_best for cell in line.cells] == [False, True, True]
    table = tabulate([model([1, 0]), model([1, 0])], rounds=0)
    assert not any(cell.is_best for line in layout(table)[1] for cell in line.cells)


HOSTILE = "<script>|*&%$#_{}~^\\\n\x1b"


@pytest.mark.parametrize("name", LAYOUTS)
def test_names_are_written_as_they_are_whatever_they_hold(name):
    runs = [model([1, 0], subset=HOSTILE), model([1, 1], subset=HOSTILE)]
    text = LAYOUTS[name](tabulate(runs, names=[HOSTILE, "=2+2"], rounds=0), False)
    assert "\x1b" not in text.replace("'", "") or name == "csv"
    if name == "html":
        assert "<script>" not in text and "&lt;script&gt;" in text
    if name == "latex":
        escaped = r"\textless{}script\textgreater{}\textbar{}*\&\%\$\#\_\{\}\textasciitilde{}"
        assert escaped + r"\textasciicircum{}\textbackslash{}" in text
    if name == "markdown":
        assert r"\<script\>\|\*&%$#\_" in text
    if name == "csv":
        assert "'=2+2" in text
