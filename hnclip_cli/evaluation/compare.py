"""Two models on the same records, item by item."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation.bootstrap import Counts, Resampling
from hnclip_cli.evaluation.cell import Cell
from hnclip_cli.evaluation.cells import all_cells
from hnclip_cli.evaluation.collect import Collector
from hnclip_cli.evaluation.collected import Collected
from hnclip_cli.evaluation.metrics import outcomes
from hnclip_cli.evaluation.report import DEFAULT_BY, Report, basis, parts, sections
from hnclip_cli.streams.jsonl import RecordReader

MAX_NAMED = 10


@dataclass(frozen=True)
class Paired:
    """Records that both files have, in the order of the first.

    Attributes:
        a, b: the same records and labels, with the scores of each file.
        only_a, only_b: ids of records that only one file has.
    """

    a: Collected
    b: Collected
    only_a: list[str]
    only_b: list[str]


def compare(
    first: RecordReader,
    second: RecordReader,
    *,
    by: Iterable[str] = DEFAULT_BY,
    rounds: int = 1000,
    seed: int = 0,
    without: Iterable[str] = (),
) -> Report:
    """Measure two files of scores of the same records, paired by ``id``.

    The bootstrap draws image groups, and each takes its outcomes in both files along: the
    interval is that of the difference, far narrower than two intervals laid side by side.

    Args:
        first: records with the scores of model A.
        second: those of model B.
        by: fields to break the measures down by.
        rounds: of the bootstrap; 0 gives no intervals.
        seed: of the bootstrap.
        without: names of parts that the means of official scores leave out.

    Returns:
        the report, ready for JSON; docs/eval.md defines each number.

    Raises:
        HnclipError: a bad record under ``fail``, records of one id that are different items, or
            nothing to compare.
    """
    fields = list(dict.fromkeys(by))
    resampling = Resampling(rounds, seed)
    paired = pair(_collect(first, fields), _collect(second, fields), second.source)
    report: Report = {
        "a": first.source,
        "b": second.source,
        "records": paired.a.num_records,
        "skipped": first.policy.num_skipped,
        "unpaired": {
            name: {"records": len(ids), "ids": ids[:MAX_NAMED]}
            for name, ids in (("a", paired.only_a), ("b", paired.only_b))
        },
    }
    sides = [all_cells(side, fields, frozenset(without)) for side in (paired.a, paired.b)]
    pairs = zip(*sides, strict=True)
    found = sections(((a, entry(a, b, resampling)) for a, b in pairs), fields)
    if not found:
        raise HnclipError(
            "nothing to compare",
            where=f"{first.source} and {second.source}",
            got=f"{report['records']} records in both, {len(paired.only_a)} and "
            f"{len(paired.only_b)} in one",
            hint="scoring the same records with both models",
        )
    return report | found | {"flipped": flipped(paired)} | basis(resampling)


def entry(a: Cell, b: Cell, resampling: Resampling) -> Report:
    """What the report says of one number of two models."""
    results = outcomes(a.margins), outcomes(b.margins)
    right = [result.correct.astype(np.int64) for result in results]
    counts = Counts.of(a.clusters, a.columns, 1 + right[1] - right[0])
    between = resampling.interval(counts, a.weights)
    values = [a.mean(correct) for correct in right]
    return {
        "a": values[0],
        "b": values[1],
        "difference": values[1] - values[0],
        "interval": between and [bound - 1 for bound in between],
        "n": len(a.margins),
        "num_groups": len(np.unique(counts.cluster)),
        "both_right": int((right[0] & right[1]).sum()),
        "only_a_right": int((right[0] > right[1]).sum()),
        "only_b_right": int((right[1] > right[0]).sum()),
        "both_wrong": int((1 - (right[0] | right[1])).sum()),
        "num_ties": [int(result.tie.sum()) for result in results],
        "num_subsets": a.num_parts,
    } | parts(a)


def flipped(paired: Paired) -> Report:
    """The records that one model has right and the other wrong, of each measure of records."""
    ids = paired.a.ids or []
    found: Report = {}
    others = paired.b.measures()
    for measure, ours in paired.a.measures().items():
        if measure == "pair":
            continue
        right = [outcomes(o.margin).correct for o in (ours, others[measure])]
        found[measure] = {
            name: [ids[record] for record in np.unique(ours.record[chosen])]
            for name, chosen in (("gained", right[1] > right[0]), ("lost", right[0] > right[1]))
        }
    return found


def pair(a: Collected, b: Collected, source: str) -> Paired:
    """Bring the records of two files together; the n-th of an id belongs to the n-th.

    Raises:
        HnclipError: two records of one id are different items; ``source`` is B's.
    """
    keys_a, keys_b = list(_keys(a)), list(_keys(b))
    row_of = {key: row for row, key in enumerate(keys_b)}
    rows = [(row, row_of[key]) for row, key in enumerate(keys_a) if key in row_of]
    rows_a, rows_b = (np.array([pair[side] for pair in rows], np.int64) for side in (0, 1))
    different = np.flatnonzero(a.contents[rows_a] != b.contents[rows_b])
    if len(different):
        name = keys_a[rows_a[different[0]]][0]
        raise HnclipError(
            f'record "{name}" is not the same item in both files',
            where=source,
            expected="the same images, captions and negatives under one id",
        )
    ours, theirs = a.take(rows_a), b.take(rows_b)
    same = replace(
        theirs,
        clusters=ours.clusters,
        places=ours.places,
        place=ours.place,
        labels=ours.labels,
        label=ours.label,
        kinds=ours.kinds,
        kind=ours.kind,
    )
    known = set(keys_a)
    return Paired(
        ours,
        same,
        [name for name, number in keys_a if (name, number) not in row_of],
        [name for name, number in keys_b if (name, number) not in known],
    )


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
