"""What is known of all records: the margins of every measure, and who carries which label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hnclip_cli.benchmarks import Place
from hnclip_cli.evaluation.margins import Floats, Ints

Label = tuple[str, ...]


@dataclass(frozen=True)
class Margins:
    """The margins of one measure, and the record (from 0) that each comes from, shape (n,)."""

    record: Ints
    margin: Floats

    @classmethod
    def joined(cls, parts: Sequence["Margins"]) -> "Margins":
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([np.empty(0, np.int64), *(part.record for part in parts)]),
            np.concatenate([np.empty(0), *(part.margin for part in parts)]),
        )


@dataclass(frozen=True)
class Labeling:
    """Which observations carry which label; an observation may carry none or several."""

    names: list[Label]
    observation: Ints
    label: Ints


@dataclass(frozen=True)
class Observations:
    """All that the report is made of, of R records with P pairs.

    Attributes:
        clusters: image group of each record, numbered from 0, shape (R,).
        places: the distinct places in benchmarks; ``place`` (R,) numbers them.
        labels: of each field, the labels of each distinct value; ``label[field]`` (R,) numbers
            them. Benchmarks and subsets are numbered by ``place``.
        measured: the margins by measure, in the order of the report.
        ranked: those of a further rank, by measure and rank, where a benchmark asks for R@k.
        kinds: the distinct kinds of negatives; ``kind`` (P,) numbers them.
        ids, contents: of each record, where records of two files are to be told apart.
    """

    num_records: int
    num_unmeasured: int
    clusters: Ints
    places: list[Place]
    place: Ints
    labels: dict[str, list[tuple[Label, ...]]]
    label: dict[str, Ints]
    measured: dict[str, Margins]
    ranked: dict[tuple[str, int], Margins]
    kinds: list[Label] | None
    kind: Ints | None
    ids: list[str] | None
    contents: Ints

    def margins(self, measures: Sequence[str], rank: int = 1) -> Margins:
        """The margins of several measures that mean the same, one after the other."""
        if rank == 1:
            return Margins.joined([self.measured[m] for m in measures if m in self.measured])
        found = [self.ranked[m, rank] for m in measures if (m, rank) in self.ranked]
        return Margins.joined(found)

    def labeling(self, field: str, measure: str) -> Labeling | None:
        """Label the observations of a measure; None where the field says nothing about it."""
        if field == "kind":
            if measure != "pair" or self.kinds is None or self.kind is None:
                return None
            return Labeling(self.kinds, np.arange(len(self.kind)), self.kind)
        values = self.labels.get(field, [])
        numbers: dict[Label, int] = {}
        carried = [[numbers.setdefault(name, len(numbers)) for name in names] for names in values]
        count_of = np.array([len(names) for names in carried], np.int64)
        first_of = np.cumsum(count_of) - count_of
        flat = np.array([number for names in carried for number in names], np.int64)

        value = self.label.get(field, self.place)[self.measured[measure].record]
        count = count_of[value]
        observation = np.repeat(np.arange(len(count)), count)
        if not len(observation):
            return None
        offset = np.arange(len(observation)) - np.repeat(np.cumsum(count) - count, count)
        return Labeling(
            list(numbers), observation, flat[np.repeat(first_of[value], count) + offset]
        )

    def take(self, records: Ints) -> "Observations":
        """Some records, in the order of their numbers given, shape (r,), each at most once."""
        position = np.full(self.num_records, -1)
        position[records] = np.arange(len(records))

        def rows(found: Margins) -> Ints:
            kept = np.flatnonzero(position[found.record] >= 0)
            return kept[np.argsort(position[found.record[kept]], kind="stable")]

        def taken(found: Margins) -> Margins:
            chosen = rows(found)
            return Margins(position[found.record[chosen]], found.margin[chosen])

        measured = {name: taken(found) for name, found in self.measured.items()}
        has_kinds = self.kind is not None and "pair" in self.measured
        return replace(
            self,
            num_records=len(records),
            clusters=self.clusters[records],
            place=self.place[records],
            label={field: numbers[records] for field, numbers in self.label.items()},
            measured={name: found for name, found in measured.items() if len(found.record)},
            ranked={name: taken(found) for name, found in self.ranked.items()},
            kind=self.kind[rows(self.measured["pair"])]
            if self.kind is not None and has_kinds
            else self.kind,
            ids=None if self.ids is None else [self.ids[record] for record in records],
            contents=self.contents[records] if len(self.contents) else self.contents,
        )
