"""The report for people: aligned text of at most 80 columns, without color."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from hnclip_cli.evaluation.measures import MEASURES
from hnclip_cli.saying import printable

NAME_WIDTH = 36
COMPARED_WIDTH = 28
MAX_IDS = 3
Row = tuple[str, dict[str, Any]]


class Section(NamedTuple):
    """Rows of names and entries under a title; most people look for the main ones."""

    title: str
    rows: list[Row]
    is_main: bool = False


def format_table(report: dict[str, Any]) -> str:
    """Lay out a report, several lines of text, the last one ended.

    Values and intervals are in percent.
    """
    is_blind = "blind" in report
    lines = [*filter(None, [printable(subject(report))]), summary(report), ""]
    level = f"{report['bootstrap']['level']:.0%} interval"
    last = f"{'blind':>11}" if is_blind else f"{'ties':>5} {'near':>5}"
    lines.append(f"{'':{NAME_WIDTH}}{'%':>6}  {level:<14} {'n':>9} {last}")
    for title, rows, _ in sections(report):
        lines += [title, *(_line(name, entry, is_blind) for name, entry in rows)]
    lines += ["", *_notes(report)]
    return "\n".join(lines) + "\n"


def format_comparison(report: dict[str, Any]) -> str:
    """Lay out a comparison of two models; differences are in points of percent."""
    level = f"{report['bootstrap']['level']:.0%} interval"
    heads = f"{'A %':>6} {'B %':>6} {'B − A':>6}  {level:<14} {'gained':>7} {'lost':>6}"
    lines = [f"{letter}  {printable(report[letter.lower()])}" for letter in "AB"]
    lines += [summary(report), "", f"{'':{COMPARED_WIDTH}}{heads}"]
    for title, rows, _ in sections(report):
        lines += [title, *(_of_two(name, entry) for name, entry in rows)]
    lines.append("")
    for measure, flips in report["flipped"].items():
        for name, ids in flips.items():
            lines.append(
                f"{MEASURES[measure].title}, {len(ids)} {name}{': ' if ids else ''}{_named(ids)}"
            )
    lines += ["", "gained: right only with B; lost: only with A. A tie is wrong (strict >)."]
    if rounds := report["bootstrap"]["rounds"]:
        lines.append(f"Intervals of the difference: {rounds} paired rounds over image groups.")
    return "\n".join(lines) + "\n"


def subject(report: dict[str, Any]) -> str:
    """Which model and which data a report is of, as far as it says so."""
    if "a" in report:
        return f"{report['a']} and {report['b']}"
    run = report.get("run", {})
    files = [of["file"] for of in run.get("data", []) if of["file"] != "-"]
    return " on ".join(filter(None, [run.get("model", ""), ", ".join(files)]))


def summary(report: dict[str, Any]) -> str:
    """One line on the records of a report of one model or two."""
    count = report["records"]
    if "unpaired" in report:
        parts = [f"{count} records in both"]
        for name, missing in report["unpaired"].items():
            if missing["records"]:
                where = f"only in {name.upper()}"
                parts.append(f"{missing['records']} {where} ({_named(missing['ids'])})")
        return ", ".join(parts)
    parts = [f"{count} record{'' if count == 1 else 's'}"]
    for name, meaning in (("unmeasured", "with nothing to compare"), ("skipped", "skipped")):
        if report[name]:
            parts.append(f"{report[name]} {meaning}")
    if "same_tokens" in report:
        parts.append(f"{report['same_tokens']} false captions with the tokens of true ones")
    return ", ".join(parts)


def _named(ids: list[str]) -> str:
    return ", ".join([*map(printable, ids[:MAX_IDS]), *(["…"] if ids[MAX_IDS:] else [])])


def _of_two(name: str, entry: dict[str, Any]) -> str:
    interval = entry["interval"]
    between = f"{100 * interval[0]:+5.1f} – {100 * interval[1]:+5.1f}" if interval else ""
    values = f"{100 * entry['a']:6.1f} {100 * entry['b']:6.1f} {points(entry['difference']):+6.1f}"
    flips = f"{entry['only_b_right']:>7} {entry['only_a_right']:>6}"
    return f"  {_fit(name, COMPARED_WIDTH)}{values}  {between:<14} {flips}"


def points(difference: float) -> float:
    """A difference in points of percent, to one decimal, and never minus zero."""
    return round(100 * difference, 1) + 0.0


def is_clear(interval: list[float] | None) -> bool:
    """Whether the interval of a difference holds no zero."""
    return interval is not None and (interval[0] > 0 or interval[1] < 0)


def _notes(report: dict[str, Any]) -> Iterator[str]:
    ties, bootstrap = report["ties"], report["bootstrap"]
    near = f"near: a margin of at most {ties['near_within']:g}, but no tie."
    yield "A tie is wrong (strict >)." + ("" if "blind" in report else f" {near}")
    if "blind" in report:
        how = report["blind"]
        trained = f" trained on {how['captions']} true captions" if "captions" in how else ""
        trained += ", of each benchmark for itself" if "benchmarks" in how else ""
        yield f"blind: {printable(how['model'])}{trained}, no image; a tie is half right."
    if "retrieval" in report:
        yield "In retrieval, ties rank by index."
    if bootstrap["rounds"]:
        yield f"Intervals: {bootstrap['rounds']} bootstrap rounds over image groups."
    yield from width_note(report)


def width_note(report: dict[str, Any]) -> Iterator[str]:
    """A line where intervals have no width, which looks surer than it is."""
    if keys := report["bootstrap"].get("without_width"):
        yield (
            f"Intervals of no width ({_named(keys)}): all image groups are alike there, so "
            "resampling says nothing of how sure the number is."
        )


def sections(report: dict[str, Any]) -> Iterator[Section]:
    """What a report of one model or several holds, the official scores first.

    What would be said twice is said once.
    """
    overall = {**report.get("accuracy", {}), **report.get("matching", {})}
    if overall:
        rows = [(MEASURES[measure].title, entry) for measure, entry in overall.items()]
        yield Section("overall", rows, is_main=True)
    for benchmark, metrics in report.get("benchmarks", {}).items():
        title = f"official scores of {printable(benchmark)}"
        yield Section(title, list(metrics.items()), is_main=True)
    if "vl_compo" in report:
        rows = []
        for name, entry in report["vl_compo"].items():
            found, official = entry["parts"], entry["official_parts"]
            of = "" if found == official else f" ({found} of {official} parts)"
            rows.append((name + of, entry))
        yield Section("mean of twelve benchmarks (vl_compo)", rows, is_main=True)
    for field, labels in report.get("by", {}).items():
        by_measure = {
            measure: [(name, by[measure]) for name, by in labels.items() if measure in by]
            for measure in MEASURES
        }
        for title, same in _joined(by_measure):
            yield Section(f"{title} by {printable(field)}", same, is_main=field == "kind")
    for benchmark, measures in report.get("averages", {}).items():
        if benchmark in report.get("benchmarks", {}):
            continue  # its official scores have said so
        by_measure = {}
        for measure, bases in measures.items():
            macro = bases["macro over subsets"]
            num = macro["num_subsets"]
            if num > 1:  # else they say what "by" said
                by_measure[measure] = [
                    ("micro", bases["micro"]),
                    (f"macro over {num} subsets", macro),
                ]
        for title, same in _joined(by_measure):
            yield Section(f"{title}, averages of {printable(benchmark)}", same)
    for direction, of in report.get("retrieval", {}).items():
        rows = recalls(of) if "intervals" in of else list(of.items())
        yield Section(f"retrieval, {direction.replace('_', ' ')}", rows, is_main=True)


def recalls(section: dict[str, Any]) -> list[Row]:
    """The recalls of one direction as entries, by name."""
    counts = {key: section[key] for key in ("n", "num_ties")}
    return [
        (name, {"key": section["keys"][name], "value": section[name], "interval": between} | counts)
        for name, between in section["intervals"].items()
    ]


def _joined(rows: dict[str, list[Row]]) -> Iterator[tuple[str, list[Row]]]:
    """Title the rows of each measure; items that are one pair each stand with the pairs."""
    pairs = {name: without_key(entry) for name, entry in rows.get("pair", [])}
    same = [row for row in rows.get("item", []) if without_key(row[1]) == pairs.get(row[0])]
    for measure, found in rows.items():
        title = MEASURES[measure].title
        if measure == "pair" and len(same) == len(found):
            title, found = "pair and item accuracy", same
        elif measure == "item" and same:
            found = [row for row in found if row not in same]
            title = "item accuracy (where it differs)"
        if found:
            yield title, found


def without_key(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry says, by which two can be the same number."""
    return {name: value for name, value in entry.items() if name != "key"}


def _line(name: str, entry: dict[str, Any], is_blind: bool = False) -> str:
    interval = entry["interval"]
    between = f"{100 * interval[0]:5.1f} – {100 * interval[1]:5.1f}" if interval else ""
    text = f"  {_fit(name)}{100 * entry['value']:6.1f}  {between:<14} {entry.get('n', ''):>9} "
    if is_blind:
        text += f"{100 * entry['blind']['value']:11.1f}" if "blind" in entry else ""
    else:
        text += f"{entry.get('num_ties', ''):>5} {entry.get('num_near_ties', ''):>5}"
    return text.rstrip()


def _fit(name: str, width: int = NAME_WIDTH) -> str:
    """Cut or pad a name to its column, counting wide characters as two."""
    name = printable(name) or '""'
    width -= 2
    ends = list(accumulate(map(_columns, name)))  # columns up to each letter
    used = ends[-1]
    if used >= width:
        fitting = bisect_right(ends, width - 2)
        name, used = name[:fitting] + "…", ends[fitting - 1] + 1
    return name + " " * (width - used)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 1 + (unicodedata.east_asian_width(letter) in "WF")
