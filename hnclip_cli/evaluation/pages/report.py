"""A report as a page: charts, and a gallery of failures."""

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from hnclip_cli.evaluation.gallery import Failure
from hnclip_cli.evaluation.measures import MEASURES
from hnclip_cli.evaluation.pages.cards import card_of_failure
from hnclip_cli.evaluation.pages.document import asset, document, visible
from hnclip_cli.evaluation.pages.pictures import Pictures
from hnclip_cli.evaluation.table import is_clear, points, sections, subject, summary, width_note

SCRIPTS = (
    "common.js",
    "enlarge.js",
    "labels.js",
    "labeling.js",
    "histogram.js",
    "card.js",
    "cards.js",
)
LARGEST, BUDGET = 320, 64_000_000  # pixels of the longer side; bytes of all


def format_html(
    report: dict[str, Any],
    failures: list[Failure],
    num_failures: int,
    image_root: str,
    note: Callable[[str], None],
) -> str:
    """Lay out a report of one model or of two as an HTML document that may request nothing.

    ``num_failures`` counts those that are not shown, too. Relative image paths start at
    ``image_root``, and ``note`` is told of pictures that cannot be read.
    """
    from jinja2 import Environment, StrictUndefined  # here: only pages wait for it

    compared = "flipped" in report
    charts: dict[bool, list[Any]] = {True: [], False: []}  # what most people look for, or not
    for title, rows, is_main in sections(report):
        found = [_row(*row, compared) | {"chance": _chance(title, row[0], report)} for row in rows]
        charts[is_main].append((title, found))
    pictures = Pictures(image_root, largest=LARGEST, budget=BUDGET)
    cards = [card_of_failure(failure, pictures) for failure in failures]
    template = "".join(line.strip() for line in asset("report.html").splitlines())
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    title = "Two models compared" if compared else "Evaluation"
    body = environment.from_string(template).render(
        title=title,
        report=report,
        subject=visible(subject(report)),
        summary=summary(report),
        notes=list(width_note(report)),
        is_compared=compared,
        is_blind="blind" in report,
        has_chance=any(row["chance"] for _, rows in charts[True] for row in rows),
        names=_names(report["a"], report["b"]) if compared else [],
        charts=charts,
        num_shown=len(failures),
        num_failures=num_failures,
    )
    page = document(
        f"{subject(report) or title} · hnclip", body, {"cards": cards, "labels": False},
        styles=("base.css", "report.css", "cards.css"), scripts=SCRIPTS,
        pictures=list(pictures.addresses()),
    )  # fmt: skip
    pictures.tell(note)
    return page


def _names(*files: str) -> list[str]:
    """Names of two models by their files: without folders and endings where they still differ."""
    short = [PurePath(name).name.partition(".")[0] for name in files]
    return list(map(visible, short if all(short) and short[0] != short[1] else files))


def _chance(title: str, name: str, report: dict[str, Any]) -> float | None:
    """What random scores reach by a measure, where that is the same for all records."""
    _, official, benchmark = title.partition("official scores of ")
    named = name if title == "overall" or official else title
    by = report.get("by", {}).get("benchmark", {}).get(benchmark, {})
    counts = {by[measure].get("n") for measure in ("pair", "item") if measure in by}
    is_of_pairs = len(counts) == 1 and "accuracy" in name  # each item has one false caption
    if named.startswith("pair and item accuracy") or (official and is_of_pairs):
        return MEASURES["pair"].chance
    found = (measure.chance for measure in MEASURES.values() if named.startswith(measure.title))
    return next(found, None)


def _row(name: str, entry: dict[str, Any], compared: bool) -> dict[str, Any]:
    """One number of a chart: where its marks are, and its texts."""
    interval = entry["interval"]
    row = {"name": name, "count": _count(entry), "ring": None, "blind": None}
    if compared:
        a, b, change = entry["a"], entry["b"], points(entry["difference"])
        sure, down = is_clear(interval), entry["difference"] < 0
        return row | {
            "span": sorted([a, b]),
            "ring": a,
            "dot": b,
            "said": f"A {100 * a:.1f} percent, B {100 * b:.1f} percent",
            "style": f"value{' sure' * sure}{' down' * down}",
            "values": [f"{100 * side:.1f}" for side in (a, b)],
            "value": _signed(change),
            "between": " to ".join(_signed(100 * bound) for bound in interval or []),
        }
    value = f"{100 * entry['value']:.1f}"
    between = " to ".join(f"{100 * bound:.1f}" for bound in interval or [])
    return row | {
        "span": interval,
        "dot": entry["value"],
        "said": f"{value} percent" + (f", interval {between}" if interval else ""),
        "style": "value",
        "value": value,
        "between": between,
        "blind": entry["blind"]["value"] if "blind" in entry else None,
    }


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def _count(entry: dict[str, Any]) -> str:
    if "n" in entry:
        return f"{entry['n']:,}".replace(",", "\u202f")
    return f"{entry['num_subsets']} subsets" if "num_subsets" in entry else ""
