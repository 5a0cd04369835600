"""This rank's rows of each batch: drawn, decoded ahead, put together."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.threads import map_ahead
from hnclip_cli.training.config import NumSlots, TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives.hard_negatives import uses
from hnclip_cli.training.store import RecordStore


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
    return Sample(pixels[0], tokens[0], list(tokens[1:]), kinds, store.groups[index], pixels[1:])


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


class Batches:
    """Draws batches one after the other; a bad image costs its own row only.

    Errors are kept until `check`, so that no rank leaves the others waiting.

    Args:
        clip: for its preprocessing and tokenizer.
        store: the records.
        config: the settings.
        policy: what to do with a bad image.
        ranks: each gets a contiguous part of every batch.
        start: number of the first batch.

    Leaving the ``with`` block ends the processes that decode.
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
        self._error: Exception | None = None
        self._policy = policy
        self._named: set[str] = set()
        self._num_slots = slots_of(config, store)
        size = config.batch_size
        self._first, last = size * ranks.rank // ranks.size, size * (ranks.rank + 1) // ranks.size
        self._num_rows = last - self._first
        self._num_empty, self._max_empty = 0, len(store) // size

        loader = self._loader = PixelLoader(clip, store.image_root, config.workers)

        def load(item: tuple[int, int]) -> Sample | InputError:
            try:
                return make_sample(store, *item, clip, self._num_slots, config.seed, loader)
            except InputError as error:
                return error

        indices = batch_indices(len(store), size, config.seed, start)
        own = (item for batch in indices for item in batch[self._first : last])
        self._results = map_ahead(load, own, loader.num_threads, depth=2 * size)

    def __enter__(self) -> "Batches":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._results.close()
        self._loader.__exit__(kind, error, trace)

    def draw(self) -> Batch:
        """This rank's next rows; none where nothing could be decoded or something failed."""
        samples: list[Sample] = []
        try:
            results = [next(self._results) for _ in range(self._num_rows)]
            samples = list(self._good(results))
        except Exception as error:  # kept for `check`: the other ranks have to hear of it first
            self._error = error
        return collate(samples, self._num_slots)

    @property
    def failed(self) -> bool:
        """Whether this rank cannot go on."""
        return self._error is not None

    def check(self, *, failed: bool, empty: bool) -> None:
        """Raise what has been kept, once all ranks know.

        Args:
            failed: a rank cannot go on.
            empty: no rank has a row of the batch.

        Raises:
            HnclipError: another rank failed, or no image of a whole epoch could be decoded.
            Exception: what happened on this rank.
        """
        if self._error:
            raise self._error
        if failed:
            raise HnclipError("another process of this run failed", hint="reading its message")
        self._num_empty = self._num_empty + 1 if empty else 0
        if self._num_empty > self._max_empty:
            raise HnclipError("not one image of an epoch could be decoded")

    def _good(self, results: list[Sample | InputError]) -> Iterator[Sample]:
        for result in results:
            if isinstance(result, Sample):
                yield result
            elif str(result) not in self._named:  # once a run, not once an epoch
                self._named.add(str(result))
                self._policy.bad(result)
