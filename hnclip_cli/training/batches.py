"""This rank's rows of each batch: drawn, decoded ahead, put together."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import FLAT, PixelLoader, is_flat
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.threads import map_ahead
from hnclip_cli.training.config import NumSlots, TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives.hard_negatives import uses
from hnclip_cli.training.store import RecordStore


def slots_of(config: TrainConfig, has_negative_images: bool) -> NumSlots:
    """The slots of a batch: none for what the objective does without or no record has."""
    with_images = uses(config.weights, "images") and has_negative_images
    return NumSlots(
        config.negatives_per_caption if uses(config.weights, "negatives") else 0,
        config.negative_images_per_caption if with_images else 0,
    )


@dataclass
class Sample:
    """One pair with its negatives, as tensors."""

    pixels: Tensor  # as `PixelLoader` gives them
    caption: Tensor  # (context,)
    negatives: list[Tensor | None]  # up to K of (context,); None where it is the caption's tokens
    kinds: list[int]  # of each negative
    group: int
    negative_pixels: list[Tensor]  # up to M
    flat: list[str]  # the names of its images of one flat color


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

    Without ``load_pixels``, images are decoded in the calling thread. One that does not decode is
    an `InputError`.
    """
    record = store[index]
    captions, images = draw_slots(
        len(record.negatives), len(record.negative_images), slots, f"{seed}/{epoch}/{record.id}"
    )
    negatives = [record.negatives[position] for position in captions]
    tokens = clip.tokenize([record.caption, *(negative.caption for negative in negatives)])
    load_pixels = load_pixels or PixelLoader(clip, store.image_root, workers=0)
    negative_images = [record.negative_images[position] for position in images]
    names = [record.image, *negative_images]
    pixels = [load_pixels(record, name) for name in names]
    caption = tokens[0]
    return Sample(
        pixels=pixels[0],
        caption=caption,
        negatives=[None if torch.equal(text, caption) else text for text in tokens[1:]],
        kinds=[store.kinds.index(negative.kind) for negative in negatives],
        group=store.groups[index],
        negative_pixels=pixels[1:],
        flat=[repr(name) for name, image in zip(names, pixels, strict=True) if is_flat(image)],
    )


def draw_slots(
    num_captions: int, num_images: int, slots: NumSlots, chooser: str
) -> tuple[list[int], list[int]]:
    """Which of a record's negative captions and negative images fill its slots.

    Negative image m is taken to show negative caption m, as in TripletCLIP's data: as far as both
    have slots they are drawn together and stand in the same one. Images beyond the captions fill
    slots behind them. Gives positions of captions and of images, by slot.
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
    filled = _filled([len(sample.kinds) for sample in samples], slots.captions)
    kinds, mask = filled.long(), filled.clone()
    kinds[filled] = torch.tensor([k for sample in samples for k in sample.kinds], dtype=torch.int64)
    all_negatives = [tokens for sample in samples for tokens in sample.negatives]
    mask[filled] = torch.tensor([tokens is not None for tokens in all_negatives], dtype=torch.bool)
    captions = _stack([sample.caption for sample in samples], torch.zeros(0, 0, dtype=torch.int64))
    pixels = _stack([sample.pixels for sample in samples], torch.zeros(0, 3, 0, 0))
    negatives = [tokens for tokens in all_negatives if tokens is not None]
    negative_pixels = [image for sample in samples for image in sample.negative_pixels]
    return Batch(
        pixels=pixels,
        captions=captions,
        negatives=_stack(negatives, captions[:0]),
        mask=mask,
        kinds=kinds * mask,
        groups=torch.tensor([sample.group for sample in samples], dtype=torch.int64),
        negative_pixels=_stack(negative_pixels, pixels[:0]),
        image_mask=_filled([len(sample.negative_pixels) for sample in samples], slots.images),
    )


def _filled(counts: list[int], num_slots: int) -> Tensor:
    """(B, slots) bool: the first of each row are."""
    return torch.arange(num_slots) < torch.tensor(counts, dtype=torch.int64)[:, None]


def _stack(tensors: list[Tensor], if_none: Tensor) -> Tensor:
    return torch.stack(tensors) if tensors else if_none


def batch_indices(
    size: int, batch_size: int, seed: int, start: int = 0
) -> Iterator[list[tuple[int, int]]]:
    """Batches of (record, epoch) for ever, from batch ``start`` on.

    The rest of an epoch that fills no batch is left out.
    """
    per_epoch = size // batch_size
    epoch, first = divmod(start, per_epoch)
    while True:
        order = list(range(size))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        for number in range(first, per_epoch):
            rows = order[number * batch_size : (number + 1) * batch_size]
            yield [(index, epoch) for index in rows]
        epoch, first = epoch + 1, 0


class Batches:
    """Draws batches one after the other; a bad image costs its own row only.

    Each rank gets a contiguous part of every batch, from number ``start`` on. Errors are kept
    until `check`, so that no rank leaves the others waiting. Leaving the ``with`` block ends the
    processes that decode.
    """

    def __init__(
        self,
        clip: Clip,
        store: RecordStore,
        config: TrainConfig,
        policy: ErrorPolicy,
        ranks: Ranks,
        start: int,
    ) -> None:
        self.error: Exception | None = None  # this rank cannot go on
        self._policy = policy
        self._named: set[str] = set()
        self._num_slots = slots_of(config, store.has_negative_images)
        size = config.batch_size
        first, last = size * ranks.rank // ranks.size, size * (ranks.rank + 1) // ranks.size
        self._num_rows = last - first
        self._num_negatives = self._num_alike = 0
        self._num_empty, self._max_empty = 0, len(store) // size

        loader = self._loader = PixelLoader(clip, store.image_root, config.workers)

        def load(item: tuple[int, int]) -> Sample | InputError:
            try:
                return make_sample(store, *item, clip, self._num_slots, config.seed, loader)
            except InputError as error:
                return error

        indices = batch_indices(len(store), size, config.seed, start)
        own = (item for batch in indices for item in batch[first:last])
        self._results = map_ahead(load, own, loader.num_threads, depth=2 * size)

    def __enter__(self) -> "Batches":
        return self

    def __exit__(self, *details: object) -> None:
        self._results.close()
        self._loader.__exit__(*details)

    def draw(self) -> Batch:
        """This rank's next rows; none where nothing could be decoded or something failed."""
        samples: list[Sample] = []
        try:
            for result in itertools.islice(self._results, self._num_rows):
                if isinstance(result, Sample):
                    samples.append(result)
                    self._num_negatives += len(result.negatives)
                    self._num_alike += result.negatives.count(None)
                    for name in set(result.flat) - self._named:
                        self._named.add(name)
                        self._policy.odd(FLAT, name)
                elif str(result) not in self._named:  # once a run, not once an epoch
                    self._named.add(str(result))
                    self._policy.bad(result)
        except Exception as error:  # the other ranks have to hear of it first
            self.error = error
        return collate(samples, self._num_slots)

    def notes(self) -> list[str]:
        """A line where negatives were left out that are their captions to the model."""
        if not self._num_alike:
            return []
        share = f"{self._num_alike} of {self._num_negatives} negatives that were drawn"
        return [f"{share} have the same tokens as their captions, and were left out"]

    def check(self, *, failed: bool, empty: bool) -> None:
        """Raise what was kept, once all ranks know; `HnclipError` after an epoch of bad images."""
        if self.error:
            raise self.error
        if failed:
            raise HnclipError("another process of this run failed", hint="reading its message")
        self._num_empty = self._num_empty + 1 if empty else 0
        if self._num_empty > self._max_empty:
            raise HnclipError("not one image of an epoch could be decoded")
