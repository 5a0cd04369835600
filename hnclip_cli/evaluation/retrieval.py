"""Retrieval: records that are each other's candidates, and what is measured of their ranks.

All records are one pool, except that those of a benchmark with official numbers of retrieval are a
pool for each of its subsets.
"""

from array import array
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hnclip_cli.benchmarks import DIRECTIONS, Place, is_retrieval
from hnclip_cli.evaluation.bootstrap import Resampling
from hnclip_cli.evaluation.margins import Floats, Ints
from hnclip_cli.evaluation.measures import key_of
from hnclip_cli.evaluation.ranks import Ranks, TruePairs, rank
from hnclip_cli.evaluation.tally import cluster_key
from hnclip_cli.streams.npy import Array
from hnclip_cli.streams.records import Record, RowsOf

Rows = Mapping[RowsOf, Array]  # of each array the rows of one record: one, or one a frame

RECALL_AT = (1, 5, 10)
# What a record may say is true instead of its own pair: the captions (by id) of the image, and the
# images (by group) of the caption.
TRUE_CAPTIONS, TRUE_IMAGES = "true_captions", "true_images"


class EmbeddedPairs:
    """Keep the rows that count: of each record its caption's, of each group its first image's."""

    def __init__(self) -> None:
        self._pools: dict[Place | None, _Pool] = {}
        self._num_records = 0

    def check(self, record: Record, rows: Rows) -> None:
        """`InputError` for no pair, or for a row without a direction (NaN, infinite, zero)."""
        if record.is_matching and not is_video(record):
            raise record.error(
                "retrieval needs records of one image, or one video, and one caption",
                got='a record with "images" and "captions"',
            )
        for name in (TRUE_CAPTIONS, TRUE_IMAGES):
            _names(record, name)
        for name, row in rows.items():
            norms = _norms(row)
            if not (np.isfinite(norms) & (norms > 0)).all():
                raise record.error(
                    f'record "{record.id}": its {name} embedding cannot be used',
                    got=f"row {record.index} of length {norms.min():g}",
                    expected="finite numbers, not all zero",
                    hint="--on-error skip, or embedding it again",
                )

    def add(self, record: Record, rows: Rows) -> None:
        """Keep the rows of a record that was checked."""
        pool = self._pools.setdefault(pool_of(record), _Pool())
        pool.add(record, rows, self._num_records)
        self._num_records += 1

    def see(self, record: Record, images: Array, captions: Array) -> None:
        """What `score` shows its records to: count each, keep those of benchmarks of retrieval."""
        if pool_of(record) is None:
            self._num_records += 1
        else:
            rows: Rows = {"image": images, "caption": captions[:1]}
            self.check(record, rows)
            self.add(record, rows)

    def queries(self) -> Iterator[tuple[int, str, str, list[int]]]:
        """Of each query its record's number from 0, the benchmark, the direction, and the ranks of
        its true candidates.

        Those of benchmarks only: of all others `recalls` are the numbers.
        """
        for place, pool in self._pools.items():
            if place is not None:
                for number, direction, ranks in pool.by_record():
                    yield number, place.benchmark, direction, ranks

    def recalls(self, resampling: Resampling) -> dict[str, Any]:
        """The section of the report; empty where there are no pairs.

        Of several pools, each query counts once, and searches its own.
        """
        found = {}
        for side, direction in enumerate(DIRECTIONS):
            parts, num_groups = [], 0
            for pool in self._pools.values():
                ranks, groups = pool.ranked[side], pool.groups[side]
                first = _first_of_each(ranks)
                clusters = groups[ranks.query[first]] + num_groups
                parts.append((ranks.rank[first], ranks.tied[first], clusters))
                num_groups += len(pool.groups[0])
            if any(len(best) for best, _, _ in parts):
                best, tied, clusters = map(np.concatenate, zip(*parts, strict=True))
                found[direction] = _section(direction, best, tied, clusters, resampling)
        return found


def is_video(record: Record) -> bool:
    """Whether a general item is one video and one caption."""
    return record.frames_per_video == len(record.image_list) and len(record.caption_list) == 1


def pool_of(record: Record) -> Place | None:
    """What records that are each other's candidates have in common.

    Of some benchmarks it is the tag ``batch``, where the official code compares no others.
    """
    tags: Any = record.get("tags")
    is_batch = isinstance(tags, dict) and "batch" in tags
    batch = (f"batch={tags['batch']}",) if is_batch else ()
    place = Place(str(record.get("benchmark") or ""), str(record.get("subset") or ""), batch)
    return place if place.benchmark and is_retrieval(place) else None


