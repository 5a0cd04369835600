"""Charts of a report: a row a number, a dot with its interval on a scale from 0 to 100 %."""

from collections.abc import Callable
from typing import Any

from hnclip_cli.evaluation.markup import Markup, el, joined
from hnclip_cli.evaluation.table import Row, is_clear, points

GRID = (0, 25, 50, 75, 100)


def chart(title: str, rows: list[Row], *, compared: bool, is_blind: bool) -> Markup:
    """A table with a plot in each row; its numbers are there as text, too.

    Args:
        title: heading of the chart.
        rows: names and entries of the report.
        compared: entries are those of two models.
        is_blind: entries say what text alone achieves.
    """
    scale = el("div", [el("span", x) for x in GRID[::2]], class_="scale")
    heads = ["", scale, "B − A" if compared else "%", "95 % interval", "n"]
    heads += ["text alone"] if is_blind else []
    return el(
        "section",
        el("h3", title[:1].upper() + title[1:]),
        el(
            "table",
            el("thead", el("tr", [el("th", head, scope="col") for head in heads])),
            el("tbody", [_row(name, entry, compared, is_blind) for name, entry in rows]),
            class_="chart",
        ),
        class_="panel",
    )


def _row(name: str, entry: dict[str, Any], compared: bool, is_blind: bool) -> Markup:
    interval, blind = entry["interval"], entry.get("blind")
    if compared:
        a, b = entry["a"], entry["b"]
        marks = [_span([min(a, b), max(a, b)], "span"), _dot(a, "ring"), _dot(b, "dot")]
        said = f"A {percent(a)} percent, B {percent(b)} percent"
        worse = " down" if entry["difference"] < 0 else ""
        class_ = f"value{' sure' if is_clear(interval) else ''}{worse}"
        value, bounds = _signed(points(entry["difference"])), between(interval, _signed)
    else:
        marks = [_tick(blind["value"])] if blind else []
        marks += [_span(interval, "span"), _dot(entry["value"], "dot")]
        value, bounds, class_ = percent(entry["value"]), between(interval), "value"
        said = f"{value} percent" + (f", interval {bounds}" if interval else "")
    alone = el("td", percent(blind["value"]) if blind else "", class_="blind")
    return el(
        "tr",
        el("th", name, scope="row"),
        el("td", _plot(marks, said), class_="plot"),
        el("td", value, class_=class_),
        el("td", bounds, class_="between"),
        el("td", _count(entry), class_="count"),
        alone if is_blind else None,
    )


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def between(interval: list[float] | None, written: Callable[[float], str] = "{:.1f}".format) -> str:
    return " to ".join(written(100 * bound) for bound in interval or [])


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def _count(entry: dict[str, Any]) -> str:
    if "n" in entry:
        return f"{entry['n']:,}".replace(",", "\u202f")
    return f"{entry['num_subsets']} subsets" if "num_subsets" in entry else ""


def _plot(marks: list[Markup | None], said: str) -> Markup:
    lines = [el("line", x1=f"{x}%", x2=f"{x}%", y1="0", y2="100%", class_="grid") for x in GRID]
    # Percent coordinates: the drawing takes whatever width there is, and strokes stay as they are.
    return el("svg", joined([*lines, *marks]), role="img", aria_label=said)


def _span(interval: list[float] | None, name: str) -> Markup | None:
    if not interval:
        return None
    low, high = (f"{100 * bound:.2f}%" for bound in interval)
    return el("line", x1=low, x2=high, y1="50%", y2="50%", class_=name)


def _dot(value: float, name: str) -> Markup:
    return el("circle", cx=f"{100 * value:.2f}%", cy="50%", r="5", class_=name)


def _tick(value: float) -> Markup:
    x = f"{100 * value:.2f}%"
    return el("line", x1=x, x2=x, y1="18%", y2="82%", class_="tick")
