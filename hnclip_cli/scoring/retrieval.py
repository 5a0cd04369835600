"""Retrieval between two arrays of embeddings."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader, Shard
from hnclip_cli.streams.nearest import QUERIES_PER_BLOCK, ROWS_PER_TILE, TopK, Vectors
from hnclip_cli.streams.npy import NpyReader
from hnclip_cli.streams.records import Record, RowsOf

# Queries that go through a gallery file together: reading it costs little beside their products.
QUERIES_PER_PASS = 16 * QUERIES_PER_BLOCK

Hit = dict[str, Any]


def retrieve(
    queries: NpyReader,
    gallery: NpyReader,
    k: int,
    policy: ErrorPolicy,
    shard: Shard | None = None,
) -> Iterator[Hit]:
    """Yield ``{"query": row, "top": [[row, cosine], …]}`` for each row of ``queries``, in order.

    ``top`` holds the k rows of the gallery with the highest cosine, best first, equal ones by
    their number; fewer where the gallery has fewer. Rows need not be of length 1; the cosine
    with a row of zeros is 0.

    A gallery that can be read again is, for every 16,384 queries. One that comes through a pipe
    is read once, and all queries are held beside it.

    Args:
        queries: shape (Q, D).
        gallery: shape (N, D).
        k: how many rows to find.
        policy: what to do with a row that is not finite. Skipped, it is in no result, or has none.
        shard: answer only this part of the queries.

    Raises:
        HnclipError: the arrays have rows of different lengths, or one of them is truncated.
        InputError: a row is not finite, and the policy is to fail.
    """
    if queries.shape[1] != gallery.shape[1]:
        raise HnclipError(
            "the arrays have rows of different lengths",
            got=f"{queries.source}: {queries.shape[1]}, {gallery.source}: {gallery.shape[1]}",
            hint="embedding both with one model",
        )
    first, stop = shard.bounds(queries.shape[0]) if shard else (0, queries.shape[0])
    queries.seek_row(first)
    reporting = policy  # of bad rows in the gallery; those of a second pass are known
    while queries.next_row < stop:
        start, left = queries.next_row, stop - queries.next_row
        rows = queries.read(min(left, QUERIES_PER_PASS) if gallery.is_seekable else left)
        good = start + _finite(rows, start, queries.source, policy)
        top = TopK(Vectors(rows[good - start]), min(k, gallery.shape[0]))
        del rows
        gallery.seek_row(0)
        for tile in _tiles(gallery, reporting):
            top.update(*tile)
        reporting = ErrorPolicy("skip")
        yield from _hits(good, top)


def _tiles(gallery: NpyReader, policy: ErrorPolicy) -> Iterator[tuple[Vectors, np.ndarray]]:
    while gallery.next_row < gallery.shape[0]:
        start = gallery.next_row
        rows = gallery.read(min(ROWS_PER_TILE, gallery.shape[0] - start))
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


def _hits(numbers: np.ndarray, top: TopK) -> Iterator[Hit]:
    for number, indices, scores in zip(numbers.tolist(), *top.result(), strict=True):
        found = np.isfinite(scores)
        pairs = zip(indices[found].tolist(), scores[found], strict=True)
        # str gives the shortest decimal that reads back as the same float32.
        yield {"query": number, "top": [[row, float(str(score))] for row, score in pairs]}


def ids_of_rows(reader: RecordReader, of: RowsOf) -> list[str | None]:
    """The ``id`` of the record that each row of an array belongs to; None for a bad one.

    Raises:
        InputError: a line is no record, or its ``id`` no text, and the policy is to fail.
    """
    ids: list[str | None] = []
    for record, rows in _rows(reader, of):
        ids += [None] * (rows.start - len(ids))
        if record is not None:
            try:
                ids += [record.id] * len(rows)
            except InputError as error:
                reader.policy.bad(error)
                ids += [None] * len(rows)
    return ids


def add_hits(
    reader: RecordReader, of: RowsOf, hits: Iterable[Hit], ids: list[str | None], num_queries: int
) -> Iterator[Record]:
    """Yield the records with ``query``, ``top`` and ``top_ids``, one for each row that has hits.

    Args:
        reader: the records that the queries were made from, all of them.
        of: what of them the queries are.
        hits: what `retrieve` yields.
        ids: of the gallery's rows, those of the hits become ``top_ids``.
        num_queries: rows of the array of queries.

    Raises:
        HnclipError: there are more or fewer rows than the records take up.
    """
    coming = iter(hits)
    hit = next(coming, None)
    total = 0
    for record, rows in _rows(reader, of):
        total = rows.stop
        while record is not None and hit is not None and hit["query"] < rows.stop:
            found = hit | {"top_ids": [ids[row] for row, _ in hit["top"]]}
            yield Record({**record, **found}, record.source, record.line, record.index)
            hit = next(coming, None)
    check_num_rows(total, num_queries, of)


def check_num_rows(expected: int, found: int, of: RowsOf) -> None:
    """That an array belongs to the records.

    Raises:
        HnclipError: it has more or fewer rows than they take up.
    """
    if expected != found:
        raise HnclipError(
            f"the {of} embeddings do not belong to the records",
            got=f"{found} rows",
            expected=f"{expected}, as many as the records take up",
            hint="embedding the same records again",
        )


def _rows(reader: RecordReader, of: RowsOf) -> Iterator[tuple[Record | None, range]]:
    """Each record with the rows that belong to it; at the end None, behind the last row.

    A line that is no record takes up a row.
    """
    next_row = next_index = 0
    for record in reader:
        start = next_row + record.index - next_index
        next_row, next_index = start + record.num_rows(of), record.index + 1
        yield record, range(start, next_row)
    next_row += reader.num_lines - next_index
    yield None, range(next_row, next_row)
