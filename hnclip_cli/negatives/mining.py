"""Hard negatives from embeddings: the nearest captions or images that belong to other groups.

NegCLIP (Yüksekgönül et al., ICLR 2023) pairs each image with its nearest images. Here the search
is exact and in bounded memory: every query meets every candidate, a tile at a time, and its
similarities are sums without rounding, the same on any machine and in any shard.
"""

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives.choosing.truth import normalized
from hnclip_cli.streams.edits import edit_between
from hnclip_cli.streams.jsonl import ErrorPolicy, Shard
from hnclip_cli.streams.npy import NpyReader
from hnclip_cli.streams.records import Record, hash64, with_gaps
from hnclip_cli.streams.spool import Spool

Array = np.ndarray
MineOf = Literal["caption", "image"]

KIND = "mine-caption"

# One tile of similarities in single precision is 8 MB.
QUERIES = 512
CANDIDATES = 4096
# Where more similarities of a tile than this times k pass, the tile's own best are found first.
_FEW = 16
# Pairs whose exact similarity is computed at a time.
_PAIRS = 4096
# Components are multiples of this, so products are multiples of its square, and their sums, below
# 2 as the rows have length 1, fit into the 53 bits of a float64: no sum is rounded, in any order.
_GRID = 2.0**-26


@dataclass(frozen=True, slots=True)
class Margins:
    """How much less similar than its own pair a candidate must be, lest it be true as well.

    With p the similarity of the query to its own row of the corpus, a candidate may have at most
    ``p - absolute`` and at most ``p - relative * |p|``; None sets no bound.
    """

    absolute: float | None = None
    relative: float | None = None

    def limits(self, own: Array) -> Array:
        """The largest similarity allowed for each query."""
        limits: Array = np.full(own.shape, np.inf)
        if self.absolute is not None:
            limits = np.minimum(limits, own - self.absolute)
        if self.relative is not None:
            limits = np.minimum(limits, own - self.relative * np.abs(own))
        return limits


class Embeddings:
    """Rows of an array or an NPY file, read as they are needed and brought to length 1.

    Raises:
        HnclipError: the file cannot be read, is no array of 2-D floats, or is cut short.
    """

    def __init__(self, rows: "str | Array") -> None:
        self.source = "embeddings" if isinstance(rows, np.ndarray) else rows
        self._rows: Array = rows if isinstance(rows, np.ndarray) else _mapped(rows)
        self.num_rows, self.dim = self._rows.shape

    def unit_rows(self, indices: Array) -> Array:
        """Rows of length 1 up to the grid, float64; zeros for a row that has no direction."""
        rows = np.asarray(self._rows[indices], np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        usable = np.isfinite(lengths) & (lengths > 0)
        unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=usable)
        return np.asarray(np.rint(unit / _GRID) * _GRID)

    def usable(self) -> Array:
        """Which rows have a direction: not those of NaN that embed leaves for what it skipped."""
        found = [
            self.unit_rows(np.arange(start, min(start + CANDIDATES, self.num_rows))).any(axis=1)
            for start in range(0, self.num_rows, CANDIDATES)
        ]
        return np.concatenate([np.zeros(0, bool), *found])


def _mapped(path: str) -> Array:
    """The array of an NPY file, which stays on disk."""
    try:
        with open(path, "rb") as stream:
            reader = NpyReader(stream, path)
            start = stream.tell()
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise HnclipError(
            f"cannot read it: {error.strerror}", where=path, hint="hnclip embed to make one"
        ) from None
    promised = reader.shape[0] * reader.shape[1] * reader.dtype.itemsize
    if size - start < promised:
        raise HnclipError(
            "the array is truncated",
            where=path,
            got=f"{size - start} bytes of rows",
            expected=f"the {promised} its header promises",
        )
    if not promised:
        return np.zeros(reader.shape, reader.dtype)
    return np.memmap(path, reader.dtype, "r", start, reader.shape)


