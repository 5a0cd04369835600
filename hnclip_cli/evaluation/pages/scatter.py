"""A scatter plot as one SVG file: a labeled point a model, with error bars."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from hnclip_cli.saying import printable

WIDTH, HEIGHT = 720, 480
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 20, 56  # around the plot
RADIUS = 5
LETTER, LINE = 7.2, 15  # about how wide and how high a letter of a label is
STYLE = """
.scatter { font: 13px system-ui, sans-serif; background: #fff; max-width: 100%; height: auto; }
.scatter text { fill: #1d1f23; }
.scatter .soft { fill: #646870; }
.scatter .grid { stroke: #e9e6df; }
.scatter .bar { stroke: #9fb9d1; stroke-width: 2; stroke-linecap: round; }
.scatter circle { fill: #2b5d8c; }
.scatter .lead { stroke: #b9b6af; }
@media (prefers-color-scheme: dark) {
  .scatter { background: #1d2024; }
  .scatter text { fill: #e7e5df; }
  .scatter .soft { fill: #9a9da3; }
  .scatter .grid { stroke: #2f3338; }
  .scatter .bar { stroke: #4a6a88; }
  .scatter circle { fill: #8ab6de; }
  .scatter .lead { stroke: #55595f; }
}
"""

Interval = tuple[float, float]


class Point(NamedTuple):
    """What is drawn of one model."""

    name: str
    x: float
    y: float
    x_interval: Interval | None = None  # ends of the error bar; None draws none
    y_interval: Interval | None = None


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


class Axis(NamedTuple):
    """From values to pixels."""

    low: float
    high: float
    start: float  # pixel of ``low``
    stop: float
    step: float  # between two ticks

    @classmethod
    def around(cls, values: Iterable[float], start: float, stop: float) -> "Axis":
        """An axis whose ends are ticks, about six steps long."""
        found = list(values)
        low, high = min(found), max(found)
        margin = (high - low) * 0.06 or abs(high) * 0.05 or 1
        step = _nice((high - low + 2 * margin) / 6)
        low, high = (low - margin) // step * step, -(-(high + margin) // step) * step
        return cls(low, high, start, stop, step)

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Pixels and texts."""
        decimals = max(0, -math.floor(math.log10(self.step) + 1e-9))
        count = round((self.high - self.low) / self.step)
        values = [self.low + number * self.step for number in range(count + 1)]
        return [(self.at(v), f"{v + 0.0:.{decimals}f}".replace("-", "−")) for v in values]


def _nice(step: float) -> float:
    """The next of 1, 2, 5, 10, 20, …"""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= step * 0.999)


def scatter_svg(
    points: Sequence[Sequence[object]] | Sequence[Point], x_label: str, y_label: str
) -> str:
    """Draw points with their names and error bars, light or dark as the reader has it.

    Args:
        points: ``(name, x, y, x_interval, y_interval)``, in any unit; an interval is the two ends
            of an error bar, as of seeds, or None.
        x_label: what the horizontal axis shows, with its unit.
        y_label: likewise of the vertical one.

    Returns:
        an ``<svg>`` element, which is a file as it is and can stand in a page.

    Raises:
        ValueError: no points, or a number that is not finite.
    """
    drawn = [Point(*point) for point in points]  # type: ignore[arg-type]
    ends = [([p.x, *(p.x_interval or ())], [p.y, *(p.y_interval or ())]) for p in drawn]
    if not drawn or not all(math.isfinite(value) for xs, ys in ends for value in xs + ys):
        raise ValueError("a scatter plot takes points, and finite numbers")
    across = Axis.around((x for xs, _ in ends for x in xs), LEFT, WIDTH - RIGHT)
    up = Axis.around((y for _, ys in ends for y in ys), HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="scatter" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{_text(y_label)} against {_text(x_label)}">',
        f"<style>{STYLE}</style>",
        *_frame(across, up, x_label, y_label),
    ]
    for (xs, ys), p in zip(ends, drawn, strict=True):
        parts.append(_line("bar", across.at(min(xs)), up.at(p.y), across.at(max(xs)), up.at(p.y)))
        parts.append(_line("bar", across.at(p.x), up.at(min(ys)), across.at(p.x), up.at(max(ys))))
    for p in drawn:
        title = f"<title>{_text(p.name)}: {p.x:g}, {p.y:g}</title>"
        parts.append(
            f'<circle cx="{across.at(p.x):.1f}" cy="{up.at(p.y):.1f}" r="{RADIUS}">{title}</circle>'
        )
    centers = [(across.at(p.x), up.at(p.y)) for p in drawn]
    bars = [
        box
        for (xs, ys), (x, y) in zip(ends, centers, strict=True)
        for box in (
            Box(across.at(min(xs)), y - 2, across.at(max(xs)), y + 2),
            Box(x - 2, up.at(max(ys)), x + 2, up.at(min(ys))),
        )
    ]
    parts += _labels([printable(p.name) for p in drawn], centers, bars)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _frame(across: Axis, up: Axis, x_label: str, y_label: str) -> list[str]:
    """Grid, ticks and the names of the axes."""
    parts = []
    for x, text in across.ticks():
        parts.append(_line("grid", x, TOP, x, HEIGHT - BOTTOM))
        parts.append(_word("soft", x, HEIGHT - BOTTOM + 18, "middle", text))
    for y, text in up.ticks():
        parts.append(_line("grid", LEFT, y, WIDTH - RIGHT, y))
        parts.append(_word("soft", LEFT - 8, y + 4, "end", text))
    parts.append(_word("soft", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "middle", x_label))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'<g transform="translate(16 {middle:.1f}) rotate(-90)">'
    return [*parts, f"{turned}{_word('soft', 0, 0, 'middle', y_label)}</g>"]


def _labels(
    names: Sequence[str], centers: Sequence[tuple[float, float]], bars: Sequence[Box]
) -> list[str]:
    """Each name beside its point, where it covers least of points, bars and names before it."""
    taken = [Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in centers]
    taken += bars
    parts = []
    for name, (x, y) in zip(names, centers, strict=True):
        width = LETTER * len(name)
        places = [
            Box(left, top, left + width, top + LINE)
            for away in (RADIUS + 3, 22, 44)
            for left, top in (
                (x + away, y - LINE - away / 3), (x + away, y - LINE / 2), (x + away, y + away / 3),
                (x - away - width, y - LINE - away / 3), (x - away - width, y - LINE / 2),
                (x - away - width, y + away / 3),
                (x - width / 2, y - LINE - away), (x - width / 2, y + away),
            )
        ]  # fmt: skip
        inside = Box(LEFT + 2, TOP, WIDTH - 2, HEIGHT - BOTTOM)
        best = min(places, key=lambda box: _cost(box, taken, inside, (x, y)))
        taken.append(best)
        nearest = min(max(x, best.left), best.right), min(max(y, best.top), best.bottom)
        if math.dist(nearest, (x, y)) > 2 * RADIUS + 6:
            parts.append(_line("lead", x, y, *nearest))
        parts.append(_word("name", best.left, best.top + LINE - 4, "start", name))
    return parts


def _cost(box: Box, taken: Sequence[Box], inside: Box, point: tuple[float, float]) -> float:
    area = (box.right - box.left) * (box.bottom - box.top)
    outside = area - box.overlap(inside)
    middle = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return sum(map(box.overlap, taken)) + 10 * outside + math.dist(middle, point) / 10


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _word(name: str, x: float, y: float, anchor: str, text: str) -> str:
    return (
        f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_text(text)}</text>'
    )


def _text(text: str) -> str:
    return escape(printable(text))
