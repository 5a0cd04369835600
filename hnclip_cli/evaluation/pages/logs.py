"""What a page shows of the logs of training: series of numbers over steps, epochs or time."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import isfinite
from typing import Any

from hnclip_cli.errors import InputError
from hnclip_cli.evaluation.measures import MEASURES
from hnclip_cli.evaluation.pages.document import visible
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, as_records, shorten

AXES = ("step", "epoch", "time")
MAX_POINTS = 2_000  # of a series
GROUPS = {  # of what is not a term of the loss
    "lr": "Optimization",
    "grad_norm": "Optimization",
    "logit_scale": "Optimization",
    "logit_bias": "Optimization",
    "samples_per_second": "Speed",
    "waiting": "Speed",
}
ORDER = ("Loss", "Validation", "Thresholds by kind", "Optimization", "Speed")

Key = tuple[str, str]  # group and name of a series


def run_of(name: str, lines: Iterable[Mapping[str, Any]], policy: ErrorPolicy) -> dict[str, Any]:
    """One run: its axes, a number (or None) a line, and its series as points [line, value].

    Where a run was resumed, the log may hold steps twice: the later ones count.
    """
    rows: list[dict[str, float | None]] = []
    steps: list[float] = []
    values: list[dict[Key, float]] = []
    for record in as_records(lines):
        try:
            step = _step(record)
            found = dict(_numbers(record))
        except InputError as error:
            policy.bad(error)
            continue
        if rows and steps[-1] > step:  # a step has several lines, but none goes back
            again = bisect_left(steps, step)
            del rows[again:], values[again:], steps[again:]
        before = rows[-1] if rows else {}
        row = {axis: _number(record.get(axis), before.get(axis)) for axis in AXES}
        rows.append(row | {"step": step})
        steps.append(step)
        values.append(found)
    keys = dict.fromkeys(key for found in values for key in found)
    start = next((row["time"] for row in rows if row["time"] is not None), 0.0)
    for row in rows:
        row["time"] = None if row["time"] is None else row["time"] - (start or 0.0)
    return {
        "name": visible(name),
        "axes": {
            axis: [row[axis] for row in rows]
            for axis in AXES
            if any(row[axis] is not None for row in rows)
        },
        "series": [
            {
                "group": group,
                "name": visible(title),
                "points": thinned(
                    [(i, v[group, title]) for i, v in enumerate(values) if (group, title) in v]
                ),
            }
            for group, title in sorted(keys, key=lambda key: _rank(key[0]))
        ],
    }


def thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Of too many points the lowest and the highest of each stretch, so that no peak is lost."""
    if len(points) <= MAX_POINTS:
        return points
    count = MAX_POINTS // 2
    kept = []
    for part in range(count):
        stretch = points[len(points) * part // count : len(points) * (part + 1) // count]
        ends = {min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


def _step(record: Record) -> float:
    step = _number(record.get("step"))
    if step is None or step < 0:
        raise record.error(
            "not a line of a training log",
            got=f'"step" {shorten(record.get("step"))}',
            expected="a line as hnclip train writes it",
        )
    return step


def _number(value: Any, default: float | None = None) -> float | None:
    """A finite number, also of a date; else the default."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            return default
    is_number = type(value) in (int, float) and isfinite(value)
    return float(value) if is_number else default


def _numbers(record: Record) -> Iterator[tuple[Key, float]]:
    """All numbers of a line, each with the group and the name of its series."""
    for name, value in record.items():
        if name in AXES:
            continue
        if name == "thresholds" and isinstance(value, dict):
            yield from ((("Thresholds by kind", kind), v) for (kind,), v in _leaves(value))
        elif name == "val" and isinstance(value, dict):
            yield from ((_of_validation(path), v) for path, v in _leaves(value))
        elif (found := _number(value)) is not None and not isinstance(value, str):
            yield (GROUPS.get(name, "Loss"), name), found


def _leaves(section: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[Any]:
    """The numbers of sections in each other, and the keys that lead to each."""
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, name))
        elif not isinstance(value, str) and (found := _number(value)) is not None:
            yield (*path, name), found


def _of_validation(path: tuple[str, ...]) -> Key:
    """Of ("by", "kind", "swap-noun", "pair") the group of all kinds, and what it is called."""
    if path[0] == "by" and len(path) == 4:
        field, label, measure = path[1:]
        return f"Validation by {field}: {_title(measure)}", label
    inner = path[1:] if path[0] in ("accuracy", "matching", "retrieval") else path
    names = [_title(name) if path[0] != "retrieval" else name for name in inner]
    return "Validation", " ".join(names).replace("_", " ")


def _title(name: str) -> str:
    return MEASURES[name].title if name in MEASURES else name


def _rank(group: str) -> int:
    return ORDER.index(group) if group in ORDER else ORDER.index("Validation")