class Nearest:
    """The nearest items of a corpus for each query, exactly; ties go to the smaller index.

    Args:
        corpus: of one row for each item to find, named by ``items``.
        items: rows of the corpus.
        k: how many to find for each query.
    """

    def __init__(self, corpus: Embeddings, items: Array, k: int) -> None:
        self._corpus = corpus
        self._items = items
        self._k = k

    def search(self, queries: Array, limits: Array, excluded: tuple[Array, Array]) -> Array:
        """Indices into ``items``, most similar first, shape (queries, k); -1 where there is none.

        Args:
            queries: unit rows.
            limits: the largest similarity allowed, one for each query.
            excluded: pairs of a query and an item that must not meet, as two arrays.
        """
        count, k = len(queries), self._k
        best: Array = np.full((count, k), -np.inf)
        found: Array = np.full((count, k), -1, np.int64)
        rough_queries = queries.astype(np.float32)
        excluded_queries, excluded_items = excluded
        for start in range(0, len(self._items), CANDIDATES):
            rows = self._corpus.unit_rows(self._items[start : start + CANDIDATES])
            rough = rough_queries @ rows.astype(np.float32).T
            here = (excluded_items >= start) & (excluded_items < start + len(rows))
            rough[excluded_queries[here], excluded_items[here] - start] = -np.inf
            query, item = self._promising(rough, best[:, -1], limits)
            values = exact_similarities(queries, rows, query, item)
            kept = values <= limits[query]
            best, found = _merged(best, found, query[kept], item[kept] + start, values[kept])
        return found

    def _promising(self, rough: Array, worst: Array, limits: Array) -> tuple[Array, Array]:
        """The pairs of a tile that may enter the best, for what their rounding leaves open."""
        error = (self._corpus.dim + 8) * 2.0**-23
        passing = rough <= (limits + error)[:, None]
        # Later items lose ties against those found before, so they must be more than the worst.
        passing &= rough > (worst - error)[:, None]
        if self._k < rough.shape[1] and passing.sum() > _FEW * rough.shape[0] * self._k:
            surely_allowed = np.where(rough <= (limits - error)[:, None], rough, -np.inf)
            kth = np.partition(surely_allowed, -self._k, axis=1)[:, -self._k]
            passing &= rough >= (kth - 2 * error)[:, None]
        passing &= rough > -np.inf
        query, item = np.nonzero(passing)
        return query, item


def exact_similarities(queries: Array, rows: Array, query: Array, item: Array) -> Array:
    """The similarities of pairs of unit rows on the grid, without rounding."""
    values = [
        np.einsum("ij,ij->i", queries[query[start:][:_PAIRS]], rows[item[start:][:_PAIRS]])
        for start in range(0, len(query), _PAIRS)
    ]
    return np.concatenate([np.zeros(0), *values])


def _merged(
    best: Array, found: Array, query: Array, item: Array, similarity: Array
) -> tuple[Array, Array]:
    """The k best of those so far and new ones, by similarity and then by index."""
    count, k = best.shape
    queries = np.concatenate([np.repeat(np.arange(count), k), query])
    items = np.concatenate([found.ravel(), item])
    values = np.concatenate([best.ravel(), similarity])
    order = np.lexsort((items, -values, queries))
    queries = queries[order]
    firsts = np.searchsorted(queries, np.arange(count))
    kept = order[np.arange(len(order)) - firsts[queries] < k]
    return values[kept].reshape(count, k), items[kept].reshape(count, k)


def mine(
    records: Iterable[Mapping[str, Any]],
    embeddings: "str | Array",
    *,
    of: MineOf = "caption",
    queries: "str | Array | None" = None,
    k: int = 3,
    margin: float | None = None,
    relative_margin: float | None = None,
    shard: Shard | None = None,
    policy: ErrorPolicy | None = None,
) -> "Mined":
    """Add the nearest captions or images of other groups to records.

    Args:
        records: the whole set, of one image and one caption each.
        embeddings: 2-D floats or an NPY file; row i embeds what record i has to offer.
        of: add captions to ``negatives``, or images as ``negative_images``.
        queries: row i embeds what is compared with them; None is ``embeddings`` again.
        k: how many to add to each record.
        margin: how much less similar than the record's own pair they must be.
        relative_margin: the same as a part of the similarity of the own pair.
        shard: return only this part of the records; they are searched as a whole.
        policy: what a bad record does.

    Returns:
        The records in order, with what was mined.

    Raises:
        HnclipError: an array does not belong to the records, or the two do not fit.
        InputError: a record is bad, and the policy says fail; or it holds several pairs.
    """
    corpus = Embeddings(embeddings)
    asked = corpus if queries is None else Embeddings(queries)
    if corpus.dim != asked.dim:
        raise HnclipError(
            "the arrays have rows of different length",
            where=asked.source,
            got=str(asked.dim),
            expected=f"{corpus.dim} as in {corpus.source}",
        )
    margins = Margins(margin, relative_margin)
    return Mined(records, of, corpus, asked, k, margins, shard, policy or ErrorPolicy())


