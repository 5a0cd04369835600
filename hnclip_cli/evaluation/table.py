"""The report for people: aligned text of at most 80 columns, without color."""

import unicodedata
from collections.abc import Iterator
from typing import Any

NAME_WIDTH = 36
TITLES = {
    "pair": "pair accuracy",
    "item": "item accuracy",
    "text": "text score",
    "image": "image score",
    "group": "group score",
    "image_to_text": "image to text, top 1",
    "text_to_image": "text to image, top 1",
    "image_to_text_all": "image to text, all true",
    "text_to_image_all": "text to image, all true",
}

Row = tuple[str, dict[str, Any]]


def format_table(report: dict[str, Any]) -> str:
    """Lay out a report, several lines of text, the last one ended.

    Values and intervals are in percent.
    """
    lines = [_header(report), ""]
    level = f"{report['bootstrap']['level']:.0%} interval"
    columns = f"{'%':>6}  {level:<14} {'n':>9} {'ties':>5} {'near':>5}"
    lines.append(f"{'':{NAME_WIDTH}}{columns}")
    for title, rows in _sections(report):
        lines += [title, *(_line(name, entry) for name, entry in rows)]
    lines += ["", *_notes(report)]
    return "\n".join(lines) + "\n"


def _header(report: dict[str, Any]) -> str:
    parts = [f"{report['records']} record{'' if report['records'] == 1 else 's'}"]
    for name, meaning in (("unmeasured", "with nothing to tell apart"), ("skipped", "skipped")):
        if report[name]:
            parts.append(f"{report[name]} {meaning}")
    return ", ".join(parts)


def _notes(report: dict[str, Any]) -> Iterator[str]:
    ties, bootstrap = report["ties"], report["bootstrap"]
    yield f"A tie is wrong (strict >). near: decided by at most {ties['near_within']:g}, no tie."
    if "retrieval" in report:
        yield "In retrieval, ties rank by index."
    if bootstrap["rounds"]:
        yield f"Intervals: {bootstrap['rounds']} bootstrap rounds over image groups."


def _sections(report: dict[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    overall = {**report.get("accuracy", {}), **report.get("matching", {})}
    if overall:
        yield "overall", [(TITLES[measure], entry) for measure, entry in overall.items()]
    for field, labels in report.get("by", {}).items():
        rows = {
            measure: [(name, by[measure]) for name, by in labels.items() if measure in by]
            for measure in TITLES
        }
        for title, same in _joined(rows):
            yield f"{title} by {_printable(field)}", same
    for benchmark, measures in report.get("averages", {}).items():
        rows = {
            measure: list(_bases(bases))
            for measure, bases in measures.items()
            if bases["macro over subsets"]["num_subsets"] > 1  # else they say what "by" said
        }
        for title, same in _joined(rows):
            yield f"{title}, averages of {_printable(benchmark)}", same
    for direction, recalls in report.get("retrieval", {}).items():
        title = f"retrieval, {direction.replace('_', ' ')}"
        yield title, list(_recalls(recalls))


def _joined(rows: dict[str, list[Row]]) -> Iterator[tuple[str, list[Row]]]:
    """Title the rows of each measure; where each item is one pair, both stand together."""
    rows = {measure: found for measure, found in rows.items() if found}
    both = "pair" in rows and rows["pair"] == rows.get("item")
    for measure, found in rows.items():
        if not (both and measure == "item"):
            joined = both and measure == "pair"
            yield "pair and item accuracy" if joined else TITLES[measure], found


def _bases(bases: dict[str, Any]) -> Iterator[Row]:
    yield "micro", bases["micro"]
    macro = bases["macro over subsets"]
    num = macro["num_subsets"]
    yield f"macro over {num} subsets", macro


def _recalls(recalls: dict[str, Any]) -> Iterator[Row]:
    for name, interval in recalls["intervals"].items():
        yield (
            name,
            {
                "value": recalls[name],
                "interval": interval,
                "n": recalls["n"],
                "num_ties": recalls["num_ties"],
            },
        )


def _line(name: str, entry: dict[str, Any]) -> str:
    interval = entry["interval"]
    between = f"{100 * interval[0]:5.1f} – {100 * interval[1]:5.1f}" if interval else ""
    counts = [
        f"{entry.get(key, ''):>{width}}"
        for key, width in (("n", 9), ("num_ties", 5), ("num_near_ties", 5))
    ]
    text = f"  {_fit(name)}{100 * entry['value']:6.1f}  {between:<14} {' '.join(counts)}"
    return text.rstrip()


def _fit(name: str) -> str:
    """Cut or pad a name to its column, counting wide characters as two."""
    name = _printable(name)
    width = NAME_WIDTH - 2
    if _columns(name) >= width:
        while _columns(name) > width - 2:
            name = name[:-1]
        name += "…"
    return name + " " * (width - _columns(name))


def _columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def _printable(text: str) -> str:
    """Labels come from the data: no control characters may reach the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text) or '""'
