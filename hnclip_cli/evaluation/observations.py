"""What is known of all records: the margins of every measure, and who carries which label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from hnclip_cli.benchmarks import RANK_MEASURES, Place
from hnclip_cli.evaluation.margins import Floats, Ints

Label = tuple[str, ...]


class Margins(NamedTuple):
    """The margins of one measure, and the record (from 0) that each comes from, shape (n,)."""

    record: Ints
    margin: Floats


class Sample(NamedTuple):
    """Some margins, and what the bootstrap draws each one with, shape (n,)."""

    margins: Floats
    clusters: Ints


@dataclass(frozen=True)
class Observations:
    """All that the report is made of, of R records with P pairs."""

    num_unmeasured: int
    num_same_tokens: int  # false captions that were true ones to the model
    clusters: Ints  # image group of each record, numbered from 0, shape (R,)
    places: list[Place]  # the distinct places in benchmarks; ``place`` (R,) numbers them
    place: Ints
    # Of each field, the labels of each distinct value; ``label[field]`` (R,) numbers them, of
    # ``kind`` (P,). Benchmarks and subsets are numbered by ``place``.
    labels: dict[str, list[tuple[Label, ...]]]
    label: dict[str, Ints]
    margins: dict[tuple[str, int], Margins]  # by measure and rank, those that there are

    @property
    def of_ranks(self) -> list[tuple[str, int]]:
        """The measures of retrieval that there are."""
        return [key for key in self.margins if key[0] in RANK_MEASURES]

    def pooled(self, measures: Sequence[str], rank: int = 1) -> Margins:
        """The margins of several measures that mean the same, one after the other."""
        found = [self.margins[name, rank] for name in measures if (name, rank) in self.margins]
        return Margins(
            np.concatenate([np.empty(0, np.int64), *(part.record for part in found)]),
            np.concatenate([np.empty(0), *(part.margin for part in found)]),
        )

    def sample(self, found: Margins, chosen: Ints | slice = slice(None)) -> Sample:
        """Some of the margins of a measure."""
        return Sample(found.margin[chosen], self.clusters[found.record[chosen]])

    def labeled(self, field: str, measure: str) -> dict[Label, Ints]:
        """The observations of a measure under each label of a field; a label may have none."""
        if field == "kind":
            return grouped(self.label[field], self.labels[field]) if measure == "pair" else {}
        value = self.label.get(field, self.place)[self.margins[measure, 1].record]
        return grouped(value, self.labels[field])

    def take(self, records: Ints) -> "Observations":
        """Some records, in the order of their numbers given, shape (r,), each at most once."""
        position = np.full(len(self.clusters), -1)
        position[records] = np.arange(len(records))
        chosen = {}
        for key, found in self.margins.items():
            kept = np.flatnonzero(position[found.record] >= 0)
            chosen[key] = kept[np.argsort(position[found.record[kept]], kind="stable")]
        pairs = chosen.get(("pair", 1), records[:0])
        return replace(
            self,
            clusters=self.clusters[records],
            place=self.place[records],
            label={
                field: numbers[pairs if field == "kind" else records]
                for field, numbers in self.label.items()
            },
            margins={
                key: Margins(position[found.record[chosen[key]]], found.margin[chosen[key]])
                for key, found in self.margins.items()
                if len(chosen[key])
            },
        )


def grouped(numbers: Ints, keys: Sequence[Iterable[Label]]) -> dict[Label, Ints]:
    """The observations (n,) of numbered values under each key; a value has any number of keys."""
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(len(keys) + 1))
    found: dict[Label, list[Ints]] = {}
    for names, start, stop in zip(keys, bounds, bounds[1:], strict=False):
        for name in names:
            found.setdefault(name, []).append(order[start:stop])
    return {name: np.concatenate(parts) for name, parts in found.items()}
