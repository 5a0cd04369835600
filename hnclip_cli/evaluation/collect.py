"""Records in, arrays of numbers out: what is kept of each record once it has gone by."""

import hashlib
import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from hnclip_cli.evaluation.metrics import (
    Floats,
    Ints,
    item_margins,
    pair_margins,
    query_margins,
    winoground_margins,
)
from hnclip_cli.streams.records import Record

Label = tuple[str, ...]


@dataclass(frozen=True)
class Observations:
    """The margins of one measure, and the record (from 0) that each comes from."""

    record: Ints
    margin: Floats


@dataclass(frozen=True)
class Labeling:
    """Which observations carry which label; an observation may carry none or several."""

    names: list[Label]
    observation: Ints
    label: Ints


class Collector:
    """Keep of each record its scores, its labels and the hash of its image group.

    Tens of bytes a record, field and negative, whatever the length of the captions.

    Args:
        fields: whose values label the records. ``kind`` is a field of the negatives; all others
            are top-level fields of the record. A subset's label is (benchmark, subset).
    """

    def __init__(self, fields: Iterable[str]) -> None:
        self.num_records = 0
        self.num_unmeasured = 0
        self._labels = {field: _Labels() for field in dict.fromkeys(fields)}
        self._clusters = array("Q")
        # Short form: the rows of all items end to end, the true caption first.
        self._items, self._scores, self._widths = array("q"), array("d"), array("q")
        # Two images that each belong to one of two captions: four scores, the true ones at 0, 3.
        self._squares, self._square_scores = array("q"), array("d")
        self._queries: dict[str, tuple[array[int], array[float]]] = {}

    def add(self, record: Record, *, scores_expected: bool = True) -> None:
        """Take what the report needs of a record; one that is refused leaves no trace.

        Args:
            record: the record.
            scores_expected: a record without ``scores`` is an error.

        Raises:
            InputError: scores that are missing, of the wrong shape or not finite.
        """
        cluster = cluster_key(record)
        labels = {name: _values(record, name) for name in self._labels if name != "kind"}
        if "scores" not in record:
            if scores_expected:
                raise record.error(
                    'missing field "scores"', got=_fields(record), hint="hnclip score"
                )
        elif record.is_matching:
            self._add_matching(record)
        else:
            self._add_short(record)
        for name, values in labels.items():
            for value in values:
                self._labels[name].add(self.num_records, value)
        self._clusters.append(cluster)
        self.num_records += 1

    def _add_short(self, record: Record) -> None:
        negatives = record.negatives
        scores = read_scores(record, 1, 1 + len(negatives))[0]
        if not negatives:
            self.num_unmeasured += 1
            return
        if "kind" in self._labels:
            first = len(self._scores) - len(self._widths)
            for position, negative in enumerate(negatives):
                self._labels["kind"].add(first + position, (negative.kind,))
        self._items.append(self.num_records)
        self._widths.append(len(scores))
        self._scores.extend(scores)

    def _add_matching(self, record: Record) -> None:
        item = record.matching
        rows = read_scores(record, len(item.images), len(item.captions))
        pairs = set(item.truth)
        if len(item.images) == len(item.captions) == 2 and pairs in (
            {(0, 0), (1, 1)},
            {(0, 1), (1, 0)},
        ):
            first, second = (0, 1) if (0, 0) in pairs else (1, 0)
            self._squares.append(self.num_records)
            for row in (rows[first], rows[second]):
                self._square_scores.extend(row)
            return
        scores = np.array(rows, dtype=np.float64)
        truth = np.zeros(scores.shape, dtype=bool)
        truth[tuple(np.transpose(item.truth))] = True
        measured = 0
        for direction, (matrix, true) in {
            "image_to_text": (scores, truth),
            "text_to_image": (scores.T, truth.T),
        }.items():
            top, everyone = query_margins(matrix, true)
            measured += len(top)
            for name, margins in ((direction, top), (f"{direction}_all", everyone)):
                where, values = self._queries.setdefault(name, (array("q"), array("d")))
                where.extend([self.num_records] * len(margins))
                values.extend(margins)
        self.num_unmeasured += not measured

    @property
    def clusters(self) -> Ints:
        """The image group of each record, numbered from 0."""
        return np.unique(np.frombuffer(self._clusters, np.uint64), return_inverse=True)[1]

    def measures(self) -> dict[str, Observations]:
        """All measures that have an observation, in the order of the report."""
        found = {}
        scores, widths = np.array(self._scores), np.array(self._widths)
        items = np.array(self._items)
        if len(items):
            item, margins = pair_margins(scores, widths)
            found["pair"] = Observations(items[item], margins)
            found["item"] = Observations(items, item_margins(scores, widths))
        if self._squares:
            squares = np.array(self._square_scores).reshape(-1, 2, 2)
            for name, margins in winoground_margins(squares).items():
                found[name] = Observations(np.array(self._squares), margins)
        for name in QUERY_MEASURES:
            where, values = self._queries.get(name, ((), ()))
            if len(values):
                found[name] = Observations(np.array(where), np.array(values))
        return found

    def labeling(self, field: str, measure: str, observations: Observations) -> Labeling | None:
        """Label the observations of a measure; None where the field says nothing about it."""
        labels = self._labels[field]
        owner, label = np.array(labels.owners), np.array(labels.labels)
        if not len(owner) or (field == "kind" and measure != "pair"):
            return None
        if field == "kind":
            return Labeling(labels.names, owner, label)
        # Owners are records in rising order: find each observation's run of labels.
        first = np.searchsorted(owner, observations.record, "left")
        count = np.searchsorted(owner, observations.record, "right") - first
        observation = np.repeat(np.arange(len(count)), count)
        if not len(observation):
            return None
        offset = np.arange(len(observation)) - np.repeat(np.cumsum(count) - count, count)
        return Labeling(labels.names, observation, label[first[observation] + offset])


