"""Records in, arrays of numbers out: what is kept of each record once it has gone by."""

import json
from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache, partial
from math import inf, isfinite
from typing import Any

import numpy as np

from hnclip_cli.benchmarks import (
    AVERAGE_PRECISION,
    DIRECTIONS,
    Place,
    needs_average_precision,
    official_metrics,
)
from hnclip_cli.evaluation.margins import (
    Scores,
    average_precision,
    matching_margins,
    ordered_margins,
    text_margin,
)
from hnclip_cli.evaluation.observations import Label, Margins, Observations
from hnclip_cli.evaluation.ranks import rank_margins
from hnclip_cli.streams.records import Record, shorten

NUMBERS = frozenset((float, int))
PLACE_FIELDS = ("benchmark", "subset")
# Matrices of records, and what their rows and columns are.
SHAPES = {
    "scores": "a row an image, a column a caption",
    "caption_scores": "a row and a column a caption",
}

Texts = tuple[str, ...]


class Tally:
    """Keep of each record its margins, its labels and the hash of its image group.

    Tens of bytes a record, field and negative, whatever the length of the captions.

    Args:
        fields: whose values label the records. ``kind`` is a field of the negatives; all others
            are top-level fields of the record.
        ranks: k of R@k that every record is measured by, beside those of its benchmark.
    """

    def __init__(self, fields: Iterable[str] = (), ranks: Iterable[int] = ()) -> None:
        self.num_unmeasured = self.num_same_tokens = 0
        self._places = _Numbered()
        self._ranks_of = cache(partial(_ranks, frozenset(ranks)))
        self._fields = {field: _Numbered() for field in fields if field not in PLACE_FIELDS}
        self._clusters = array("q")
        self._margins: defaultdict[tuple[str, int], tuple[array[int], array[float]]]
        self._margins = defaultdict(lambda: (array("q"), array("d")))

    def add(self, record: Record, *, scores_expected: bool = True) -> None:
        """Take what the report needs of a record; nothing of one with bad scores (`InputError`)."""
        cluster = cluster_key(record)
        values = {field: [_texts(record.get(field))] for field in self._fields}
        place = tuple([_texts(record.get(name)) for name in ("benchmark", "subset", "tags")])
        kinds: list[str] = []
        found: dict[tuple[str, int], Sequence[float]] = {}
        if "scores" in record:
            ranks = self._ranks_of(place[0])
            if record.is_matching:
                found = _of_matching(record, ranks)
                if needs_average_precision(_first(place[0])):
                    found |= _precision(record)
            else:
                kinds = _kinds(record)
                found = _of_short(record, len(kinds), ranks)
            found |= _of_ranks(record, place[0])
            self.num_unmeasured += not any(found.values())
        elif scores_expected:
            got = "the fields " + (", ".join(list(record)[:8]) or "none")
            raise record.error('missing field "scores"', got=got, hint="hnclip score")
        if "kind" in values:
            values["kind"] = [(kind,) for kind in kinds]
        self._keep(len(self._clusters), found)
        for field, numbered in self._fields.items():
            numbered.extend(values[field])
        if isinstance(columns := record.get("same_tokens"), list):
            self.num_same_tokens += len(columns)
        self._clusters.append(cluster)
        self._places.extend([place])

    def add_ranks(self, number: int, benchmark: str, direction: str, ranks: list[int]) -> None:
        """Take the ranks of a query that the record of this number, from 0, stands for."""
        self._keep(number, rank_margins(direction, ranks, official_metrics(benchmark)))

    def _keep(self, number: int, found: Mapping[tuple[str, int], Sequence[float]]) -> None:
        for key, margins in found.items():
            records, kept = self._margins[key]
            records.extend([number] * len(margins))
            kept.extend(margins)

    def finish(self) -> Observations:
        """All that was kept, as arrays."""
        places: list[tuple[Texts, Texts, Texts]] = list(self._places)
        return Observations(
            num_unmeasured=self.num_unmeasured,
            num_same_tokens=self.num_same_tokens,
            clusters=np.unique(np.array(self._clusters), return_inverse=True)[1],
            places=[Place(_first(name), _first(subset), tags) for name, subset, tags in places],
            place=np.array(self._places.numbers),
            labels={
                "benchmark": [_labels(names) for names, _, _ in places],
                # A subset's label is (benchmark, subset).
                "subset": [_labels(subsets, _first(names)) for names, subsets, _ in places],
            }
            | {f: [_labels(texts) for texts in n] for f, n in self._fields.items()},
            label={field: np.array(n.numbers) for field, n in self._fields.items()},
            margins={
                key: Margins(np.array(records), np.array(margins))
                for key, (records, margins) in self._margins.items()
                if len(records)
            },
        )


class _Numbered(dict[Any, int]):
    """Distinct values in the order they came, and the number of each owner's value in turn."""

    def __init__(self) -> None:
        self.numbers = array("q")

    def extend(self, values: Iterable[Hashable]) -> None:
        self.numbers.extend([self.setdefault(value, len(self)) for value in values])


