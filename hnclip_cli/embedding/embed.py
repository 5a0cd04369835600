"""Records to rows of unit vectors."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from hnclip_cli.embedding.partial import PartialArray
from hnclip_cli.errors import HnclipError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.encoder import Content, Encoder, Item, View
from hnclip_cli.models.load import as_clip
from hnclip_cli.streams.garbage import collecting_rarely
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.pace import Pace
from hnclip_cli.streams.records import Record, RowsOf

MAX_RECORDS = 4096  # in a window, which may bring nothing new
MAX_CAPTIONS = 4096  # new ones in a window
LOST = "it could not be embedded, as found before the run was resumed"


class Block(NamedTuple):
    """Rows of successive records, float32, (n, D); and the hash of all that was embedded so far."""

    rows: np.ndarray
    digest: str


def embed(
    records: Iterable[Mapping[str, Any]],
    of: RowsOf,
    *,
    model: Clip | str,
    batch_size: int = 64,
    image_root: str | ImageRoot = ".",
    workers: int = 0,
    policy: ErrorPolicy | None = None,
) -> np.ndarray:
    """The rows of `embed_blocks` in one array, float32, shape (n, D).

    Args:
        records: with what is embedded.
        of: ``image``, ``caption`` or ``negatives``.
        model: as `load_clip` takes it, or what that returned.
        batch_size: images or captions encoded at a time.
        image_root: where relative image paths start.
        workers: processes that decode images ahead.
        policy: what to do with a bad record; without one it is an error.

    Raises:
        InputError: a record is bad.
        HnclipError: no such model.
    """
    policy = policy or ErrorPolicy()
    encoder = Encoder(
        as_clip(model),
        batch_size=batch_size,
        image_root=image_root,
        workers=workers,
        policy=policy,
    )
    nothing = np.zeros((0, encoder.clip.embed_dim), np.float32)
    blocks = embed_blocks(records, of, encoder, policy=policy)
    return np.concatenate([nothing, *(block.rows for block in blocks)])


def embed_blocks(
    records: Iterable[Mapping[str, Any]],
    of: RowsOf,
    encoder: Encoder,
    *,
    policy: ErrorPolicy | None = None,
    kept: PartialArray | None = None,
    pace: Pace | None = None,
) -> Iterator[Block]:
    """Yield blocks of rows in the order of the records.

    ``image`` and ``caption`` give one row a record (or one for each of ``images`` and
    ``captions``), ``negatives`` one row for each negative, a record's rows together. Where the
    policy skips, an image or captions that cannot be had, and lines that are no records, have
    rows of NaN; records with bad negatives have no rows.

    Each distinct image or caption is encoded once, as long as the last 64 MiB of rows remember
    it. Blocks depend on the records and the batch size only, not on how fast the records come.

    Args:
        kept: rows that an earlier run has left; blocks begin behind them. It is an error where
            they do not end between two blocks of these records.
        pace: counts what is encoded, and the time in which the model waits for it.
    """
    pace = pace or Pace(f"{of}s")
    policy = policy or ErrorPolicy()
    other_records = HnclipError(
        "the rows in the partial file are of other records",
        hint="the same input, or without --resume",
    )
    end_of_kept = (kept.num_rows, kept.digest) if kept else (0, "")
    num_rows = 0
    digest = hashlib.blake2b(digest_size=16)
    items = _items(records, of, encoder, policy, kept)
    if of == "image":
        items = encoder.decoded(items)
    with collecting_rarely():
        for window in pace.each(_windows(items, of, encoder.batch_size)):
            count = sum(_num_rows(item, of) for item in window)
            num_rows += count
            digest.update(json.dumps([_key(item, of) for item in window]).encode())
            if not count:
                continue
            end = (num_rows, digest.hexdigest())
            if num_rows - count < end_of_kept[0] <= num_rows and end != end_of_kept:
                raise other_records
            is_new = num_rows > end_of_kept[0]
            if is_new:
                encoder.encode(window)
                pace.add(sum(len(item.new) for item in window))
            # Names bad images, also those of kept rows.
            rows = _rows(window, count, of, encoder.clip.embed_dim, policy)
            if is_new:
                yield Block(rows, end[1])
    if num_rows < end_of_kept[0]:
        raise other_records


def _items(
    records: Iterable[Mapping[str, Any]],
    of: RowsOf,
    encoder: Encoder,
    policy: ErrorPolicy,
    kept: PartialArray | None,
) -> Iterator[Item]:
    """The items; those of kept rows need no encoding."""

    def contents_of(record: Record) -> list[Content]:
        if of == "image":
            return [View(name) for name in record.image_list]
        if of == "caption":
            return list(record.caption_list)
        return [negative.caption for negative in record.negatives]

    num_rows = 0
    for item in encoder.plan(records, contents_of):
        if item.error:
            policy.bad(item.error)
        count = _num_rows(item, of)
        num_rows += count
        if kept and 0 < num_rows <= kept.num_rows:
            rows = kept.read(count)[count - len(item.slots) :]
            for slot, row in zip(item.slots, rows, strict=True):
                if slot.is_open and np.isnan(row).any():
                    slot.problem = LOST
                elif slot.is_open:
                    slot.row = row.copy()
        yield item


def _windows(items: Iterable[Item], of: RowsOf, batch_size: int) -> Iterator[list[Item]]:
    """Successive items that bring so many new images or captions."""
    window: list[Item] = []
    num_new, size = 0, batch_size
    for item in items:
        window.append(item)
        num_new += len(item.new)
        if num_new >= size or len(window) == MAX_RECORDS:
            yield window
            window, num_new = [], 0
            if of != "image":  # the first rows come soon, later captions find neighbors
                size = max(batch_size, min(2 * size, MAX_CAPTIONS))
    yield window


def _num_rows(item: Item, of: RowsOf) -> int:
    """Rows of a record, and of the lines before it that are no records."""
    own = item.record.num_rows(of) if item.error and item.record else len(item.slots)
    return own + (item.gap if of != "negatives" else 0)


def _key(item: Item, of: RowsOf) -> list[Any]:
    """What a record's rows depend on."""
    names = [
        content if isinstance(content, str) else f"{content.name} {crop}" if crop else content.name
        for content, crop in ((slot.content, slot.crop) for slot in item.slots)
    ]
    return [_num_rows(item, of), *names]


def _rows(
    window: list[Item], count: int, of: RowsOf, width: int, policy: ErrorPolicy
) -> np.ndarray:
    rows = np.full((count, width), np.nan, np.float32)
    position = 0
    for item in window:
        position += _num_rows(item, of) - len(item.slots)
        if item.problem and not item.error:
            policy.bad(item.problem)
        for slot in item.slots:
            if slot.row is not None:
                rows[position] = slot.row
            position += 1
    return rows
