"""Any number of models in one table: their values, their spread over seeds, what is significant."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any

import numpy as np

from hnclip_cli.errors import HnclipError
from hnclip_cli.evaluation import table
from hnclip_cli.evaluation.bootstrap import LEVEL, Resampling, holm, p_value, percentiles
from hnclip_cli.evaluation.measures import Accuracy
from hnclip_cli.evaluation.pairing import observe_all
from hnclip_cli.evaluation.report import (
    DEFAULT_BY,
    Report,
    all_accuracies,
    basis,
    evaluate,
    parts,
    sections,
)
from hnclip_cli.streams.jsonl import ErrorPolicy

Run = Iterable[Mapping[str, Any]] | Report  # scored records, or what `evaluate` made of them

# What two reports say in the same way, where a number is the same.
_SHARED = ("key", "n", "num_groups", "num_subsets", "parts", "official_parts")


def tabulate(
    runs: Sequence[Run],
    *,
    names: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    only: Sequence[str] = (),
    by: Iterable[str] = DEFAULT_BY,
    rounds: int = 1000,
    seed: int = 0,
    without: Iterable[str] = (),
    policy: ErrorPolicy | None = None,
) -> Report:
    """Lay the numbers of any number of models side by side, each beside the first model's.

    Args:
        runs: scored records, paired by ``id``, or reports of `evaluate`. One report among them,
            and nothing is said of significance: reports carry no items.
        names: of the runs; by default the files that they come from.
        models: of each run the name of its model: runs of one name are its seeds, and count as
            their mean. By default each run is a model of its own.
        only: keys that are shown, with ``*`` and ``?`` as in the shell; by default all.
        by: as of `evaluate`, as are ``rounds``, ``seed``, ``without`` and ``policy``.

    Returns:
        ``models``, in the order of the runs, and ``numbers``: of each its ``key`` and, of each
        model, ``mean``, ``deviation`` (of the sample; of one run None), the ``values`` of its runs,
        and beside the first model ``difference``, ``interval``, ``p`` and ``p_holm``, which Holm
        corrects for the number of models beside the first (Demsar 2006, section 3.2.2).

    Raises:
        HnclipError: as `compare`, fewer than two models, or keys that no number has.
    """
    policy = policy or ErrorPolicy()
    skipped_before = policy.num_skipped
    sources = list(names or names_of(runs))
    groups = _groups(models) if models else [(name, [i]) for i, name in enumerate(sources)]
    if len(groups) < 2:
        got = f"{len(runs)} run{'' if len(runs) == 1 else 's'} of {len(groups)} model"
        raise HnclipError("nothing to compare with", got=got, expected="two models or more")
    rows = [of for _, of in groups]
    fields, resampling = list(dict.fromkeys(by)), Resampling(rounds, seed)
    has_items = not any(isinstance(run, dict) for run in runs)
    if has_items:
        paired = observe_all(runs, sources, fields, policy)  # type: ignore[arg-type]
        sides = zip(*(all_accuracies(side, fields, without) for side in paired.sides), strict=True)
        made = ((same[0], _beside(same, rows, resampling)) for same in sides)
        found, said = sections(made, fields), paired.runs
        counts: Report = {"records": len(paired.ids)}
        left = zip(sources, paired.unpaired(), strict=True)
        counts["unpaired"] = [{"file": name} | of for name, of in left if of["records"]]
    else:
        how: Any = {"by": fields, "rounds": 0, "without": without, "policy": policy}
        reports = [run if isinstance(run, dict) else evaluate(run, **how) for run in runs]
        found, said = _merged(reports), [report.get("run", {}) for report in reports]
        counts = {"records": [report["records"] for report in reports]}
        resampling = Resampling(0, seed)
    numbers = list(_numbers(found, rows, only))
    if not numbers:
        raise HnclipError(
            "no number to show", got=f"--only {' '.join(only)}" if only else "none that all have"
        )
    return {
        "models": [
            {"name": name, "runs": [{"file": sources[i], "run": said[i]} for i in of]}
            for name, of in groups
        ],
        **counts,
        "skipped": policy.num_skipped - skipped_before,
        "same_items": len({run.get("items") for run in said}) == 1,
        "is_paired": has_items,
        "by": list(found.get("by", {})),
        "numbers": numbers,
        **basis(resampling),
    }


def names_of(runs: Sequence[Run]) -> list[str]:
    """Names of runs: the files that they come from, else their number."""
    return [getattr(run, "source", f"records {i}") for i, run in enumerate(runs, 1)]


def _groups(models: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Each model and the numbers of its runs."""
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(models):
        groups.setdefault(name, []).append(number)
    return list(groups.items())