class Mined:
    """The records that `mine` returns; they lie in a temporary file.

    Attributes:
        num_records: records handed out so far.
        num_short: those among them that got fewer than k.
    """

    def __init__(
        self,
        records: Iterable[Mapping[str, Any]],
        of: MineOf,
        corpus: "Embeddings",
        queries: "Embeddings",
        k: int,
        margins: Margins,
        shard: Shard | None,
        policy: ErrorPolicy,
    ) -> None:
        self._of = of
        self._corpus = corpus
        self._queries = queries
        self._k = k
        self._margins = margins
        self._shard = shard
        self.num_records = self.num_short = 0
        self._spool = Spool()
        # The hashes of each record's item (what can be mined), group and caption; its row.
        self._keys = {name: array("Q") for name in ("item", "group", "caption")}
        rows = array("Q")
        num_rows = 0
        for gap, record in with_gaps(records):
            num_rows += gap
            if record is None:
                break
            try:
                self._add(record)
            except InputError as error:
                policy.bad(error)
            else:
                rows.append(num_rows)
            num_rows += 1
        for embeddings in (corpus, queries):
            if embeddings.num_rows != num_rows:
                raise HnclipError(
                    "the array does not belong to the records",
                    where=embeddings.source,
                    got=f"{embeddings.num_rows} rows",
                    expected=f"{num_rows}, one for each",
                    hint="embedding the same records again",
                )
        self._rows = np.asarray(rows, np.int64)
        self._index()

    def __iter__(self) -> Iterator[Record]:
        whole = len(self._rows)
        first, stop = self._shard.bounds(whole) if self._shard else (0, whole)
        nearest = Nearest(self._corpus, self._rows[self._items], self._k)
        for start in range(first, stop, QUERIES):
            block = np.arange(start, min(start + QUERIES, stop))
            queries = self._queries.unit_rows(self._rows[block])
            pairs = np.arange(len(block))
            own = exact_similarities(
                queries, self._corpus.unit_rows(self._rows[block]), pairs, pairs
            )
            limits = self._margins.limits(own)
            limits[~queries.any(axis=1)] = -np.inf
            found = nearest.search(queries, limits, self._excluded(block))
            for position, items in zip(block.tolist(), found, strict=True):
                yield self._with_mined(position, items[items >= 0])

    def _add(self, record: Record) -> None:
        if record.is_matching:
            raise HnclipError(
                "mining needs one image and one caption a record",
                where=record.where,
                got='"images" or "captions"',
            )
        caption = normalized(record.caption)
        item = caption if self._of == "caption" else record.image
        values = {"item": item, "group": record.group, "caption": caption}
        _ = record.negatives
        for name, value in values.items():
            self._keys[name].append(hash64(value))
        self._spool.add(record)

    def _index(self) -> None:
        """Number items and groups, and list which items must not meet which query."""
        keys = {name: np.asarray(hashes, np.uint64) for name, hashes in self._keys.items()}
        usable = self._corpus.usable()[self._rows]
        _, first, self._item_of = _numbered(keys["item"])
        # An item is found at its first usable row; one without is never found.
        places = np.full(len(first), len(self._rows), np.int64)
        good = np.nonzero(usable)[0]
        np.minimum.at(places, self._item_of[good], good)
        self._items = np.sort(places[places < len(self._rows)])
        self._rank = np.full(len(places), -1, np.int64)
        self._rank[self._item_of[self._items]] = np.arange(len(self._items))
        self._same_group = _Members(keys["group"])
        self._same_caption = _Members(keys["caption"])
        self._keys.clear()

    def _excluded(self, block: Array) -> tuple[Array, Array]:
        """Items of each query's own group, and images that have its caption as well."""
        queries, items = [], []
        for number, position in enumerate(block.tolist()):
            members = self._same_group.of(position)
            if self._of == "image":
                members = np.concatenate([members, self._same_caption.of(position)])
            ranks = np.unique(self._rank[self._item_of[members]])
            queries.append(np.full(len(ranks), number))
            items.append(ranks)
        excluded = np.concatenate([np.zeros(0, np.int64), *items])
        is_found = excluded >= 0
        return np.concatenate([np.zeros(0, np.int64), *queries])[is_found], excluded[is_found]

    def _with_mined(self, position: int, items: Array) -> Record:
        record = self._spool[position]
        others = [self._spool[int(self._items[item])] for item in items]
        if self._of == "image":
            record["negative_images"] = mined = [other.image for other in others]
        else:
            kept = [item for item in record.get("negatives", []) if item.get("kind") != KIND]
            known = {normalized(item["caption"]) for item in kept}
            mined = [o.caption for o in others if normalized(o.caption) not in known]
            record["negatives"] = kept + [_negative(record, caption) for caption in mined]
        self.num_records += 1
        self.num_short += len(mined) < self._k
        return record


class _Members:
    """Which positions share a key."""

    def __init__(self, keys: Array) -> None:
        counts, _, self._numbers = _numbered(keys)
        self._order = np.argsort(self._numbers, kind="stable")
        self._starts = np.concatenate([[0], np.cumsum(counts)])

    def of(self, position: int) -> Array:
        number = self._numbers[position]
        members: Array = self._order[self._starts[number] : self._starts[number + 1]]
        return members


def _numbered(keys: Array) -> tuple[Array, Array, Array]:
    """For each different key how often and where first, and for each position its number."""
    _, first, numbers, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    return counts, first, numbers.reshape(-1)


def _negative(record: Record, caption: str) -> dict[str, Any]:
    edits = [list(edit) for edit in edit_between(record.caption, caption)]
    return {"caption": caption, "kind": KIND, "edits": edits}