QUERY_MEASURES = (
    "image_to_text",
    "text_to_image",
    "image_to_text_all",
    "text_to_image_all",
)


class _Labels:
    """Pairs of an owner (a record or a pair, in rising order) and a label."""

    def __init__(self) -> None:
        self.owners, self.labels = array("q"), array("q")
        self._numbers: dict[Label, int] = {}

    def add(self, owner: int, name: Label) -> None:
        self.owners.append(owner)
        self.labels.append(self._numbers.setdefault(name, len(self._numbers)))

    @property
    def names(self) -> list[Label]:
        return list(self._numbers)


def cluster_key(record: Record) -> int:
    """64 bits that stand for the record's image group."""
    digest = hashlib.blake2b(record.group.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def read_scores(record: Record, num_images: int, num_captions: int) -> list[list[float]]:
    """The scores of a record, checked.

    Raises:
        InputError: not a matrix of this shape, or an element that is not a finite number.
    """
    scores: Any = record["scores"]
    is_matrix = isinstance(scores, list) and all(isinstance(row, list) for row in scores)
    widths = {len(row) for row in scores} if is_matrix else set()
    if not is_matrix or len(scores) != num_images or widths != {num_captions}:
        raise record.error(
            _naming(record, 'field "scores" has the wrong shape'),
            got=_shape(scores, is_matrix, widths),
            expected=f"{num_images} × {num_captions}, a row an image, a column a caption",
            hint="scoring it again",
        )
    rows: list[list[float]] = scores
    for row in rows:
        if not _all_finite(row):
            bad = next(score for score in row if not _all_finite([score]))
            raise record.error(
                _naming(record, "a score is not a finite number"),
                got=f"{json.dumps(bad)[:60]} in column {row.index(bad)}",
                expected="a number",
                hint="scoring it again",
            )
    return rows


def _all_finite(row: list[Any]) -> bool:
    try:
        return set(map(type, row)) <= {float, int} and all(map(isfinite, row))
    except OverflowError:  # an integer beyond the floats
        return False


def _shape(scores: Any, is_matrix: bool, widths: set[int]) -> str:
    if not is_matrix:
        text = json.dumps(scores, default=str)
        return text[:40] + "…" if len(text) > 40 else text
    if len(widths) > 1:
        return f"rows of {min(widths)} to {max(widths)} columns"
    return f"{len(scores)} × {max(widths, default=0)}"


def _naming(record: Record, problem: str) -> str:
    name = record.get("id")
    return f'record "{name}": {problem}' if isinstance(name, str) else problem


def _fields(record: Record) -> str:
    return "the fields " + (", ".join(list(record)[:8]) or "none")


def _values(record: Record, field: str) -> list[Label]:
    """The labels that a record's field gives it, without repeats."""
    texts = list(dict.fromkeys(_texts(record.get(field))))
    if field != "subset":
        return [(text,) for text in texts]
    benchmark = next(iter(_texts(record.get("benchmark"))), "")
    return [(benchmark, text) for text in texts]


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return [f"{key}={text}" for key, item in value.items() for text in _texts(item)]
    return [json.dumps(value)]
