"""Records in, arrays of numbers out: what is kept of each record once it has gone by."""

import json
from array import array
from collections.abc import Hashable, Iterable
from math import isfinite
from typing import Any

import numpy as np

from hnclip_cli.evaluation.benchmarks import RANKED, RANKS, Place
from hnclip_cli.evaluation.collected import Collected, Label, Observations
from hnclip_cli.evaluation.metrics import Bools, Floats, query_margins
from hnclip_cli.streams.records import Record

NUMBERS = frozenset((float, int))
PLACE_FIELDS = ("benchmark", "subset")

Texts = str | tuple[str, ...] | None


class Collector:
    """Keep of each record its scores, its labels and the hash of its image group.

    Tens of bytes a record, field and negative, whatever the length of the captions.

    Args:
        fields: whose values label the records. ``kind`` is a field of the negatives; all others
            are top-level fields of the record.
        identify: keep what tells which records of two files are the same, too.
    """

    def __init__(self, fields: Iterable[str] = (), *, identify: bool = False) -> None:
        fields = list(fields)
        self.num_records = 0
        self.num_unmeasured = 0
        self._places = _Numbered()
        self._last_place: tuple[Any, Any, Any] | None = None
        self._fields = {f: _Numbered() for f in fields if f not in (*PLACE_FIELDS, "kind")}
        self._kinds = _Numbered() if "kind" in fields else None
        self._clusters = array("q")
        # Short form: the rows of all items end to end, the true caption first.
        self._items, self._scores, self._widths = array("q"), array("d"), array("q")
        # Two images that each belong to one of two captions: four scores, the true ones at 0, 3.
        self._squares, self._square_scores = array("q"), array("d")
        self._queries: dict[str, tuple[array[int], array[float]]] = {}
        self._ids: list[str] | None = [] if identify else None
        self._contents = array("q")

    def add(self, record: Record, *, scores_expected: bool = True) -> None:
        """Take what the report needs of a record; one that is refused leaves no trace.

        Args:
            record: the record.
            scores_expected: a record without ``scores`` is an error.

        Raises:
            InputError: scores that are missing, of the wrong shape or not finite.
        """
        cluster = cluster_key(record)
        labels = [_hashable(record.get(field)) for field in self._fields]
        identity = (record.id, _content_key(record)) if self._ids is not None else None
        if "scores" not in record:
            if scores_expected:
                raise record.error(
                    'missing field "scores"', got=_fields(record), hint="hnclip score"
                )
        elif record.is_matching:
            self._add_matching(record)
        else:
            self._add_short(record)
        self._clusters.append(cluster)
        # Records of one place mostly follow one another.
        place = (record.get("benchmark"), record.get("subset"), record.get("tags"))
        if place == self._last_place:
            self._places.repeat()
        else:
            self._places.extend([tuple(map(_hashable, place))])
            # Equal values can have different labels, as 1 and true have; texts cannot.
            is_text = all(value is None or type(value) is str for value in place[:2])
            self._last_place = place if is_text else None
        for numbered, label in zip(self._fields.values(), labels, strict=True):
            numbered.extend([label])
        if self._ids is not None and identity is not None:
            self._ids.append(identity[0])
            self._contents.append(identity[1])
        self.num_records += 1

    def _add_short(self, record: Record) -> None:
        kinds = _kinds(record)
        scores = read_scores(record, 1, 1 + len(kinds))[0]
        if not kinds:
            self.num_unmeasured += 1
            return
        if self._kinds is not None:
            self._kinds.extend(kinds)
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
        scores, truth = _by_class(record, scores, truth)
        measured = 0
        for direction, (matrix, true) in {
            "image_to_text": (scores, truth),
            "text_to_image": (scores.T, truth.T),
        }.items():
            top, everyone = query_margins(matrix, true)
            measured += len(top)
            self._add_queries(direction, top)
            self._add_queries(f"{direction}_all", everyone)
            if direction == "image_to_text" and record.get("benchmark") in RANKED:
                for rank in RANKS:
                    self._add_queries(f"R@{rank}", query_margins(matrix, true, rank)[0])
        self.num_unmeasured += not measured

    def _add_queries(self, measure: str, margins: Iterable[float]) -> None:
        where, values = self._queries.setdefault(measure, (array("q"), array("d")))
        values.extend(margins)
        where.extend([self.num_records] * (len(values) - len(where)))

    def finish(self) -> Collected:
        """All that was kept, as arrays."""
        return Collected(
            num_records=self.num_records,
            num_unmeasured=self.num_unmeasured,
            clusters=np.unique(np.array(self._clusters), return_inverse=True)[1],
            places=[_place(*key) for key in self._places.values],
            place=np.array(self._places.numbers),
            labels={
                "benchmark": [_labels(key[0]) for key in self._places.values],
                "subset": [_subset_labels(*key) for key in self._places.values],
            }
            | {
                field: [_labels(key) for key in numbered.values]
                for field, numbered in self._fields.items()
            },
            label={field: np.array(n.numbers) for field, n in self._fields.items()},
            items=np.array(self._items),
            widths=np.array(self._widths),
            scores=np.array(self._scores),
            kinds=None if self._kinds is None else [(kind,) for kind in self._kinds.values],
            kind=None if self._kinds is None else np.array(self._kinds.numbers),
            squares=np.array(self._squares),
            square_scores=np.array(self._square_scores).reshape(-1, 2, 2),
            queries={
                name: Observations(np.array(where), np.array(margins))
                for name, (where, margins) in self._queries.items()
                if len(margins)
            },
            ids=self._ids,
            contents=np.array(self._contents),
        )


