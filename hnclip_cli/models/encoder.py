"""The images and captions of records: each distinct one decoded and encoded once."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from hnclip_cli.errors import InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.device import is_gpu
from hnclip_cli.models.pixels import FLAT, MAX_AHEAD, PixelLoader, is_flat
from hnclip_cli.models.row_store import RowStore
from hnclip_cli.streams.decoders import Wanted
from hnclip_cli.streams.images import ImageRoot, as_root
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Box, Record, with_gaps
from hnclip_cli.streams.threads import chunked

MEMORY_BYTES = 64 << 20  # of rows that are remembered
# In a forward pass on a GPU: their tokens are fewer than an image's patches, and few captions leave
# it waiting for this program.
CAPTIONS_PER_IMAGE = 4

NO_VECTOR = "the model gives no vector: it is not finite, or zero; try --precision fp32"


class View(NamedTuple):
    """An image, all of it or only what lies in the boxes, the rest black."""

    name: str
    boxes: tuple[Box, ...] = ()


Content = View | str  # a part of an image, or a caption


@dataclass(eq=False, slots=True)
class Slot:
    """A distinct view or caption, and its row once there is one."""

    content: Content
    crop: Box | None  # of the image, where it has one
    pixels: Any = None  # (3, height, width), of a view that is decoded and not yet encoded
    row: np.ndarray | None = None  # (D,)
    problem: str = ""  # why there will be no row

    def take(self, row: np.ndarray) -> None:
        """Its row (D,), or a problem where that is no unit vector: not finite, or all zero."""
        if 0.5 < row @ row < 2:
            self.row = row.copy()  # else it would keep the whole batch
        else:
            self.problem = NO_VECTOR

    @property
    def is_open(self) -> bool:
        """Whether a row is still to come."""
        return self.row is None and not self.problem


@dataclass(slots=True)
class Item:
    """A record and what has to be encoded of it."""

    record: Record | None  # None behind the last record
    gap: int  # lines before it that are no records
    slots: list[Slot] = field(default_factory=list)  # what it needs; empty where it is bad
    new: list[Slot] = field(default_factory=list)  # those that no recent record had
    error: InputError | None = None  # what is wrong with the record

    @property
    def problem(self) -> InputError | None:
        """What is wrong with the record, or with one of its images."""
        found = next((slot.problem for slot in self.slots if slot.problem), "")
        return InputError(found, where=self.record.where) if found and self.record else self.error


@dataclass
class Encoder:
    """Turns what records need into rows; what recent records had is not done again."""

    clip: Clip
    _: KW_ONLY
    batch_size: int = 64  # images or captions in a forward pass
    image_root: str | ImageRoot = "."  # where relative paths start, and whether URLs are fetched
    workers: int = 0  # processes that decode; 0 decodes in line and ahead of nothing
    policy: ErrorPolicy = field(default_factory=ErrorPolicy)  # is told of images of one flat color
    store: RowStore | None = None  # of rows that earlier runs have encoded

    def plan(
        self,
        records: Iterable[Mapping[str, Any]],
        contents_of: Callable[[Record], Sequence[Content]],
    ) -> Iterator[Item]:
        """Yield an item for each record, and one at the end; what is new depends on these alone.

        Args:
            records: whose images or captions are wanted.
            contents_of: those of a record. Where it raises an `InputError`, the record is bad.
        """
        capacity = max(1, MEMORY_BYTES // (4 * self.clip.embed_dim))
        recent: OrderedDict[tuple[Content, Box | None], Slot] = OrderedDict()
        for gap, record in with_gaps(records):
            item = Item(record, gap)
            if record is not None:
                for key in _keys(item, record, contents_of):
                    if key not in recent:
                        recent[key] = slot = Slot(*key)
                        if self.store and isinstance(slot.content, View):
                            slot.row = self.store.get(self._key(self.store, slot))
                        if slot.is_open:
                            item.new.append(slot)
                    recent.move_to_end(key)
                    item.slots.append(recent[key])
                while len(recent) > capacity:
                    recent.popitem(last=False)
            yield item

    def decoded(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, their new views decoded ahead."""

        def prepare(item: Item) -> tuple[tuple[Item, list[Slot]], list[Wanted]]:
            slots = [slot for slot in item.new if isinstance(slot.content, View) and slot.is_open]
            if not item.record:
                return (item, []), []
            return (item, slots), [(item.record, *slot.content) for slot in slots]

        depth = max(64, min(2 * self.batch_size, MAX_AHEAD))
        held = depth + self.batch_size
        with PixelLoader(self.clip, self.image_root, self.workers, held) as loader:
            for (item, slots), images in loader.ahead(items, prepare, depth):
                for slot, image in zip(slots, images, strict=True):
                    if isinstance(image, InputError):
                        assert item.record
                        slot.problem = str(image).removeprefix(f"{item.record.where}: ")
                    else:
                        slot.pixels = image
                yield item

    def encode(self, items: Iterable[Item]) -> None:
        """Give the new slots of the items their rows; views must be decoded before."""
        new = [(item, slot) for item in items for slot in item.new if slot.is_open]
        views = [slot for _, slot in new if slot.pixels is not None]
        for item, slot in new:
            match slot.content:
                case View(name, ()) if item.record and is_flat(slot.pixels):
                    self.policy.odd(FLAT, f"{item.record.where}: {name!r}")
        for batch in chunked(views, self.batch_size):
            with torch.inference_mode():
                pixels = self.clip.stack([slot.pixels for slot in batch])
                rows = self.clip.encode_images(pixels)
            for slot, row in zip(batch, rows.cpu().numpy(), strict=True):
                slot.take(row)
                slot.pixels = None
            if self.store:
                kept = [(self._key(self.store, s), s.row) for s in batch if s.row is not None]
                self.store.put(kept)
        texts = [(slot, slot.content) for _, slot in new if isinstance(slot.content, str)]
        size = self.batch_size * (CAPTIONS_PER_IMAGE if is_gpu(self.clip.device) else 1)
        found = self.captions([text for _, text in texts], size)
        for slot, text in texts:
            slot.take(found[text])

    def captions(
        self, captions: Iterable[str], batch_size: int | None = None
    ) -> dict[str, np.ndarray]:
        """The row of each distinct caption, shape (D,).

        Captions that begin alike are encoded together, so that their beginning is encoded once;
        ``batch_size`` in a forward pass, all by default.
        """
        known: dict[str, np.ndarray] = {}
        distinct = sorted(dict.fromkeys(captions), key=str.casefold)  # as CLIP's tokenizer
        if self.store:
            stored = {text: self.store.get(self.store.key(text)) for text in distinct}
            known = {text: row for text, row in stored.items() if row is not None}
            distinct = [text for text in distinct if text not in known]
        batches = list(chunked(distinct, batch_size or max(1, len(distinct))))
        with torch.inference_mode():  # all are begun before a GPU is waited for
            encoded = [self.clip.encode_captions(batch) for batch in batches]
        found = {
            text: row.copy()
            for batch, rows in zip(batches, encoded, strict=True)
            for text, row in zip(batch, rows.cpu().numpy(), strict=True)
        }
        if self.store and found:
            self.store.put((self.store.key(text), row) for text, row in found.items())
        return known | found

    def _key(self, store: RowStore, slot: Slot) -> bytes:
        """What stands in the store for the view of an image."""
        assert isinstance(slot.content, View)
        root = as_root(self.image_root)
        path = os.path.join(root.folder, slot.content.name)
        return store.key(*slot.content, slot.crop, root.reading, image=path)


def _keys(
    item: Item, record: Record, contents_of: Callable[[Record], Sequence[Content]]
) -> list[tuple[Content, Box | None]]:
    try:
        contents = contents_of(record)
        crops = record.crops if any(isinstance(content, View) for content in contents) else {}
    except InputError as error:
        item.error = error
        return []
    return [
        (content, crops.get(content.name) if isinstance(content, View) else None)
        for content in contents
    ]
