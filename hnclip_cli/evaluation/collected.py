"""What was kept of all records: the measures, and who carries which label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hnclip_cli.evaluation.benchmarks import Place
from hnclip_cli.evaluation.metrics import (
    Floats,
    Ints,
    item_margins,
    pair_margins,
    winoground_margins,
)

Label = tuple[str, ...]

QUERY_MEASURES = (
    "image_to_text",
    "text_to_image",
    "image_to_text_all",
    "text_to_image_all",
)


@dataclass(frozen=True)
class Observations:
    """The margins of one measure, and the record (from 0) that each comes from."""

    record: Ints
    margin: Floats

    @classmethod
    def joined(cls, parts: Sequence["Observations"]) -> "Observations":
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        records = [part.record for part in parts]
        margins = [part.margin for part in parts]
        return cls(
            np.concatenate([np.empty(0, np.int64), *records]),
            np.concatenate([np.empty(0), *margins]),
        )


@dataclass(frozen=True)
class Labeling:
    """Which observations carry which label; an observation may carry none or several."""

    names: list[Label]
    observation: Ints
    label: Ints


@dataclass(frozen=True)
class Collected:
    """Arrays of R records, I short items, P pairs, S squares.

    Attributes:
        clusters: image group of each record, numbered from 0, shape (R,).
        places: the distinct places in benchmarks; ``place`` (R,) numbers them.
        labels: of each field, the labels of each distinct value; ``label[field]`` (R,) numbers
            them. Benchmarks and subsets are numbered by ``place``.
        items, widths: record and number of captions of each short item, shape (I,).
        scores: rows of the short items end to end, the true caption first, shape (I + P,).
        kinds: the distinct kinds of negatives; ``kind`` (P,) numbers them.
        squares: record of each 2 x 2 item (S,), with ``square_scores`` (S, 2, 2).
        queries: observations of all other matching items, by measure.
        ids, contents: of each record, where records of two files are to be told apart.
    """

    num_records: int
    num_unmeasured: int
    clusters: Ints
    places: list[Place]
    place: Ints
    labels: dict[str, list[tuple[Label, ...]]]
    label: dict[str, Ints]
    items: Ints
    widths: Ints
    scores: Floats
    kinds: list[Label] | None
    kind: Ints | None
    squares: Ints
    square_scores: Floats
    queries: dict[str, Observations]
    ids: list[str] | None
    contents: Ints

    def measures(self) -> dict[str, Observations]:
        """All measures of the report that have an observation, in its order."""
        found = {}
        if len(self.items):
            item, margins = pair_margins(self.scores, self.widths)
            found["pair"] = Observations(self.items[item], margins)
            found["item"] = Observations(self.items, item_margins(self.scores, self.widths))
        if len(self.squares):
            for name, margins in winoground_margins(self.square_scores).items():
                found[name] = Observations(self.squares, margins)
        return found | {name: self.queries[name] for name in QUERY_MEASURES if name in self.queries}

    def recalls(self, rank: int) -> Observations:
        """Whether a true caption is among the first ``rank``, of short items and of queries."""
        margins = item_margins(self.scores, self.widths, rank)
        parts = [Observations(self.items, margins)]
        if (name := f"R@{rank}") in self.queries:
            parts.append(self.queries[name])
        return Observations.joined(parts)

    def labeling(self, field: str, measure: str, observations: Observations) -> Labeling | None:
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

        value = self.label.get(field, self.place)[observations.record]
        count = count_of[value]
        observation = np.repeat(np.arange(len(count)), count)
        if not len(observation):
            return None
        offset = np.arange(len(observation)) - np.repeat(np.cumsum(count) - count, count)
        return Labeling(
            list(numbers), observation, flat[np.repeat(first_of[value], count) + offset]
        )

    def take(self, records: Ints) -> "Collected":
        """Some records, in the order of their numbers given, shape (r,), each at most once."""
        position = np.full(self.num_records, -1)
        position[records] = np.arange(len(records))

        def chosen(owner: Ints) -> Ints:
            kept = np.flatnonzero(position[owner] >= 0)
            return kept[np.argsort(position[owner[kept]], kind="stable")]

        items, squares = chosen(self.items), chosen(self.squares)
        queries = {}
        for name, found in self.queries.items():
            rows = chosen(found.record)
            if len(rows):
                queries[name] = Observations(position[found.record[rows]], found.margin[rows])
        return replace(
            self,
            num_records=len(records),
            clusters=self.clusters[records],
            place=self.place[records],
            label={field: numbers[records] for field, numbers in self.label.items()},
            items=position[self.items[items]],
            widths=self.widths[items],
            scores=self.scores[_spans(self.widths, items)],
            kind=None if self.kind is None else self.kind[_spans(self.widths - 1, items)],
            squares=position[self.squares[squares]],
            square_scores=self.square_scores[squares],
            queries=queries,
            ids=None if self.ids is None else [self.ids[record] for record in records],
            contents=self.contents[records] if len(self.contents) else self.contents,
        )


def _spans(widths: Ints, chosen: Ints) -> Ints:
    """Indices of the elements of some rows of a ragged array, shape (sum of widths[chosen],)."""
    starts = np.cumsum(widths) - widths
    width = widths[chosen]
    offset = np.arange(width.sum()) - np.repeat(np.cumsum(width) - width, width)
    spans: Ints = np.repeat(starts[chosen], width) + offset
    return spans
