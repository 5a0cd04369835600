"""Training records on disk, in any order, and the batches made of them."""

import hashlib
import json
import os
import random
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hnclip_cli.errors import InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.images import ImageRoot, check_image
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, format_record, parse_record
from hnclip_cli.training.config import NumSlots, TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives.hard_negatives import uses

_BLOCK_BYTES = 1 << 24


class RecordStore:
    """Records spooled to a temporary file, so that epochs can read a pipe again.

    Every record is checked on the way in: its fields, and that its image exists. Memory is 24
    bytes a record, and while reading the names of the groups.

    Args:
        records: with ``image``, ``caption`` and perhaps ``negatives``.
        image_root: where relative image paths start, and whether URLs are fetched.
        policy: what to do with a bad record.

    Attributes:
        kinds: the kinds of negatives, sorted; a kind's id is its position.
        has_negative_images: whether any record has some.
        digest: hash of what was read, the same for a file and a pipe.
    """

    def __init__(
        self, records: Iterable[Record], image_root: str | ImageRoot, policy: ErrorPolicy
    ) -> None:
        self._file = tempfile.TemporaryFile()
        self._offsets = array("q", [0])
        self._lines = array("q")
        self._groups = array("q")
        self._source = "-"
        self.image_root = image_root
        digest = hashlib.blake2b(digest_size=16)
        kinds: set[str] = set()
        has_negative_images = False
        groups: dict[str, int] = {}
        for record in records:
            try:
                line = self._essentials(record)
            except InputError as error:
                policy.bad(error)
                continue
            self._file.write(line)
            digest.update(line)
            self._offsets.append(self._offsets[-1] + len(line))
            self._lines.append(record.line)
            self._source = record.source
            self._groups.append(groups.setdefault(record.group, len(groups)))
            has_negative_images |= bool(record.negative_images)
            kinds.update(negative.kind for negative in record.negatives)
        self._file.flush()
        self.kinds = sorted(kinds)
        self.has_negative_images = has_negative_images
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Record:
        start, stop = self._offsets[index], self._offsets[index + 1]
        line = os.pread(self._file.fileno(), stop - start, start)
        return parse_record(line, self._source, self._lines[index], index)

    @property
    def threshold_names(self) -> list[str]:
        """What each adaptive threshold is of: the kinds, and last the negative images."""
        return [*self.kinds, "negative-image"] if self.has_negative_images else self.kinds

    def group(self, index: int) -> int:
        """A number shared by the records that describe the same image."""
        return self._groups[index]

    @classmethod
    def shared(
        cls, read: "Callable[[], RecordStore]", image_root: str | ImageRoot, ranks: Ranks
    ) -> "RecordStore":
        """What rank 0 reads, on every rank.

        Raises:
            HnclipError: rank 0 could not read it.
        """
        store = ranks.first(read)
        if store is None:
            store = cls((), image_root, ErrorPolicy())
        store._broadcast(ranks)
        return store

    def _broadcast(self, ranks: Ranks) -> None:
        facts = [self.kinds, self.has_negative_images, self.digest, self._source]
        facts = json.loads(ranks.broadcast(json.dumps(facts).encode()))
        self.kinds, self.has_negative_images, self.digest, self._source = facts
        self._offsets = _integers(ranks.broadcast(self._offsets.tobytes()))
        self._lines = _integers(ranks.broadcast(self._lines.tobytes()))
        self._groups = _integers(ranks.broadcast(self._groups.tobytes()))
        file = self._file.fileno()
        for start in range(0, self._offsets[-1], _BLOCK_BYTES):
            os.pwrite(file, ranks.broadcast(os.pread(file, _BLOCK_BYTES, start)), start)

    def _essentials(self, record: Record) -> bytes:
        for name in [record.image, *record.negative_images]:
            check_image(record, name, self.image_root)
        essentials: dict[str, Any] = {
            "id": record.id,
            "image": record.image,
            "caption": record.caption,
            "negatives": [
                {"caption": negative.caption, "kind": negative.kind}
                for negative in record.negatives
            ],
        }
        if record.crops:
            essentials["crops"] = record["crops"]
        if record.negative_images:
            essentials["negative_images"] = record.negative_images
        return format_record(essentials)


def _integers(data: bytes) -> "array[int]":
    integers = array("q")
    integers.frombytes(data)
    return integers


def slots_of(config: TrainConfig, store: RecordStore) -> NumSlots:
    """The slots of a batch: none for what the objective does without or no record has."""
    weights = config.weights
    with_images = uses(weights, "images") and store.has_negative_images
    return NumSlots(
        config.negatives_per_caption if uses(weights, "negatives") else 0,
        config.negative_images_per_caption if with_images else 0,
    )


@dataclass
class Sample:
    """One pair with its negatives, as tensors."""

    pixels: Tensor  # as `PixelLoader` gives them
    caption: Tensor  # (context,)
    negatives: list[Tensor]  # up to K of (context,)
    kinds: list[int]
    group: int
    negative_pixels: list[Tensor]  # up to M


