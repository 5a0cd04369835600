"""Records to rows of unit vectors."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch

from hnclip_cli.embedding.plan import Item, KeptRows, Slot, plan
from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import RowsOf
from hnclip_cli.streams.threads import map_ahead

MEMORY_BYTES = 64 << 20  # of rows that are remembered
MAX_RECORDS = 4096  # in a window, which may bring nothing new
MAX_CAPTIONS = 4096  # new ones in a window


class Block(NamedTuple):
    """Rows of successive records.

    Attributes:
        rows: float32, shape (n, D).
        digest: hash of all that was embedded up to here.
    """

    rows: np.ndarray
    digest: str


def embed(
    reader: RecordReader,
    clip: Clip,
    of: RowsOf,
    *,
    batch_size: int,
    policy: ErrorPolicy,
    image_root: str | ImageRoot = ".",
    workers: int = 0,
    kept: KeptRows | None = None,
) -> Iterator[Block]:
    """Yield blocks of rows in the order of the records.

    ``image`` and ``caption`` give one row a record (or one for each of ``images`` and
    ``captions``), ``negatives`` one row for each negative, a record's rows together. Where an
    image or a record's captions cannot be had and the policy skips, their rows are NaN, so that
    row and record stay together; records with bad negatives have no rows. The lines that are not
    even records have one NaN row.

    Each distinct image or caption is encoded once, as long as the last 64 MiB of rows remember
    it. Blocks depend on the records and the batch size only, not on how fast the records come.

    Args:
        reader: the records; its policy is ``policy``.
        clip: the model.
        of: what to embed of them.
        batch_size: images or captions encoded at a time.
        policy: what to do with a bad record.
        image_root: where relative image paths start.
        workers: threads that decode images ahead.
        kept: rows that an earlier run has left; blocks begin behind them.

    Raises:
        InputError: a record is bad, where the policy is to fail.
        HnclipError: ``kept`` does not end between two blocks of these records.
    """
    capacity = max(1, MEMORY_BYTES // (4 * clip.embed_dim))
    items = plan(reader, of, capacity, kept)
    if of != "image":
        yield from _blocks(
            items, _caption_windows(batch_size), _encode_captions, clip, batch_size, policy, kept
        )
        return
    with PixelLoader(clip, image_root, workers) as loader:
        decoded = map_ahead(_decoder(loader), items, loader.num_threads)
        yield from _blocks(
            decoded, repeat(batch_size), _encode_images, clip, batch_size, policy, kept
        )


def _blocks(
    items: Iterable[Item],
    sizes: Iterator[int],
    encode: Callable[[Clip, list[Item], int], None],
    clip: Clip,
    batch_size: int,
    policy: ErrorPolicy,
    kept: KeptRows | None,
) -> Iterator[Block]:
    num_kept = kept.num_rows if kept else 0
    num_rows = 0
    digest = hashlib.blake2b(digest_size=16)
    for window in _windows(items, sizes):
        count = sum(item.num_rows for item in window)
        num_rows += count
        digest.update(json.dumps([[item.num_rows, *item.contents] for item in window]).encode())
        if not count:
            continue
        if num_rows - count < num_kept < num_rows:
            raise _other_records()
        if num_rows > num_kept:
            encode(clip, window, batch_size)
        rows = _rows(window, clip.embed_dim, policy)  # names bad images, also those of kept rows
        if num_rows > num_kept:
            yield Block(rows, digest.hexdigest())
        elif kept and num_rows == num_kept and digest.hexdigest() != kept.digest:
            raise _other_records()
    if num_rows < num_kept:
        raise _other_records()


def _other_records() -> HnclipError:
    return HnclipError(
        "the rows kept so far are of other records", hint="the same input, or without --resume"
    )


def _windows(items: Iterable[Item], sizes: Iterator[int]) -> Iterator[list[Item]]:
    """Successive items that bring so many new images or captions."""
    window: list[Item] = []
    num_new, size = 0, next(sizes)
    for item in items:
        window.append(item)
        num_new += len(item.new)
        if num_new >= size or len(window) == MAX_RECORDS:
            yield window
            window, num_new, size = [], 0, next(sizes)
    yield window


def _caption_windows(batch_size: int) -> Iterator[int]:
    """Growing windows: the first rows come soon, later captions find neighbors to share with."""
    size = batch_size
    while True:
        yield size
        size = max(batch_size, min(2 * size, MAX_CAPTIONS))


def _decoder(load_pixels: PixelLoader) -> Callable[[Item], Item]:
    def decode(item: Item) -> Item:
        for slot in item.new:
            if item.record is None or slot.row is not None or slot.problem:
                continue
            try:
                slot.source = load_pixels(item.record, [slot.content])[0]
            except InputError as error:
                slot.problem = str(error).removeprefix(f"{item.record.where}: ")
        return item

    return decode


def _encode_images(clip: Clip, window: list[Item], batch_size: int) -> None:
    new = [slot for item in window for slot in item.new if slot.source is not None]
    for start in range(0, len(new), batch_size):
        batch = new[start : start + batch_size]
        with torch.inference_mode():
            rows = clip.encode_images(torch.stack([slot.source for slot in batch]))
        _store(batch, rows)


def _encode_captions(clip: Clip, window: list[Item], batch_size: int) -> None:
    """Captions that begin alike are encoded together, so that their beginning is encoded once."""
    new = sorted((slot for item in window for slot in item.new), key=_caption_order)
    for start in range(0, len(new), batch_size):
        batch = new[start : start + batch_size]
        with torch.inference_mode():
            rows = clip.encode_captions([slot.content for slot in batch])
        _store(batch, rows)


def _caption_order(slot: Slot) -> str:
    return slot.content.casefold()  # CLIP's tokenizer lowers case too


def _store(slots: list[Slot], rows: torch.Tensor) -> None:
    for slot, row in zip(slots, rows.cpu().numpy(), strict=True):
        slot.row, slot.source = row.copy(), None  # a view would keep the whole batch


def _rows(window: list[Item], width: int, policy: ErrorPolicy) -> np.ndarray:
    rows = np.full((sum(item.num_rows for item in window), width), np.nan, np.float32)
    position = 0
    for item in window:
        position += item.gap + item.num_bad
        problems = [slot.problem for slot in item.slots if slot.problem]
        if problems and item.record is not None:
            policy.bad(InputError(problems[0], where=item.record.where))
        for slot in item.slots:
            if slot.row is not None:
                rows[position] = slot.row
            position += 1
    return rows