def _beside(
    same: Sequence[Accuracy], groups: Sequence[Sequence[int]], resampling: Resampling
) -> Report:
    """One number: the value of each run, and how each model differs from the first."""
    first = same[0]
    right = [1 * number.outcomes.counted for number in same]
    base, *others = ([right[i] for i in group] for group in groups)
    tests: list[Report] = []
    for other in others:
        scale = len(base) * len(other)
        # Whole numbers that stand for 1 + the difference of the means over runs, times the scale.
        sums = [np.add.reduce(part) for part in (base, other)]
        means = first.resampled(scale + len(base) * sums[1] - len(other) * sums[0], resampling)
        differences = None if means is None else means / scale - 1
        tests.append({"interval": percentiles(differences), "p": p_value(differences)})
    for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p
    return {
        "key": first.key,
        "value": [first.mean(of) for of in right],
        "interval": None,
        "n": len(first.margins),
        "num_groups": first.num_groups,
        "num_subsets": first.num_parts,
        "tests": tests,
    } | parts(first)


def _merged(reports: Sequence[Report]) -> Report:
    """Several reports as one, whose numbers have a value of each, or None where it has none."""
    found: Report = {}
    for place, report in enumerate(reports):
        for path, entry in _entries(report):
            section = found
            for key in path[:-1]:
                section = section.setdefault(key, {})
            shared = {name: entry[name] for name in _SHARED if name in entry}
            nothing = {"value": [None] * len(reports), "interval": None, "tests": []}
            section.setdefault(path[-1], shared | nothing)["value"][place] = entry["value"]
    return found


def _entries(
    section: Report, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Report]]:
    """The numbers of a report, with the keys that lead to each."""
    for name, of in section.items():
        if name == "run" or not isinstance(of, dict):
            continue
        if {"key", "value"} <= of.keys():
            yield (*path, name), of
        else:
            inner = dict(table.recalls(of)) if path == ("retrieval",) else of
            yield from _entries(inner, (*path, name))


def _numbers(
    found: Report, groups: Sequence[Sequence[int]], only: Sequence[str]
) -> Iterator[Report]:
    """The rows of the table, in the order of a report, each number once."""
    shown = set()
    for title, rows, _ in table.sections(found):
        for name, entry in rows:
            wanted = not only or any(fnmatchcase(entry["key"], pattern) for pattern in only)
            if not wanted or entry["key"] in shown:
                continue
            shown.add(entry["key"])
            yield {
                "key": entry["key"],
                "section": title,
                "name": name,
                **{part: entry[part] for part in _SHARED[1:] if part in entry},
                "models": _cells(entry, groups),
            }


def _cells(entry: Report, groups: Sequence[Sequence[int]]) -> list[Report]:
    """What one number says of each model."""
    cells: list[Report] = []
    for group, test in zip(groups, chain([{}], entry["tests"] or [{}] * len(groups)), strict=False):
        values = [entry["value"][i] for i in group if entry["value"][i] is not None]
        mean = float(np.mean(values)) if values else None
        cell: Report = {
            "mean": mean,
            "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "values": values,
        }
        if cells:
            base = cells[0]["mean"]
            cell["difference"] = None if mean is None or base is None else mean - base
            cell |= {"interval": None, "p": None, "p_holm": None} | test
            p = cell["p_holm"]
            cell["is_significant"] = p is not None and p < 1 - LEVEL
        cells.append(cell)
    return cells
