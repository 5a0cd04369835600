"""Several models on the same records, item by item."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from string import ascii_lowercase

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation.bootstrap import Counts, Resampling
from hnclip_cli.evaluation.cell import Cell
from hnclip_cli.evaluation.cells import all_cells
from hnclip_cli.evaluation.collect import Collector
from hnclip_cli.evaluation.collected import Collected
from hnclip_cli.evaluation.metrics import Ints, outcomes
from hnclip_cli.evaluation.report import DEFAULT_BY, Report, basis, parts, sections
from hnclip_cli.streams.jsonl import RecordReader

MAX_NAMED = 10


def compare(
    runs: Sequence[RecordReader],
    *,
    by: Iterable[str] = DEFAULT_BY,
    rounds: int = 1000,
    seed: int = 0,
    without: Iterable[str] = (),
) -> Report:
    """Measure scores of the same records by two or more models, paired by ``id``.

    The bootstrap draws image groups, and each takes its outcomes under both models along: the
    interval is that of the difference, far narrower than two intervals laid side by side.

    Args:
        runs: records with the scores of model A, of model B, and so on.
        by: fields to break the measures down by.
        rounds: of the bootstrap; 0 gives no intervals.
        seed: of the bootstrap.
        without: names of parts that the means of official scores leave out.

    Returns:
        the report, ready for JSON; docs/eval.md defines each number. Of two models it says which
        records flipped; of more, it has each one's difference to A.

    Raises:
        HnclipError: a bad record under ``fail``, records of one id that are different items,
            nothing to compare, or fewer than 2 or more than 26 models.
    """
    if not 2 <= len(runs) <= len(ascii_lowercase):
        raise HnclipError("these cannot be compared", got=f"{len(runs)} runs", expected="2 to 26")
    fields = list(dict.fromkeys(by))
    resampling = Resampling(rounds, seed)
    sources = [run.source for run in runs]
    collected, only = pair([_collect(run, fields) for run in runs], sources)
    report: Report = {
        **dict(zip(ascii_lowercase, sources, strict=False)),
        "records": collected[0].num_records,
        "skipped": runs[0].policy.num_skipped,
        "unpaired": {
            name: {"records": len(ids), "ids": ids[:MAX_NAMED]}
            for name, ids in zip(ascii_lowercase, only, strict=False)
        },
    }
    sides = [all_cells(side, fields, frozenset(without)) for side in collected]
    entry = entry_of_two if len(runs) == 2 else entry_of_many
    cells = zip(*sides, strict=True)
    found = sections(((of[0], entry(of, resampling)) for of in cells), fields)
    if not found:
        both, one = ("both", "one") if len(runs) == 2 else ("all", "some")
        counts = " and ".join(str(len(ids)) for ids in only)
        raise HnclipError(
            "nothing to compare",
            where=" and ".join(sources),
            got=f"{report['records']} records in {both}, {counts} in {one}",
            hint="scoring the same records with each model",
        )
    if len(runs) == 2:
        found["flipped"] = flipped(*collected)
    return report | found | basis(resampling)


def entry_of_two(cells: Sequence[Cell], resampling: Resampling) -> Report:
    """What the report says of one number of two models."""
    a, b = _right(cells)
    values, differences, intervals = _differences(cells, resampling)
    return {
        "a": values[0],
        "b": values[1],
        "difference": differences[0],
        "interval": intervals[0],
        "n": len(a),
        "num_groups": len(np.unique(cells[0].clusters)),
        "both_right": int((a & b).sum()),
        "only_a_right": int((a > b).sum()),
        "only_b_right": int((b > a).sum()),
        "both_wrong": int((1 - (a | b)).sum()),
        "num_ties": [int(outcomes(cell.margins).tie.sum()) for cell in cells],
        "num_subsets": cells[0].num_parts,
    } | parts(cells[0])


def entry_of_many(cells: Sequence[Cell], resampling: Resampling) -> Report:
    """What the report says of one number of several models: each one's difference to A."""
    values, differences, intervals = _differences(cells, resampling)
    others = ascii_lowercase[1:]
    return {
        **dict(zip(ascii_lowercase, values, strict=False)),
        "differences": dict(zip(others, differences, strict=False)),
        "intervals": dict(zip(others, intervals, strict=False)),
        "n": len(cells[0].margins),
        "num_groups": len(np.unique(cells[0].clusters)),
        "num_ties": [int(outcomes(cell.margins).tie.sum()) for cell in cells],
        "num_subsets": cells[0].num_parts,
    } | parts(cells[0])


def _right(cells: Iterable[Cell]) -> list[Ints]:
    return [outcomes(cell.margins).correct.astype(np.int64) for cell in cells]


def _differences(
    cells: Sequence[Cell], resampling: Resampling
) -> tuple[list[float], list[float], list[list[float] | None]]:
    """The value of each model; of all but A the difference to A, and the interval of that."""
    a, (first, *others) = cells[0], _right(cells)
    values = [a.mean(right) for right in (first, *others)]
    intervals = []
    for right in others:
        counts = Counts.of(a.clusters, a.columns, 1 + right - first)
        between = resampling.interval(counts, a.weights)
        intervals.append(between and [bound - 1 for bound in between])
    return values, [value - values[0] for value in values[1:]], intervals


def flipped(a: Collected, b: Collected) -> Report:
    """The records that one model has right and the other wrong, of each measure of records."""
    ids = a.ids or []
    found: Report = {}
    others = b.measures()
    for measure, ours in a.measures().items():
        if measure == "pair":
            continue
        right = [outcomes(o.margin).correct for o in (ours, others[measure])]
        found[measure] = {
            name: [ids[record] for record in np.unique(ours.record[chosen])]
            for name, chosen in (("gained", right[1] > right[0]), ("lost", right[0] > right[1]))
        }
    return found


def pair(
    runs: Sequence[Collected], sources: Sequence[str]
) -> tuple[list[Collected], list[list[str]]]:
    """Bring the records of several files together; the n-th of an id belongs to the n-th.

    Returns:
        the records that all have, in the order and with the labels of the first; of each file the
        ids of the records that another lacks.

    Raises:
        HnclipError: two records of one id are different items.
    """
    row_of = [{key: row for row, key in enumerate(_keys(run))} for run in runs]
    common = [key for key in row_of[0] if all(key in rows for rows in row_of)]
    paired: list[Collected] = []
    for run, rows, source in zip(runs, row_of, sources, strict=True):
        same = run.take(np.array([rows[key] for key in common], np.int64))
        if paired:
            first = paired[0]
            different = np.flatnonzero(first.contents != same.contents)
            if len(different):
                raise HnclipError(
                    f'record "{common[different[0]][0]}" is not the same item in both files',
                    where=source,
                    expected="the same images, captions and negatives under one id",
                )
            names = ("clusters", "places", "place", "labels", "label", "kinds", "kind")
            same = replace(same, **{name: getattr(first, name) for name in names})
        paired.append(same)
    inside = set(common)
    return paired, [[name for name, n in rows if (name, n) not in inside] for rows in row_of]


def _keys(collected: Collected) -> Iterator[tuple[str, int]]:
    """The id of each record, and how often it came before."""
    seen: Counter[str] = Counter()
    for name in collected.ids or []:
        yield name, seen[name]
        seen[name] += 1


def _collect(reader: RecordReader, fields: list[str]) -> Collected:
    collector = Collector(fields, identify=True)
    for record in reader:
        try:
            collector.add(record)
        except InputError as error:
            reader.policy.bad(error)
    return collector.finish()
