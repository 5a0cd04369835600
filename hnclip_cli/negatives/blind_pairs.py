"""Pairs of images that one encoder takes for the same and another for different.

Tong et al. 2024 ("Eyes Wide Shut", arXiv:2401.06209) call them CLIP-blind pairs: the cosine of
CLIP is above 0.95, and that of DINOv2 below 0.6. Here every two images meet, a tile at a time.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives.choosing.truth import normalized
from hnclip_cli.streams.jsonl import ErrorPolicy, Shard
from hnclip_cli.streams.nearest import QUERIES_PER_BLOCK, ROWS_PER_TILE, GridVectors, slack_of
from hnclip_cli.streams.npy import as_rows
from hnclip_cli.streams.records import Record, hash64, with_gaps
from hnclip_cli.streams.spool import Spool

Array = np.ndarray

BENCHMARK = "blind-pairs"
# Rows that meet the tiles together, so that each tile is normalized once for all of them.
ROWS_PER_PASS = 16 * QUERIES_PER_BLOCK
# Beyond so many pairs of one block and tile no encoder tells a few images from the others.
MAX_PAIRS = 1 << 20
_PAIRS_AT_ONCE = 4096
_PAIR = np.dtype([("first", "i8"), ("second", "i8"), ("same", "f8"), ("different", "f8")])


def blind_pairs(
    records: Iterable[Mapping[str, Any]],
    taken_for_same: Array | str,
    told_apart: Array | str,
    *,
    k: int = 3,
    same: float = 0.95,
    different: float = 0.6,
    shard: Shard | None = None,
    policy: ErrorPolicy | None = None,
) -> "BlindPairs":
    """Find pairs of images that look the same to one encoder, and different to another.

    Args:
        records: the whole set, of one image each; the first of each group counts.
        taken_for_same: 2-D floats, or the name of an NPY file; row i embeds the image of record i
            by the encoder that may be blind, as CLIP.
        told_apart: likewise by the other encoder, as DINOv2; its rows may have another length.
        k: pairs that are kept of a record with the records after it: the most similar by the
            first encoder.
        same: the cosine of the first encoder is above it.
        different: the cosine of the other encoder is below it.
        shard: return only this part of the pairs; all records are searched.
        policy: what to do with a bad record; by default it is an error.

    Returns:
        Items ``{"id", "images", "captions", "truth", "ids", "similarities", "benchmark"}`` in the
        order of the first image, then of the second; ``similarities`` are those of the first and
        of the other encoder. Records without captions give items without ``captions`` and
        ``truth``.

    Raises:
        HnclipError: an array does not belong to the records, or nearly all images are a pair.
        InputError: a record is bad, and the policy says fail.
    """
    arrays = as_rows(taken_for_same, "embeddings"), as_rows(told_apart, "embeddings")
    pool = _Pool(records, policy or ErrorPolicy())
    for rows in arrays:
        rows.check_length(pool.num_rows)
    bounds = shard.bounds(len(pool.rows)) if shard else (0, len(pool.rows))
    search = _Search(arrays[0].array, arrays[1].array, same, different, k)
    return BlindPairs(pool, search, bounds)


@dataclass(eq=False)
class BlindPairs:
    """The items that `blind_pairs` returns; the records lie in a temporary file."""

    _pool: "_Pool"
    _search: "_Search"
    _bounds: tuple[int, int]
    num_pairs: int = 0  # handed out so far
    num_alike: int = 0  # left out, for both images have one caption

    def __iter__(self) -> Iterator[Record]:
        for pair in self._search.pairs(self._pool.rows, *self._bounds):
            item = self._item(*pair)
            if item is None:
                self.num_alike += 1
            else:
                self.num_pairs += 1
                yield item

    def summary(self) -> list[str]:
        """How many pairs there were, of how many images."""
        lines = [f"{self.num_pairs} blind pairs among {len(self._pool.rows)} images"]
        if self.num_alike:
            lines.append(f"{self.num_alike} further pairs have one caption for both images")
        return lines

    def _item(self, first: int, second: int, same: float, different: float) -> Record | None:
        pair = self._pool.spool[first], self._pool.spool[second]
        ids = [record.id for record in pair]
        item: dict[str, Any] = {"id": "+".join(ids), "images": [record.image for record in pair]}
        if all("caption" in record for record in pair):
            captions = [record.caption for record in pair]
            if len(set(map(normalized, captions))) == 1:
                return None
            item |= {"captions": captions, "truth": [[0, 0], [1, 1]]}
        item |= {"ids": ids, "similarities": [round(same, 6), round(different, 6)]}
        return Record(item | {"benchmark": BENCHMARK}, pair[0].source, pair[0].line)


class _Pool:
    """The first record of each group, on disk, and its row in the arrays."""

    def __init__(self, records: Iterable[Mapping[str, Any]], policy: ErrorPolicy) -> None:
        self.spool = Spool()
        self.num_rows = 0  # rows of all lines, whether they are usable records or not
        rows, known = array("q"), set[int]()
        for gap, record in with_gaps(records):
            self.num_rows += gap
            if record is None:
                break
            try:
                group = hash64(_checked(record).group)
            except InputError as error:
                policy.bad(error)
            else:
                if group not in known:
                    known.add(group)
                    self.spool.add(record)
                    rows.append(self.num_rows)
            self.num_rows += 1
        self.rows = np.asarray(rows, np.int64)  # of each image, shape (number of images,)


def _checked(record: Record) -> Record:
    if record.is_matching:
        problem = "blind pairs are made of one image a record"
        raise record.error(problem, got='"images" or "captions"')
    _ = record.image, record.id, record.caption if "caption" in record else ""
    return record


@dataclass(frozen=True, slots=True)
class _Search:
    """Two arrays with a row for each record, and what makes two rows a blind pair."""

    one: Array
    other: Array
    same: float
    different: float
    k: int

    def pairs(self, rows: Array, start: int, stop: int) -> Iterator[tuple[int, int, float, float]]:
        """Positions of two images and both similarities, of first images in [start, stop)."""
        for begin in range(start, stop, ROWS_PER_PASS):
            end = min(begin + ROWS_PER_PASS, stop)
            asked = GridVectors(self.one[rows[begin:end]])
            found = np.empty(0, _PAIR)
            for at in range(begin, len(rows), ROWS_PER_TILE):
                tile = _Tile(self, rows, at)
                for first in range(begin, end, QUERIES_PER_BLOCK):
                    block = np.arange(first, min(first + QUERIES_PER_BLOCK, end))
                    new = tile.pairs_with(block, asked, begin)
                    if len(new):
                        found = _best(np.concatenate([found, new]), self.k)
            order = np.lexsort((found["second"], found["first"]))
            yield from found[order].tolist()


class _Tile:
    """Up to `ROWS_PER_TILE` rows of both arrays, from a position on."""

    def __init__(self, search: _Search, rows: Array, start: int) -> None:
        self._search, self._rows, self._start = search, rows, start
        self._one = GridVectors(search.one[rows[start : start + ROWS_PER_TILE]])
        self._other: GridVectors | None = None  # made where it is needed

    def pairs_with(self, block: Array, asked: GridVectors, begin: int) -> Array:
        """The blind pairs of the rows at some positions with later rows of this tile.

        The float32 products only find candidates, whose similarities are then exact.
        """
        search = self._search
        unit = asked.unit[block - begin]
        flags = unit @ self._one.unit.T > np.float32(search.same - slack_of(unit))
        if np.count_nonzero(flags) > flags.size // 64:  # a closer look at each would take longer
            flags &= self._may_differ(block)
        firsts, seconds = np.divmod(np.flatnonzero(flags), flags.shape[1])
        firsts, seconds = firsts + block[0], seconds + self._start
        is_later = seconds > firsts
        firsts, seconds = firsts[is_later], seconds[is_later]
        if len(firsts) > MAX_PAIRS:
            raise HnclipError(
                "nearly all images are the same to one encoder, and different to the other",
                got=f"{len(firsts)} pairs of {flags.size}",
                expected="few",
                hint="a higher --same, a lower --different, or the arrays the other way round",
            )
        pairs = [np.empty(0, _PAIR)]
        for at in range(0, len(firsts), _PAIRS_AT_ONCE):
            part = slice(at, at + _PAIRS_AT_ONCE)
            pairs.append(self._exact(firsts[part], seconds[part], asked, begin))
        return np.concatenate(pairs)

    def _may_differ(self, block: Array) -> Array:
        """Whether the other encoder may tell rows of the block from those of the tile."""
        search, rows = self._search, self._rows
        if self._other is None:
            part = rows[self._start : self._start + ROWS_PER_TILE]
            self._other = GridVectors(search.other[part])
        unit = GridVectors(search.other[rows[block]]).unit
        found: Array = unit @ self._other.unit.T < np.float32(search.different + slack_of(unit))
        return found

    def _exact(self, firsts: Array, seconds: Array, asked: GridVectors, begin: int) -> Array:
        search = self._search
        same = asked.similarities(firsts - begin, self._one, seconds - self._start)
        kept = same > search.same
        firsts, seconds, same = firsts[kept], seconds[kept], same[kept]
        one, other = (GridVectors(search.other[self._rows[at]]) for at in (firsts, seconds))
        numbers = np.arange(len(firsts))
        different = one.similarities(numbers, other, numbers)
        # A row without a direction tells nothing.
        kept = (different < search.different) & one.rows.any(axis=1) & other.rows.any(axis=1)
        pairs = np.empty(np.count_nonzero(kept), _PAIR)
        for name, values in zip(_PAIR.names or (), (firsts, seconds, same, different), strict=True):
            pairs[name] = values[kept]
        return pairs


def _best(pairs: Array, k: int) -> Array:
    """Of each first row the k pairs that are most similar to the first encoder."""
    ordered = pairs[np.lexsort((pairs["second"], -pairs["same"], pairs["first"]))]
    begins = np.searchsorted(ordered["first"], ordered["first"])
    kept: Array = ordered[np.arange(len(ordered)) - begins < k]
    return kept
