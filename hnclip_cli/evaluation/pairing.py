"""The same records under the scores of several models, item by item."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation.observations import Observations
from hnclip_cli.evaluation.provenance import Provenance, content_digest
from hnclip_cli.evaluation.tally import Tally
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import as_records

MAX_NAMED = 10

# What is scored, of each id and how often it came before, in the order of the records.
Items = dict[tuple[str, int], bytes]


@dataclass(frozen=True)
class Paired:
    """What several files say of the records that all of them have."""

    sides: list[Observations]  # of each file, in the order and with the labels of the first
    ids: list[str]  # of these records
    only: list[list[str]]  # of each file the ids of those that another lacks
    runs: list[dict[str, Any]]  # of each file what it says of its model

    def unpaired(self) -> list[dict[str, Any]]:
        """Of each file how many records another lacks, and the first of them."""
        return [{"records": len(ids), "ids": ids[:MAX_NAMED]} for ids in self.only]


def observe_all(
    runs: Sequence[Iterable[Mapping[str, Any]]],
    sources: Sequence[str],
    fields: list[str],
    policy: ErrorPolicy,
) -> Paired:
    """Read each file once, and pair them.

    Raises:
        HnclipError: a bad record that the policy does not skip, one id for different items, or no
            record that all have.
    """
    first = observe(runs[0], fields, policy)
    ranks = {rank for _, rank in first[0].margins}  # others may not say of which benchmark they are
    others = [observe(run, fields, policy, ranks) for run in runs[1:]]
    sides, ids, only = pair([seen[:2] for seen in (first, *others)], sources, policy)
    if not sides[0].margins:
        both, one = ("both", "one") if len(runs) == 2 else ("all", "some")
        counts = " and ".join(str(len(names)) for names in only)
        raise HnclipError(
            "nothing to compare",
            where=" and ".join(sources),
            got=f"{len(ids)} records in {both}, {counts} in {one}",
            hint="scoring the same records with each model",
        )
    return Paired(sides, ids, only, [seen[2].describe() for seen in (first, *others)])


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


def observe(
    records: Iterable[Mapping[str, Any]],
    fields: list[str],
    policy: ErrorPolicy,
    ranks: Iterable[int] = (),
) -> tuple[Observations, Items, Provenance]:
    """What is known of the records of one file, their content by id, and their model."""
    tally, provenance = Tally(fields, ranks), Provenance()
    items: Items = {}
    seen: Counter[str] = Counter()
    for record in as_records(records):
        try:
            name, content = record.id, content_digest(record)
            tally.add(record)
        except InputError as error:
            policy.bad(error)
            continue
        provenance.add(record)
        items[name, seen[name]] = content
        seen[name] += 1
    return tally.finish(), items, provenance