@dataclass
class Batch:
    """B pairs with K negative captions and M negative images each.

    Negatives are listed without the empty slots, in row-major order of their mask.
    """

    pixels: Tensor  # (B, …), as `Clip.encode_images` takes them
    captions: Tensor  # (B, context)
    negatives: Tensor  # (number of valid slots, context)
    mask: Tensor  # (B, K) bool
    kinds: Tensor  # (B, K) int64, 0 where invalid
    groups: Tensor  # (B,) int64
    negative_pixels: Tensor  # (number of valid slots, …)
    image_mask: Tensor  # (B, M) bool

    def __len__(self) -> int:
        return len(self.captions)


def make_sample(
    store: RecordStore,
    index: int,
    epoch: int,
    clip: Clip,
    slots: NumSlots,
    seed: int,
    load_pixels: PixelLoader | None = None,
) -> Sample:
    """Decode and tokenize one record; the choice of negatives depends on it, seed and epoch only.

    Images are decoded by ``load_pixels``, without it in the calling thread.

    Raises:
        InputError: an image does not decode.
    """
    record = store[index]
    captions, images = draw_slots(
        len(record.negatives), len(record.negative_images), slots, f"{seed}/{epoch}/{record.id}"
    )
    negatives = [record.negatives[position] for position in captions]
    tokens = clip.tokenize([record.caption, *(negative.caption for negative in negatives)])
    load_pixels = load_pixels or PixelLoader(clip, store.image_root, workers=0)
    negative_images = [record.negative_images[position] for position in images]
    pixels = [load_pixels(record, name) for name in [record.image, *negative_images]]
    kinds = [store.kinds.index(negative.kind) for negative in negatives]
    return Sample(pixels[0], tokens[0], list(tokens[1:]), kinds, store.group(index), pixels[1:])


def draw_slots(
    num_captions: int, num_images: int, slots: NumSlots, chooser: str
) -> tuple[list[int], list[int]]:
    """Which of a record's negative captions and negative images fill its slots.

    Negative image m is taken to show negative caption m, as in TripletCLIP's data: as far as both
    have slots they are drawn together and stand in the same one. Images beyond the captions fill
    slots behind them.

    Args:
        num_captions: negative captions of the record.
        num_images: its negative images.
        slots: how many there is room for.
        chooser: seed of the draw.

    Returns:
        Positions of captions and of images, by slot.
    """
    generator = random.Random(chooser)

    def draw(positions: list[int], count: int) -> list[int]:
        return sorted(generator.sample(positions, count)) if count < len(positions) else positions

    paired = draw(list(range(min(num_captions, num_images))), min(slots.captions, slots.images))
    others = [position for position in range(num_captions) if position not in paired]
    captions = paired + draw(others, slots.captions - len(paired))
    more = slots.images - len(paired) if len(captions) == len(paired) else 0
    return captions, paired + draw(list(range(num_captions, num_images)), more)


def collate(samples: list[Sample], slots: NumSlots) -> Batch:
    """Samples to a batch."""
    mask = torch.zeros(len(samples), slots.captions, dtype=torch.bool)
    kinds = torch.zeros(len(samples), slots.captions, dtype=torch.int64)
    image_mask = torch.zeros(len(samples), slots.images, dtype=torch.bool)
    for row, sample in enumerate(samples):
        mask[row, : len(sample.kinds)] = True
        kinds[row, : len(sample.kinds)] = torch.tensor(sample.kinds, dtype=torch.int64)
        image_mask[row, : len(sample.negative_pixels)] = True
    captions = _stack([sample.caption for sample in samples], torch.zeros(0, 0, dtype=torch.int64))
    pixels = _stack([sample.pixels for sample in samples], torch.zeros(0, 3, 0, 0))
    negatives = [tokens for sample in samples for tokens in sample.negatives]
    negative_pixels = [image for sample in samples for image in sample.negative_pixels]
    return Batch(
        pixels=pixels,
        captions=captions,
        negatives=_stack(negatives, captions[:0]),
        mask=mask,
        kinds=kinds,
        groups=torch.tensor([sample.group for sample in samples], dtype=torch.int64),
        negative_pixels=_stack(negative_pixels, pixels[:0]),
        image_mask=image_mask,
    )


def _stack(tensors: list[Tensor], if_none: Tensor) -> Tensor:
    return torch.stack(tensors) if tensors else if_none


def epoch_order(size: int, epoch: int, seed: int) -> list[int]:
    """The records' order in an epoch."""
    order = list(range(size))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order


def batch_indices(
    size: int, batch_size: int, seed: int, start: int = 0
) -> Iterator[list[tuple[int, int]]]:
    """Batches of (record, epoch) for ever, from batch ``start`` on.

    The rest of an epoch that fills no batch is left out.
    """
    per_epoch = size // batch_size
    epoch, first = divmod(start, per_epoch)
    while True:
        order = epoch_order(size, epoch, seed)
        for number in range(first, per_epoch):
            rows = order[number * batch_size : (number + 1) * batch_size]
            yield [(index, epoch) for index in rows]
        epoch, first = epoch + 1, 0
