"""The table that people read."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.evaluation.table import (
    _fit,
    format_comparison,
    format_table,
)

SETTINGS = {
    "bootstrap": {"rounds": 1000, "level": 0.95, "seed": 0, "resampled": "image groups"},
    "ties": {"counted_as": "wrong", "near_within": 0.0001},
}


def entry(value=0.5, interval=(0.25, 0.75), n=10, ties=0, near=0):
    return {
        "value": value,
        "interval": list(interval) if interval else None,
        "n": n,
        "num_groups": n,
        "num_ties": ties,
        "num_near_ties": near,
    }


def report(**sections):
    return {"records": 10, "skipped": 0, "unmeasured": 0, **sections, **SETTINGS}


def test_the_whole_table():
    pair = entry(0.741117, (0.652, 0.8217), 1234567, 12, 3)
    item = entry(1.0, None, 1)
    average = {
        "micro": {"value": 0.5, "interval": [0.0, 1.0], "n": 4},
        "macro over subsets": {"value": 0.25, "interval": None, "num_subsets": 2},
    }
    recalls = {
        "R@1": 0.5,
        "intervals": {"R@1": [0.4, 0.6]},
        "keys": {"R@1": "retrieval.text_to_image.r_at_1"},
        "n": 8,
        "num_ties": 1,
    }
    table = format_table(
        report(
            accuracy={"pair": pair, "item": item},
            by={"kind": {"swap-noun": {"pair": pair}}},
            averages={"mine": {"item": average}},
            retrieval={"text_to_image": recalls},
        )
        | {"unmeasured": 2, "skipped": 1}
    )
    assert table.splitlines() == [
        "10 records, 2 with nothing to compare, 1 skipped",
        "",
        "                                         %  95% interval           n  ties  near",
        "overall",
        "  pair accuracy                       74.1   65.2 –  82.2    1234567    12     3",
        "  item accuracy                      100.0                         1     0     0",
        "pair accuracy by kind",
        "  swap-noun                           74.1   65.2 –  82.2    1234567    12     3",
        "item accuracy, averages of mine",
        "  micro                               50.0    0.0 – 100.0          4",
        "  macro over 2 subsets                25.0",
        "retrieval, text to image",
        "  R@1                                 50.0   40.0 –  60.0          8     1",
        "",
        "A tie is wrong (strict >). near: a margin of at most 0.0001, but no tie.",
        "In retrieval, ties rank by index.",
        "Intervals: 1000 bootstrap rounds over image groups.",
    ]


def test_items_of_one_pair_each_are_not_said_twice():
    both = {"pair": entry(), "item": entry()}
    average = {
        "micro": {"value": 0.5, "interval": None, "n": 4},
        "macro over subsets": {"value": 0.25, "interval": None, "num_subsets": 2},
    }
    table = format_table(
        report(
            accuracy=both,
            by={"subset": {"x": both}},
            averages={"b": {"pair": average, "item": average}},
        )
    )
    assert table.count("pair and item accuracy by subset") == 1
    assert table.count("pair and item accuracy, averages of b") == 1
    assert "item accuracy by" not in table.replace("pair and item accuracy by", "")


def test_averages_over_one_subset_are_not_shown():
    basis = {"value": 0.5, "interval": None}
    average = {"micro": {**basis, "n": 4}, "macro over subsets": {**basis, "num_subsets": 1}}
    table = format_table(report(averages={"b": {"item": average}}))
    assert "averages" not in table


def test_no_rounds_leave_no_note_about_intervals():
    without = report(accuracy={"item": entry(interval=None)})
    without["bootstrap"] = {**without["bootstrap"], "rounds": 0}
    assert "Intervals" not in format_table(without)


def test_control_characters_of_a_label_do_not_reach_the_terminal():
    table = format_table(report(by={"a\x1bb": {"\x1b[31mred\n": {"pair": entry()}}}))
    assert "\x1b" not in table
    assert "\\x1b[31mred\\n" in table
    assert "pair accuracy by a\\x1bb" in table


def test_an_empty_label_is_visible_and_wide_characters_take_two_columns():
    table = format_table(report(by={"f": {"": {"pair": entry()}, "猫" * 40: {"pair": entry()}}}))
    empty, wide = [line for line in table.splitlines() if line.startswith("  ")][1:3]
    assert empty.startswith('  ""  ')
    assert wide.startswith("  " + "猫" * 16 + "… ")
    assert len(wide) + 16 == len(empty)


@given(st.text(), st.integers(0, 10**8), st.floats(0, 1))
def test_no_line_of_numbers_is_wider_than_80_columns(label, n, value):
    table = format_table(report(by={"f": {label: {"pair": entry(value, (value, value), n)}}}))
    line = table.splitlines()[4]
    assert line.startswith("  ") and line.endswith("    0     0")
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line)
    assert len(line) + wide - sum(unicodedata.combining(c) > 0 for c in line) <= 80


def test_official_scores_and_the_mean_of_twelve_have_sections_of_their_own():
    table = format_table(
        report(
            benchmarks={"valse": {"accuracy, mean of 7 phenomena": entry()}},
            vl_compo={
                "VALSE": {**entry(), "parts": 7, "official_parts": 7},
                "ARO": {**entry(), "parts": 2, "official_parts": 4},
            },
        )
    )
    assert table.splitlines()[3:8] == [
        "official scores of valse",
        "  accuracy, mean of 7 phenomena       50.0   25.0 –  75.0         10     0     0",
        "mean of twelve benchmarks (vl_compo)",
        "  VALSE                               50.0   25.0 –  75.0         10     0     0",
        "  ARO (2 of 4 parts)                  50.0   25.0 –  75.0         10     0     0",
    ]


def test_text_alone_takes_the_place_of_ties():
    blind = {"model": "trigrams", "folds": 5, "captions": 8}
    with_blind = {**entry(), "blind": {"value": 0.75, "interval": None, "num_ties": 0}}
    table = format_table(
        report(accuracy={"item": with_blind}, matching={"image": entry()}, blind=blind)
    )
    assert table.splitlines()[2:6] == [
        "                                         %  95% interval           n       blind",
        "overall",
        "  item accuracy                       50.0   25.0 –  75.0         10        75.0",
        "  image score                         50.0   25.0 –  75.0         10",
    ]
    assert "blind: trigrams trained on 8 true captions, no image; a tie is half right." in table


def test_a_comparison_names_what_flipped_and_what_had_no_partner():
    change = {
        "a": 0.5, "b": 0.25, "difference": -0.25, "interval": [-0.5, 0.0], "n": 8, "num_groups": 8,
        "both_right": 2, "only_a_right": 2, "only_b_right": 0, "both_wrong": 4, "num_ties": [0, 0],
        "num_subsets": 1,
    }  # fmt: skip
    table = format_comparison(
        report(
            a="one.jsonl",
            b="two\x1b.jsonl",
            unpaired={"a": {"records": 1, "ids": ["x"]}, "b": {"records": 0, "ids": []}},
            accuracy={"item": change},
            flipped={"item": {"gained": [], "lost": ["p", "q", "r", "s"]}},
        )
    )
    assert table.splitlines() == [
        "A  one.jsonl",
        "B  two\\x1b.jsonl",
        "10 records in both, 1 only in A (x)",
        "",
        "                               A %    B %  B − A  95% interval    gained   lost",
        "overall",
        "  item accuracy               50.0   25.0  -25.0  -50.0 –  +0.0        0      2",
        "",
        "item accuracy, 0 gained",
        "item accuracy, 4 lost: p, q, r, …",
        "",
        "gained: right only with B; lost: only with A. A tie is wrong (strict >).",
        "Intervals of the difference: 1000 paired rounds over image groups.",
    ]


def titles(table):
    return [line for line in table.splitlines()[3:] if line and not line.startswith(" ")]


def test_official_scores_come_before_breakdowns_and_averages_do_not_repeat_them():
    measures = {"micro": entry(), "macro over subsets": entry() | {"num_subsets": 2}}
    table = format_table(
        report(
            accuracy={"pair": entry()},
            by={"kind": {"swap-noun": {"pair": entry()}}},
            averages={"sugarcrepe": {"pair": measures}, "mine": {"pair": measures}},
            benchmarks={"sugarcrepe": {"accuracy, micro": entry()}},
            vl_compo={"SugarCrepe": entry() | {"parts": 3, "official_parts": 3}},
        )
    )
    assert titles(table)[:-2] == [
        "overall",
        "official scores of sugarcrepe",
        "mean of twelve benchmarks (vl_compo)",
        "pair accuracy by kind",
        "pair accuracy, averages of mine",
    ]


def test_item_accuracy_stands_only_where_it_differs_from_that_of_pairs():
    one, many = entry(), {"pair": entry(0.6), "item": entry(0.4)}
    alone = {"sugarcrepe": {"pair": one, "item": one}}
    table = format_table(report(by={"benchmark": alone}))
    assert titles(table)[0] == "pair and item accuracy by benchmark"
    table = format_table(report(by={"benchmark": alone | {"valse": many}}))
    assert titles(table)[:2] == [
        "pair accuracy by benchmark",
        "item accuracy (where it differs) by benchmark",
    ]
    assert table.count("  sugarcrepe ") == 1
    assert table.count("  valse ") == 2


def test_a_column_that_is_not_there_is_not_explained():
    blind = {"blind": {"model": "trigrams", "captions": 5}}
    assert "near:" in format_table(report())
    assert "near:" not in format_table(report(**blind))


def test_a_very_long_label_is_cut():
    assert _fit("x" * 60_000) == "x" * 32 + "… "
