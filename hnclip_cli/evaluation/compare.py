"""Two models on the same records, item by item; of more, the table of all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hnclip_cli.evaluation.bootstrap import Resampling
from hnclip_cli.evaluation.margins import outcomes
from hnclip_cli.evaluation.measures import MEASURES, Accuracy
from hnclip_cli.evaluation.observations import Observations
from hnclip_cli.evaluation.pairing import observe_all
from hnclip_cli.evaluation.report import (
    DEFAULT_BY,
    Report,
    all_accuracies,
    basis,
    parts,
    sections,
)
from hnclip_cli.evaluation.tabulate import names_of, tabulate
from hnclip_cli.streams.jsonl import ErrorPolicy


def compare(
    runs: Sequence[Iterable[Mapping[str, Any]]],
    *,
    names: Sequence[str] | None = None,
    by: Iterable[str] = DEFAULT_BY,
    rounds: int = 1000,
    seed: int = 0,
    without: Iterable[str] = (),
    policy: ErrorPolicy | None = None,
) -> Report:
    """Measure scores of the same records by two or more models, paired by ``id``.

    The bootstrap draws groups of images, each with its outcomes under all models. So an interval
    is that of a difference, and much narrower than the intervals of the two models.

    Args:
        runs: records with the scores of model A, of model B, and so on, read once each.
        names: of the models; by default the files that the records come from.
        by: fields to break the measures down by.
        rounds: of the bootstrap; 0 gives no intervals.
        seed: of the bootstrap.
        without: names of parts that the means of official scores leave out.
        policy: what to do with a bad record; by default it is an error.

    Returns:
        the report, ready for JSON; docs/metrics.md defines each number. Of two models it says which
        records flipped; of more it is the table of `tabulate`.

    Raises:
        HnclipError: a bad record that the policy does not skip, records of one id that are
            different items, nothing to compare, or fewer than 2 models.
    """
    how: dict[str, Any] = {"by": by, "rounds": rounds, "seed": seed, "without": without}
    if len(runs) != 2:
        return tabulate(runs, names=names, policy=policy, **how)
    policy = policy or ErrorPolicy()
    skipped_before = policy.num_skipped
    fields = list(dict.fromkeys(by))
    resampling = Resampling(rounds, seed)
    sources = names or names_of(runs)
    paired = observe_all(runs, sources, fields, policy)
    report: Report = {
        "a": sources[0],
        "b": sources[1],
        "runs": dict(zip("ab", paired.runs, strict=True)),
        "records": len(paired.ids),
        "skipped": policy.num_skipped - skipped_before,
        "unpaired": dict(zip("ab", paired.unpaired(), strict=True)),
    }
    sides = zip(*(all_accuracies(side, fields, without) for side in paired.sides), strict=True)
    found = sections(((same[0], entry_of_two(same, resampling)) for same in sides), fields)
    found["flipped"] = flipped(paired.sides, paired.ids)
    return report | found | basis(resampling, found)


def entry_of_two(same: Sequence[Accuracy], resampling: Resampling) -> Report:
    """What the report says of one number of two models."""
    first = same[0]
    results = [number.outcomes for number in same]
    a, b = (result.correct.astype(np.int64) for result in results)
    ours, theirs = (1 * result.counted for result in results)
    between = first.interval(1 + theirs - ours, resampling)
    values = first.mean(ours), first.mean(theirs)
    return {
        "key": first.key,
        "a": values[0],
        "b": values[1],
        "difference": values[1] - values[0],
        "interval": between and [bound - 1 for bound in between],
        "n": len(a),
        "num_groups": first.num_groups,
        "both_right": int((a & b).sum()),
        "only_a_right": int((a > b).sum()),
        "only_b_right": int((b > a).sum()),
        "both_wrong": int((1 - (a | b)).sum()),
        "num_ties": [int(result.tie.sum()) for result in results],
        "num_subsets": first.num_parts,
    } | parts(first)


def flipped(observed: Sequence[Observations], ids: Sequence[str]) -> Report:
    """The records that one model has right and the other wrong, of each measure of records."""
    found: Report = {}
    for measure, facts in MEASURES.items():
        is_shown = facts.section and measure != "pair"
        if not is_shown or (measure, 1) not in observed[0].margins:
            continue
        record = observed[0].margins[measure, 1].record
        ours, theirs = (outcomes(run.margins[measure, 1].margin).correct for run in observed)
        found[measure] = {
            "gained": [ids[row] for row in np.unique(record[theirs > ours])],
            "lost": [ids[row] for row in np.unique(record[ours > theirs])],
        }
    return found