class _Pool:
    """Rows of records that are each other's candidates, and which pairs of them are true."""

    def __init__(self) -> None:
        self._images, self._captions = bytearray(), bytearray()
        self._owner, self._records, self._first = array("q"), array("q"), array("q")
        self._groups: dict[int, int] = {}
        self._ids = array("q")
        # By number, the true candidates of those that name them.
        self._true_images: dict[int, list[int]] = {}
        self._true_captions: dict[int, list[int]] = {}
        self._ranked: tuple[Ranks, Ranks] | None = None

    def add(self, record: Record, rows: Rows, number: int) -> None:
        group, caption = cluster_key(record), len(self._owner)
        if group not in self._groups:
            image = self._groups[group] = len(self._groups)
            self._images += _normalized(rows["image"])
            self._first.append(number)
            if (names := _names(record, TRUE_CAPTIONS)) is not None:
                self._true_captions[image] = [hash(name) for name in names]
        if (names := _names(record, TRUE_IMAGES)) is not None:
            self._true_images[caption] = [hash(name) for name in names]
        name = record.get("id")
        self._ids.append(hash(name) if isinstance(name, str) else 0)
        self._captions += _normalized(rows["caption"])
        self._owner.append(self._groups[group])
        self._records.append(number)

    @property
    def groups(self) -> tuple[Ints, Ints]:
        """The image group of each image, and of each caption."""
        return np.arange(len(self._groups)), np.array(self._owner, dtype=np.int64)

    @property
    def ranked(self) -> tuple[Ranks, Ranks]:
        """Ranks of images' captions and of captions' images."""
        if self._ranked is None:
            _, owner = self.groups
            images = np.frombuffer(self._images, np.float32).reshape(len(self._groups), -1)
            captions = np.frombuffer(self._captions, np.float32).reshape(len(owner), -1)
            own = np.arange(len(owner))
            ids = {name: row for row, name in enumerate(self._ids)} if self._true_captions else {}
            of_images, lost_captions = _replaced(owner, own, self._true_captions, ids)
            of_captions, lost_images = _replaced(own, owner, self._true_images, self._groups)
            by_image, by_caption = rank(images, captions, of_images, of_captions)
            self._ranked = (
                _with_lost(by_image, lost_captions, len(captions)),
                _with_lost(by_caption, lost_images, len(images)),
            )
        return self._ranked

    def by_record(self) -> Iterator[tuple[int, str, list[int]]]:
        sides = zip(DIRECTIONS, self.ranked, (self._first, self._records), strict=True)
        for direction, ranks, records in sides:
            starts = _first_of_each(ranks)
            for found in np.split(np.arange(len(ranks.rank)), starts[1:]):
                if len(found):
                    yield records[ranks.query[found[0]]], direction, ranks.rank[found].tolist()


def _names(record: Record, field: str) -> list[str] | None:
    """The true candidates that a record names, which may be none; None where it says nothing."""
    if field not in record:
        return None
    return record.texts(field) if record[field] != [] else []


def _replaced(
    query: Ints, candidate: Ints, others: Mapping[int, list[int]], numbers: Mapping[int, int]
) -> tuple[TruePairs, Ints]:
    """The own pairs, and for queries in ``others`` those instead.

    Gives also the queries of candidates that no record has, one for each.
    """
    own = ~np.isin(query, np.fromiter(others, np.int64, len(others)))
    pairs = [(number, numbers.get(name)) for number, names in others.items() for name in set(names)]
    there = np.array([pair for pair in pairs if pair[1] is not None], np.int64).reshape(-1, 2)
    lost = np.array([number for number, name in pairs if name is None], np.int64)
    queries = np.concatenate([query[own], there[:, 0]])
    return TruePairs(queries, np.concatenate([candidate[own], there[:, 1]])), lost


def _with_lost(ranks: Ranks, lost: Ints, num_candidates: int) -> Ranks:
    """True candidates that are not among the records were not found: they come after all."""
    query = np.concatenate([ranks.query, lost])
    rank = np.concatenate([ranks.rank, np.full(len(lost), num_candidates + 1)])
    tied = np.concatenate([ranks.tied, np.zeros(len(lost), bool)])
    order = np.lexsort((rank, query))
    return Ranks(query[order], rank[order], tied[order])


def _first_of_each(ranks: Ranks) -> Ints:
    """Where the pairs of each query begin, its best one first."""
    return np.flatnonzero(np.diff(ranks.query, prepend=-1))


def _section(
    direction: str, best: Ints, tied: Ints, clusters: Ints, resampling: Resampling
) -> dict[str, Any]:
    hits = {f"R@{k}": best <= k for k in RECALL_AT}
    column = np.zeros_like(clusters)
    return {name: float(hit.mean()) for name, hit in hits.items()} | {
        "intervals": {
            name: resampling.interval(clusters, column, hit) for name, hit in hits.items()
        },
        "keys": {name: key_of("retrieval", direction, name.lower()) for name in hits},
        "n": len(best),
        "num_ties": int(tied.sum()),
    }


def _norms(rows: Array) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        norms: Floats = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return norms


def _normalized(rows: Array) -> bytes:
    """A row of length 1; of several, which are frames, that of their mean."""
    unit = rows / _norms(rows)
    if len(rows) > 1:
        mean = unit.mean(axis=0, keepdims=True)
        unit = mean / _norms(mean)
    return unit.astype(np.float32).tobytes()