class _Numbered:
    """Distinct values in the order they came, and the number of each owner's value in turn."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self._number_of: dict[Any, int] = {}

    def extend(self, values: Iterable[Hashable]) -> None:
        known = self._number_of
        self.numbers.extend([known.setdefault(value, len(known)) for value in values])

    def repeat(self) -> None:
        self.numbers.append(self.numbers[-1])

    @property
    def values(self) -> list[Any]:
        return list(self._number_of)


def cluster_key(record: Record) -> int:
    """64 bits that stand for the record's image group within this process."""
    # A million records: what is in order goes past the properties that check and complain.
    group = record["group"] if "group" in record else record.get("image")
    return hash(group if type(group) is str and group.strip() else record.group)


def _kinds(record: Record) -> list[str]:
    """The kinds of the negatives, checked as `Record.negatives` does, in half its time."""
    negatives = record.get("negatives", [])
    if type(negatives) is not list:
        negatives = record.negatives  # which complains
    kinds = [
        kind
        for negative in negatives
        if type(negative) is dict
        and type(kind := negative.get("kind")) is str
        and type(caption := negative.get("caption")) is str
        and caption.strip()
    ]
    if len(kinds) == len(negatives):
        return kinds
    return [negative.kind for negative in record.negatives]


def _content_key(record: Record) -> int:
    """64 bits that stand for all that is scored: two records that agree are the same item."""
    names = ("image", "caption", "images", "captions", "truth")
    content = [*map(record.get, names), [n.caption for n in record.negatives]]
    return hash(json.dumps(content, sort_keys=True))


def read_scores(record: Record, num_images: int, num_captions: int) -> list[list[float]]:
    """The scores of a record, checked.

    Raises:
        InputError: not a matrix of this shape, or an element that is not a finite number.
    """
    scores: Any = record["scores"]
    if (
        num_images == 1
        and type(scores) is list
        and len(scores) == 1
        and type(scores[0]) is list
        and len(scores[0]) == num_captions
        and _all_finite(scores[0])
    ):
        return scores
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
        return NUMBERS.issuperset(map(type, row)) and all(map(isfinite, row))
    except OverflowError:  # an integer beyond the floats
        return False


def _by_class(record: Record, scores: Floats, truth: Bools) -> tuple[Floats, Bools]:
    """Where each class has several prompts, side by side, the mean of their scores.

    Raises:
        InputError: ``prompts_per_class`` does not divide the captions.
    """
    count = record.get("prompts_per_class", 1)
    num_images, num_captions = scores.shape
    if type(count) is not int or count < 1 or num_captions % count:
        raise record.error(
            'field "prompts_per_class" does not fit the captions',
            got=json.dumps(count)[:40],
            expected=f"a divisor of {num_captions}",
        )
    shape = (num_images, num_captions // count, count)
    of_class: Bools = np.logical_or.reduce(truth.reshape(shape), axis=2)
    return scores.reshape(shape).mean(axis=2), of_class


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


def _hashable(value: Any) -> Texts:
    """A field's value by which labels are told apart: most are one string, kept as it is."""
    if value is None or type(value) is str:
        return value
    return tuple(dict.fromkeys(_texts(value)))


def _as_tuple(texts: Texts) -> tuple[str, ...]:
    return () if texts is None else (texts,) if isinstance(texts, str) else texts


def _place(benchmark: Texts, subset: Texts, tags: Texts) -> Place:
    first, second = (next(iter(_as_tuple(texts)), "") for texts in (benchmark, subset))
    return Place(first, second, _as_tuple(tags))


def _labels(texts: Texts) -> tuple[Label, ...]:
    return tuple((text,) for text in _as_tuple(texts))


def _subset_labels(benchmark: Texts, subset: Texts, tags: Texts) -> tuple[Label, ...]:
    """A subset's label is (benchmark, subset)."""
    first = next(iter(_as_tuple(benchmark)), "")
    return tuple((first, text) for text in _as_tuple(subset))


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
