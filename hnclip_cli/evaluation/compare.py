"""Several models on the same records, item by item."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from string import ascii_lowercase
from typing import Any

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation.bootstrap import Resampling
from hnclip_cli.evaluation.margins import outcomes
from hnclip_cli.evaluation.measures import MEASURES, Accuracy
from hnclip_cli.evaluation.observations import Observations
from hnclip_cli.evaluation.report import (
    DEFAULT_BY,
    Report,
    all_accuracies,
    basis,
    parts,
    sections,
)
from hnclip_cli.evaluation.tally import Tally
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, as_records

MAX_NAMED = 10

# What is scored, of each id and how often it came before, in the order of the records.
Items = dict[tuple[str, int], int]


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

    The bootstrap draws image groups, and each takes its outcomes under both models along: the
    interval is that of the difference, far narrower than two intervals laid side by side.

    Args:
        runs: records with the scores of model A, of model B, and so on, read once each.
        names: of the models; by default the files that the records come from.
        by: fields to break the measures down by.
        rounds: of the bootstrap; 0 gives no intervals.
        seed: of the bootstrap.
        without: names of parts that the means of official scores leave out.
        policy: what a bad record does; by default it ends the comparison.

    Returns:
        the report, ready for JSON; docs/eval.md defines each number. Of two models it says which
        records flipped; of more, it has each one's difference to A.

    Raises:
        HnclipError: a bad record that the policy does not skip, records of one id that are
            different items, nothing to compare, or fewer than 2 or more than 26 models.
    """
    if not 2 <= len(runs) <= len(ascii_lowercase):
        raise HnclipError("these cannot be compared", got=f"{len(runs)} runs", expected="2 to 26")
    policy = policy or ErrorPolicy()
    skipped_before = policy.num_skipped
    fields = list(dict.fromkeys(by))
    resampling = Resampling(rounds, seed)
    sources = names or [getattr(run, "source", f"records {i}") for i, run in enumerate(runs, 1)]
    first = _observe(runs[0], fields, policy)
    ranks = {rank for _, rank in first[0].margins}  # others may not say of which benchmark they are
    others = [_observe(run, fields, policy, ranks) for run in runs[1:]]
    observed, ids, only = pair([first, *others], sources, policy)
    report: Report = {
        **dict(zip(ascii_lowercase, sources, strict=False)),
        "records": len(observed[0].clusters),
        "skipped": policy.num_skipped - skipped_before,
        "unpaired": {
            name: {"records": len(ids), "ids": ids[:MAX_NAMED]}
            for name, ids in zip(ascii_lowercase, only, strict=False)
        },
    }
    entry = entry_of_two if len(runs) == 2 else entry_of_many
    sides = zip(*(all_accuracies(side, fields, without) for side in observed), strict=True)
    found = sections(((same[0], entry(same, resampling)) for same in sides), fields)
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
        found["flipped"] = flipped(observed, ids)
    return report | found | basis(resampling)


def entry_of_two(same: Sequence[Accuracy], resampling: Resampling) -> Report:
    """What the report says of one number of two models."""
    first = same[0]
    results = [outcomes(number.margins) for number in same]
    a, b = (result.correct.astype(np.int64) for result in results)
    between = first.interval(1 + b - a, resampling)
    values = first.mean(a), first.mean(b)
    return {
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


def entry_of_many(same: Sequence[Accuracy], resampling: Resampling) -> Report:
    """What the report says of one number of several models: each one's difference to A."""
    pairs = {
        letter: entry_of_two((same[0], other), resampling)
        for letter, other in zip(ascii_lowercase[1:], same[1:], strict=False)
    }
    of_b = pairs["b"]
    return {
        "a": of_b["a"],
        **{letter: pair["b"] for letter, pair in pairs.items()},
        "differences": {letter: pair["difference"] for letter, pair in pairs.items()},
        "intervals": {letter: pair["interval"] for letter, pair in pairs.items()},
        "n": of_b["n"],
        "num_groups": of_b["num_groups"],
        "num_ties": [of_b["num_ties"][0], *(pair["num_ties"][1] for pair in pairs.values())],
        "num_subsets": of_b["num_subsets"],
    } | parts(same[0])


def flipped(observed: Sequence[Observations], ids: Sequence[str]) -> Report:
    """The records that one model has right and the other wrong, of each measure of records."""
    found: Report = {}
    for measure in MEASURES:
        if measure == "pair" or (measure, 1) not in observed[0].margins:
            continue
        record = observed[0].margins[measure, 1].record
        ours, theirs = (outcomes(run.margins[measure, 1].margin).correct for run in observed)
        found[measure] = {
            "gained": [ids[row] for row in np.unique(record[theirs > ours])],
            "lost": [ids[row] for row in np.unique(record[ours > theirs])],
        }
    return found


def pair(
    runs: Sequence[tuple[Observations, Items]], sources: Sequence[str], policy: ErrorPolicy
) -> tuple[list[Observations], list[str], list[list[str]]]:
    """Bring the records of several files together; the n-th of an id belongs to the n-th.

    Gives the records that all have, in the order and with the labels of the first; their ids; of
    each file the ids of those that another lacks. One id of different items is a bad record.
    """
    first = runs[0][1]
    shared = [key for key in first if all(key in items for _, items in runs)]
    common = []
    for key in shared:
        same_in = [items[key] == first[key] for _, items in runs]
        if all(same_in):
            common.append(key)
        else:
            error = InputError(
                f'record "{key[0]}" is not the same item in both files',
                where=sources[same_in.index(False)],
                expected="the same images, captions and negatives under one id",
            )
            policy.bad(error)
    paired: list[Observations] = []
    for run, items in runs:
        row_of = {key: row for row, key in enumerate(items)}
        same = run.take(np.array([row_of[key] for key in common], np.int64))
        paired.append(replace(paired[0], margins=same.margins) if paired else same)
    inside = set(shared)
    only = [[key[0] for key in items if key not in inside] for _, items in runs]
    return paired, [name for name, _ in common], only


def _observe(
    records: Iterable[Mapping[str, Any]],
    fields: list[str],
    policy: ErrorPolicy,
    ranks: Iterable[int] = (),
) -> tuple[Observations, Items]:
    tally = Tally(fields, ranks)
    items: Items = {}
    seen: Counter[str] = Counter()
    for record in as_records(records):
        try:
            name, content = record.id, _content_key(record)
            tally.add(record)
        except InputError as error:
            policy.bad(error)
            continue
        items[name, seen[name]] = content
        seen[name] += 1
    return tally.finish(), items


def _content_key(record: Record) -> int:
    """64 bits that stand for all that is scored: two records that agree are the same item."""
    names = ("image", "caption", "images", "captions", "truth", "prompts_per_class")
    content = [*map(record.get, names), [n.caption for n in record.negatives]]
    return hash(json.dumps(content, sort_keys=True))
