"""The table that people read."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.evaluation.table import format_table

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
    recalls = {"R@1": 0.5, "intervals": {"R@1": [0.4, 0.6]}, "n": 8, "num_ties": 1}
    table = format_table(
        report(
            accuracy={"pair": pair, "item": item},
            by={"kind": {"swap-noun": {"pair": pair}}},
            averages={"sugarcrepe": {"item": average}},
            retrieval={"text_to_image": recalls},
        )
        | {"unmeasured": 2, "skipped": 1}
    )
    assert table.splitlines() == [
        "10 records, 2 with nothing to tell apart, 1 skipped",
        "",
        "                                         %  95% interval           n  ties  near",
        "overall",
        "  pair accuracy                       74.1   65.2 –  82.2    1234567    12     3",
        "  item accuracy                      100.0                         1     0     0",
        "pair accuracy by kind",
        "  swap-noun                           74.1   65.2 –  82.2    1234567    12     3",
        "item accuracy, averages of sugarcrepe",
        "  micro                               50.0    0.0 – 100.0          4",
        "  macro over 2 subsets                25.0",
        "retrieval, text to image",
        "  R@1                                 50.0   40.0 –  60.0          8     1",
        "",
        "A tie is wrong (strict >). near: decided by at most 0.0001, no tie.",
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