def _of_ranks(record: Record, benchmark: Texts) -> dict[tuple[str, int], Sequence[float]]:
    """What official scores need of ``ranks``: of each direction the ranks of the true ones."""
    found: dict[tuple[str, int], Sequence[float]] = {}
    if "ranks" not in record:
        return found
    given = record.field("ranks", dict)
    for direction in given.keys() & set(DIRECTIONS):
        ranks = given[direction]
        is_whole = isinstance(ranks, list) and all(type(r) is int and r > 0 for r in ranks)
        if not is_whole or not ranks or ranks != sorted(ranks):
            expected = "of each direction, ranks from 1 that rise"
            raise record.error('field "ranks" is malformed', got=shorten(given), expected=expected)
        found |= rank_margins(direction, ranks, official_metrics(_first(benchmark)))
    return found


def _of_short(
    record: Record, num_negatives: int, ranks: Sequence[int]
) -> dict[tuple[str, int], Sequence[float]]:
    true, *false = read_scores(record, 1, 1 + num_negatives)[0]
    if not false:
        return {}
    margins = [true - score for score in false]
    closest = sorted(margins)
    items = {
        # The margin over the k-th best negative (R@k), infinite where there are fewer.
        ("item", rank): [closest[rank - 1] if rank <= len(closest) else inf]
        for rank in ranks
    }
    return {("pair", 1): margins, **items}


def _of_matching(record: Record, ranks: Sequence[int]) -> dict[tuple[str, int], Sequence[float]]:
    item = record.matching
    scores = read_scores(record, len(item.images), len(item.captions))
    found = {
        (measure, rank): margins
        for rank in ranks
        for measure, margins in margins_of(record, scores, rank).items()
    }
    if "caption_scores" in record:
        texts = read_scores(record, len(item.captions), len(item.captions), "caption_scores")
        margin = text_margin(texts, {caption for _, caption in item.truth})
        found["text_to_text", 1] = [] if margin is None else [margin]
    return found


def _precision(record: Record) -> dict[tuple[str, int], Sequence[float]]:
    item = record.matching
    scores = np.array(read_scores(record, len(item.images), len(item.captions)))[:, 0]
    true = np.isin(np.arange(len(scores)), [image for image, caption in item.truth if caption == 0])
    return {(AVERAGE_PRECISION[0], 1): [average_precision(scores, true)] if true.any() else []}


def margins_of(record: Record, scores: Scores, rank: int = 1) -> dict[str, Sequence[float]]:
    """Margins of the general item, measure by measure."""
    truth = record.matching.truth
    if record.is_ordered:
        return ordered_margins(scores[0], len(truth)) if rank == 1 else {}
    counts = record.prompts_per_class, record.frames_per_video
    return matching_margins(scores, truth, per_class=counts[0], per_video=counts[1], rank=rank)


def cluster_key(record: Record) -> int:
    """64 bits that stand for the record's image group within this process."""
    # A million records: what is in order goes past the properties that check and complain.
    group = record["group"] if "group" in record else record.get("image")
    return hash(group if type(group) is str and group.strip() else record.group)


def _ranks(more: frozenset[int], benchmark: Texts) -> list[int]:
    """The first rank, the ranks k of R@k that the official scores of a benchmark have, and more."""
    return sorted({1} | more | {metric.rank for metric in official_metrics(_first(benchmark))})


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


def read_scores(
    record: Record, num_rows: int, num_columns: int, name: str = "scores"
) -> list[list[float]]:
    """A matrix of scores as floats; `InputError` where it has another shape or is not finite."""
    scores: Any = record[name]
    is_matrix = type(scores) is list and all(type(row) is list for row in scores)
    widths = {len(row) for row in scores} if is_matrix else set()
    if not is_matrix or len(scores) != num_rows or widths != {num_columns}:
        raise record.error(
            _naming(record, f'field "{name}" has the wrong shape'),
            got=_shape(scores, is_matrix, widths),
            expected=f"{num_rows} × {num_columns}, {SHAPES[name]}",
            hint="scoring it again",
        )
    rows = []
    for row in scores:
        floats = _finite(row)
        if floats is None:
            bad = next(score for score in row if _finite([score]) is None)
            raise record.error(
                _naming(record, "a score is not a finite number"),
                got=f"{json.dumps(bad)[:60]} in column {row.index(bad)}",
                expected="a number",
                hint="scoring it again",
            )
        rows.append(floats)
    return rows


def _finite(row: list[Any]) -> list[float] | None:
    """A row as floats, if it is one of finite numbers."""
    if not NUMBERS.issuperset(map(type, row)):
        return None
    try:
        floats = list(map(float, row))
    except OverflowError:  # an integer beyond the floats
        return None
    return floats if all(map(isfinite, floats)) else None


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


def _texts(value: Any) -> Texts:
    """A field's value as the labels that it stands for, each once."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        found = [text for item in value for text in _texts(item)]
    elif isinstance(value, dict):
        found = [f"{key}={text}" for key, item in value.items() for text in _texts(item)]
    else:
        found = [json.dumps(value)]
    return tuple(dict.fromkeys(found))


def _first(texts: Texts) -> str:
    return texts[0] if texts else ""


def _labels(texts: Texts, *before: str) -> tuple[Label, ...]:
    return tuple((*before, text) for text in texts)
