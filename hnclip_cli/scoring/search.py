"""Retrieval between two arrays of embeddings."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from hnclip_cli.errors import InputError
from hnclip_cli.streams.jsonl import ErrorPolicy, Shard
from hnclip_cli.streams.nearest import QUERIES_PER_BLOCK, ROWS_PER_TILE, TopK, Vectors
from hnclip_cli.streams.npy import Rows, as_rows, check_widths
from hnclip_cli.streams.records import Record, RowsOf, with_gaps
from hnclip_cli.streams.spool import Spool

# Queries that go through a gallery file together: reading it costs little beside their products.
QUERIES_PER_PASS = 16 * QUERIES_PER_BLOCK

Hit = dict[str, Any]


def search(
    queries: Rows | np.ndarray | str,
    gallery: Rows | np.ndarray | str,
    k: int = 10,
    *,
    records: Iterable[Mapping[str, Any]] | None = None,
    queries_of: RowsOf = "caption",
    gallery_of: RowsOf = "image",
    shard: Shard | None = None,
    policy: ErrorPolicy | None = None,
) -> Iterator[Hit]:
    """Yield ``{"query": row, "top": [[row, cosine], …]}`` for each row of ``queries``, in order.

    ``top`` holds the k rows of the gallery with the highest cosine, best first, equal ones by
    their number; fewer where the gallery has fewer. Rows need not be of length 1; the cosine
    with a row of zeros is 0.

    The gallery is read once for every 16,384 queries.

    Args:
        queries: shape (Q, D), an array or the name of an NPY file.
        gallery: shape (N, D), likewise.
        k: how many rows to find.
        records: those that both arrays were made from. They come out with ``query``, ``top`` and
            ``top_ids``, the ids of the records that were found; one for each row that has hits.
        queries_of: what of the records the queries are.
        gallery_of: what of them the gallery is.
        shard: answer only this part of the queries.
        policy: what to do with a row that is not finite, and with a bad record. A skipped row
            of the gallery is in no result; a skipped query has no result.

    Raises:
        HnclipError: the arrays have rows of different lengths, do not belong to the records, or
            one of them is truncated.
        InputError: a row is not finite or a record bad, and the policy is to fail.
    """
    policy = policy or ErrorPolicy()
    asked, offered = as_rows(queries, "queries"), as_rows(gallery, "gallery")
    check_widths(asked, offered)
    hits = _hits(asked, offered, k, policy, shard)
    if records is None:
        return hits
    return _beside_records(records, hits, (queries_of, asked), (gallery_of, offered), policy)


def _hits(
    queries: Rows, gallery: Rows, k: int, policy: ErrorPolicy, shard: Shard | None
) -> Iterator[Hit]:
    first, stop = shard.bounds(queries.shape[0]) if shard else (0, queries.shape[0])
    reporting = policy  # of bad rows in the gallery; those of a second pass are known
    for start in range(first, stop, QUERIES_PER_PASS):
        rows = queries.read(start, min(start + QUERIES_PER_PASS, stop))
        good = start + _finite(rows, start, queries.source, policy)
        top = TopK(Vectors(rows[good - start]), min(k, gallery.shape[0]))
        del rows
        for tile in _tiles(gallery, reporting):
            top.update(*tile)
        reporting = ErrorPolicy("skip")
        for number, indices, scores in zip(good.tolist(), *top.result(), strict=True):
            found = np.isfinite(scores)
            pairs = zip(indices[found].tolist(), scores[found], strict=True)
            # str gives the shortest decimal that reads back as the same float32.
            yield {"query": number, "top": [[row, float(str(score))] for row, score in pairs]}


def _tiles(gallery: Rows, policy: ErrorPolicy) -> Iterator[tuple[Vectors, np.ndarray]]:
    for start in range(0, gallery.shape[0], ROWS_PER_TILE):
        rows = gallery.read(start, min(start + ROWS_PER_TILE, gallery.shape[0]))
        good = _finite(rows, start, gallery.source, policy)
        yield Vectors(rows if len(good) == len(rows) else rows[good]), start + good


def _finite(rows: np.ndarray, start: int, source: str, policy: ErrorPolicy) -> np.ndarray:
    """Positions of the rows without NaN and infinity; the others are reported."""
    # A sum of finite numbers may overflow, but one with NaN or infinity is never finite.
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.flatnonzero(~np.isfinite(rows.sum(axis=1)))
    bad = [row for row in suspects if not np.isfinite(rows[row]).all()]
    for row in bad:
        policy.bad(
            InputError(
                "the embedding is not finite",
                where=f"{source}: row {start + row}",
                got="NaN or infinity",
                hint="--on-error skip, if embed skipped its record",
            )
        )
    return np.delete(np.arange(len(rows)), bad)


def _beside_records(
    records: Iterable[Mapping[str, Any]],
    hits: Iterator[Hit],
    queries: tuple[RowsOf, Rows],
    gallery: tuple[RowsOf, Rows],
    policy: ErrorPolicy,
) -> Iterator[Record]:
    (queries_of, asked), (gallery_of, offered) = queries, gallery
    ids: list[str | None] = []  # of each row of the gallery; None for a bad record
    stops = array("q")  # where the rows of each record end among the queries
    next_row = 0
    with Spool() as spool:
        for gap, record in with_gaps(records):  # a line that is no record takes up a row
            next_row += gap if queries_of != "negatives" else 0
            ids += [None] * gap if gallery_of != "negatives" else []
            if record is None:
                break  # behind the last one
            try:
                name: str | None = record.id
            except InputError as error:
                policy.bad(error)
                name = None
            ids += [name] * record.num_rows(gallery_of)
            next_row += record.num_rows(queries_of)
            stops.append(next_row)
            spool.add(record)
        offered.check_length(len(ids))
        asked.check_length(next_row)
        hit = next(hits, None)
        for record, stop in zip(spool, stops, strict=True):
            while hit is not None and hit["query"] < stop:
                found = hit | {"top_ids": [ids[row] for row, _ in hit["top"]]}
                yield Record({**record, **found}, record.source, record.line, record.index)
                hit = next(hits, None)
