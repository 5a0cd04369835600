"""Hard negatives from embeddings: the nearest captions or images that belong to other groups.

NegCLIP (Yüksekgönül et al., ICLR 2023) pairs each image with its nearest images. Here the search
is exact and in bounded memory: every query meets every candidate, a tile at a time, and its
similarities are sums without rounding, the same on any machine and in any shard.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives.choosing.truth import normalized
from hnclip_cli.streams.edits import edit_between
from hnclip_cli.streams.jsonl import ErrorPolicy, Shard
from hnclip_cli.streams.nearest import ROWS_PER_TILE, GridVectors, TopK
from hnclip_cli.streams.npy import as_rows, check_widths
from hnclip_cli.streams.records import Record, hash64, with_gaps
from hnclip_cli.streams.spool import Spool

Array = np.ndarray
MineOf = Literal["caption", "image"]

KIND = "mine-caption"

QUERIES_AT_ONCE = 512


def mine(
    records: Iterable[Mapping[str, Any]],
    embeddings: Array | str,
    *,
    of: MineOf = "caption",
    queries: Array | str | None = None,
    k: int = 3,
    margin: float | None = None,
    relative_margin: float | None = None,
    shard: Shard | None = None,
    policy: ErrorPolicy | None = None,
) -> "Mined":
    """Add the nearest captions or images of other groups to records.

    A neighbor that is too similar may be true of the record, too. Let p be the similarity of the
    query to its own row of the embeddings. What is added has at most p - ``margin``, and at most
    p - ``relative_margin`` · \\|p\\|.

    Args:
        records: the whole set, of one image and one caption each.
        embeddings: 2-D floats, or the name of an NPY file; row i embeds what record i offers.
        of: add captions to ``negatives``, or images as ``negative_images``.
        queries: row i is compared with the embeddings for record i; None takes their own rows.
        k: how many to add to each record.
        margin: None sets no bound.
        relative_margin: None sets no bound.
        shard: return only this part of the records; they are searched as a whole.
        policy: what to do with a bad record; by default it is an error.

    Returns:
        The records in order, with what was mined.

    Raises:
        HnclipError: an array does not belong to the records, or the two do not fit.
        InputError: a record is bad, and the policy says fail; or it holds several pairs.
    """
    corpus = as_rows(embeddings, "embeddings")
    asked = corpus if queries is None else as_rows(queries, "queries")
    check_widths(corpus, asked)
    pool = _Pool(records, of, policy or ErrorPolicy())
    for rows in (corpus, asked):
        rows.check_length(pool.num_rows)
    bounds = shard.bounds(len(pool.rows)) if shard else (0, len(pool.rows))
    return Mined(pool, corpus.array, asked.array, k, (margin, relative_margin), bounds)


@dataclass(eq=False)
class Mined:
    """The records that `mine` returns, with what was mined; they lie in a temporary file."""

    _pool: "_Pool"
    _corpus: Array
    _queries: Array
    _k: int
    _margins: tuple[float | None, float | None]
    _bounds: tuple[int, int]
    num_records: int = 0  # records handed out so far
    num_short: int = 0  # those among them that got fewer than k

    def __iter__(self) -> Iterator[Record]:
        pool = self._pool
        usable = np.zeros(len(pool.rows), bool)
        for tile in _tiles(len(usable)):
            usable[tile] = GridVectors(self._corpus[pool.rows[tile]]).rows.any(axis=1)
        if len(usable) and not usable.any():
            raise HnclipError(
                "no row of the embeddings can be compared",
                got="NaN, infinity or zeros in all",
                hint="embedding the records again",
            )
        places = pool.places(usable)
        gallery = np.unique(places[places >= 0])
        first, stop = self._bounds
        for start in range(first, stop, QUERIES_AT_ONCE):
            block = np.arange(start, min(start + QUERIES_AT_ONCE, stop))
            queries = GridVectors(self._queries[pool.rows[block]])
            limits = self._limits(queries, GridVectors(self._corpus[pool.rows[block]]))
            top = TopK(queries, self._k, limits, pool.excluded(block, places))
            for tile in _tiles(len(gallery)):
                top.update(GridVectors(self._corpus[pool.rows[gallery[tile]]]), gallery[tile])
            for position, found, similarity in zip(block.tolist(), *top.result(), strict=True):
                yield self._with_mined(position, found[similarity > -np.inf].tolist())

    def summary(self) -> list[str]:
        """How many records got fewer than k, where any did."""
        short = f"{self.num_short} of {self.num_records} records got fewer than {self._k}"
        return [f"{short} {self._pool.of}s"] if self.num_short else []

    def _limits(self, queries: GridVectors, own: GridVectors) -> Array:
        """The largest similarity allowed for each query; -inf for one that has no direction."""
        pairs = np.arange(len(queries))
        similarity = queries.similarities(pairs, own, pairs)
        limits: Array = np.full(len(queries), np.inf)
        absolute, relative = self._margins
        if absolute is not None:
            limits = np.minimum(limits, similarity - absolute)
        if relative is not None:
            limits = np.minimum(limits, similarity - relative * np.abs(similarity))
        limits[~queries.rows.any(axis=1)] = -np.inf
        return limits

    def _with_mined(self, position: int, found: list[int]) -> Record:
        record = self._pool.spool[position]
        others = [self._pool.spool[other] for other in found]
        if self._pool.of == "image":
            record["negative_images"] = mined = [other.image for other in others]
        else:
            kept = [item for item in record.get("negatives", []) if item.get("kind") != KIND]
            known = {normalized(item["caption"]) for item in kept}
            mined = [o.caption for o in others if normalized(o.caption) not in known]
            record["negatives"] = kept + [_negative(record, caption) for caption in mined]
        self.num_records += 1
        self.num_short += len(mined) < self._k
        return record


class _Pool:
    """The records on disk, and which of them have an item, a group or a caption in common.

    An item is what can be mined: a caption, up to case and punctuation, or an image. One that
    several records have is found in the first whose row can be compared.
    """

    def __init__(
        self, records: Iterable[Mapping[str, Any]], of: MineOf, policy: ErrorPolicy
    ) -> None:
        self.of = of  # what the items are
        self.spool = Spool()  # the records, by position
        self.num_rows = 0  # rows of all lines, whether they are usable records or not
        rows, items, groups, captions = (array("Q") for _ in range(4))
        for gap, record in with_gaps(records):
            self.num_rows += gap
            if record is None:
                break
            try:
                caption, image, group = self._values(record)
            except InputError as error:
                policy.bad(error)
            else:
                self.spool.add(record)
                rows.append(self.num_rows)
                items.append(hash64(caption if of == "caption" else image))
                groups.append(hash64(group))
                captions.append(hash64(caption))
            self.num_rows += 1
        self.rows = np.asarray(rows, np.int64)  # the row of each record, shape (number of records,)
        self._item = np.unique(items, return_inverse=True)[1].reshape(-1)
        self._sharing = [_Members(groups)] + ([_Members(captions)] if of == "image" else [])

    def places(self, usable: Array) -> Array:
        """For each record the position at which its item is found; -1 where it never is."""
        first = np.full(len(self.rows), -1)
        good = np.flatnonzero(usable)[::-1]
        first[self._item[good]] = good  # of several positions the last one written stays
        places: Array = first[self._item]
        return places

    def excluded(self, block: Array, places: Array) -> tuple[Array, Array]:
        """Numbers in the block and positions of the items that must not meet them.

        Those are the items of each record's own group, and images that have its caption too.
        """
        pairs = [np.zeros((2, 0), np.int64)]
        for number, position in enumerate(block.tolist()):
            members = np.concatenate([sharing.of(position) for sharing in self._sharing])
            found = np.unique(places[members])
            pairs.append(np.stack([np.full(len(found), number), found]))
        queries, items = np.concatenate(pairs, axis=1)
        return queries[items >= 0], items[items >= 0]

    def _values(self, record: Record) -> tuple[str, str, str]:
        """Caption, up to case and punctuation, image, where it counts, and group."""
        if record.is_matching:
            problem = "mining needs one image and one caption a record"
            raise record.error(problem, got='"images" or "captions"')
        caption, _ = normalized(record.caption), record.negatives
        return caption, record.image if self.of == "image" else "", record.group


class _Members:
    """Which positions share a key."""

    def __init__(self, keys: "array[int]") -> None:
        _, self._numbers, counts = np.unique(keys, return_inverse=True, return_counts=True)
        self._numbers = self._numbers.reshape(-1)
        self._order = np.argsort(self._numbers, kind="stable")
        self._starts = np.concatenate([[0], np.cumsum(counts)])

    def of(self, position: int) -> Array:
        number = self._numbers[position]
        members: Array = self._order[self._starts[number] : self._starts[number + 1]]
        return members


def _tiles(count: int) -> Iterator[slice]:
    return (slice(at, at + ROWS_PER_TILE) for at in range(0, count, ROWS_PER_TILE))


def _negative(record: Record, caption: str) -> dict[str, Any]:
    edits = [list(edit) for edit in edit_between(record.caption, caption)]
    return {"caption": caption, "kind": KIND, "edits": edits}
