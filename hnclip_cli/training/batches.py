"""Batches: which records are in one, and how samples are put together."""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.errors import InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import PixelLoader, is_flat
from hnclip_cli.streams.decoders import Wanted
from hnclip_cli.training.config import NumSlots
from hnclip_cli.training.joining import JOINED
from hnclip_cli.training.store import RecordStore
from hnclip_cli.training.texts import REBUILT, Filled, draw_texts, num_slots


@dataclass
class Sample:
    """One pair with its negatives."""

    texts: list[str]  # the caption, then up to K negatives
    kinds: list[int]  # of each negative
    group: int
    images: list[Tensor]  # its image, then up to M negative ones, as `PixelLoader` gives them
    flat: list[str]  # the names of its images of one flat color
    further: Filled = field(default_factory=dict)  # of `NumSlots.sources`
    # Where its last image is another record's, whether this one stands on its left; see `joining`.
    joined: bool | None = None


class Texts(NamedTuple):
    """Further texts of B pairs in S slots, without the empty slots, as negatives are listed."""

    tokens: Tensor  # (number of valid slots, context)
    mask: Tensor  # (B, S) bool
    keys: Tensor  # (B, S) int64, equal for equal texts whatever the batch; 0 where invalid


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
    further: dict[str, Texts] = field(default_factory=dict)  # by the names of their slots
    # What a decoder is to rebuild, as `TextDecoder.tokenize` gives it; of `target_mask`.
    targets: Tensor | None = None

    @property
    def target_mask(self) -> Tensor:
        """(B,) bool, which pairs have a target."""
        return self.further[REBUILT].mask[:, 0]

    def __len__(self) -> int:
        return len(self.captions)


Prepared = tuple[Sample, list[Wanted]]  # without images, and those that it wants


def slots_at(slots: NumSlots, number: int) -> NumSlots:
    """The slots of batch ``number``, from 0: images are joined in every second one only."""
    if number % 2:
        return slots
    return slots._replace(sources=tuple(source for source in slots.sources if source != JOINED))


def prepare_sample(
    store: RecordStore, index: int, epoch: int, slots: NumSlots, seed: int
) -> Prepared:
    """One record as a sample without images, and the images that it wants.

    The choice of negatives depends on the record, the seed and the epoch only.
    """
    record = store[index]
    chooser = f"{seed}/{epoch}/{record.id}"
    captions, images = draw_slots(
        len(record.negatives), len(record.negative_images), slots, chooser
    )
    negatives = [record.negatives[position] for position in captions]
    sample = Sample(
        texts=[record.caption, *(negative.caption for negative in negatives)],
        kinds=[store.kinds.index(negative.kind) for negative in negatives],
        group=store.groups[index],
        images=[],
        flat=[],
    )
    names = [record.image, *(record.negative_images[position] for position in images)]
    wanted: list[Wanted] = [(record, name, ()) for name in names]
    partner = None
    if JOINED in slots.sources:
        generator = random.Random(f"{chooser}/{JOINED}")
        partner = store[_partner(store, index, generator)]
        sample.joined = generator.random() < 0.5
        wanted.append((partner, partner.image, ()))
    sample.further = draw_texts(record, slots.sources, chooser, partner)
    return sample, wanted


def _partner(store: RecordStore, index: int, generator: random.Random) -> int:
    """Another record, of another image where some draws find one."""
    for _ in range(8):
        other = generator.randrange(len(store))
        if store.groups[other] != store.groups[index]:
            break
    return other


def make_sample(
    store: RecordStore, index: int, epoch: int, clip: Clip, slots: NumSlots, seed: int
) -> Sample:
    """One record with its images; `InputError` where one does not decode."""
    sample, wanted = prepare_sample(store, index, epoch, slots, seed)
    loaded = filled(sample, wanted, PixelLoader(clip, store.image_root, workers=0).load(wanted))
    if isinstance(loaded, InputError):
        raise loaded
    return loaded


def filled(
    sample: Sample, wanted: Sequence[Wanted], images: Sequence[Tensor | InputError]
) -> Sample | InputError:
    """The sample with its images, or what is wrong with one of them."""
    for (_, name, _), image in zip(wanted, images, strict=True):
        if isinstance(image, InputError):
            return image
        sample.images.append(image)
        if is_flat(image):
            sample.flat.append(repr(name))
    return sample


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


def collate(samples: Sequence[Sample], slots: NumSlots, clip: Clip) -> Batch:
    """Samples to a batch. A negative of its caption's tokens is left out."""
    mask = _filled([len(sample.kinds) for sample in samples], slots.captions)
    kinds = mask.long()
    kinds[mask] = torch.tensor([k for sample in samples for k in sample.kinds], dtype=torch.int64)
    texts = [text for sample in samples for text in sample.texts]
    tokens = clip.tokenize(texts) if texts else torch.zeros(0, 0, dtype=torch.int64)
    counts = torch.tensor([len(sample.texts) for sample in samples], dtype=torch.int64)
    starts = counts.cumsum(0) - counts  # where the captions stand
    is_negative = torch.ones(len(tokens), dtype=torch.bool)
    is_negative[starts] = False
    differ = (tokens != tokens[starts.repeat_interleave(counts)]).any(dim=1)
    mask[mask.clone()] = differ[is_negative]
    images = [list(sample.images) for sample in samples]
    for sample, own in zip(samples, images, strict=True):
        if sample.joined is not None:
            own[0] = join_images(own[0], own.pop(), sample.joined)
    pixels = _stack([own[0] for own in images], torch.zeros(0, 3, 0, 0))
    rebuilt = [text for sample in samples for text in sample.further.get(REBUILT, [])]
    return Batch(
        pixels=pixels,
        captions=tokens[starts],
        negatives=tokens[is_negative & differ],
        mask=mask,
        kinds=kinds * mask,
        groups=torch.tensor([sample.group for sample in samples], dtype=torch.int64),
        negative_pixels=_stack([x for own in images for x in own[1:]], pixels[:0]),
        image_mask=_filled([len(own) - 1 for own in images], slots.images),
        further={
            name: _further([sample.further.get(name, []) for sample in samples], count, clip)
            for name, count in num_slots(slots.sources).items()
        },
        targets=clip.decoder.tokenize(rebuilt) if clip.decoder else None,
    )


def join_images(one: Tensor, other: Tensor, is_left: bool) -> Tensor:
    """Two images of one size side by side, each squeezed to half of the width.

    Shapes as `PixelLoader` gives them: (3, height, width), or (height, width, 3) of bytes.
    """
    if one.dtype == torch.uint8:
        joined = join_images(one.permute(2, 0, 1).float(), other.permute(2, 0, 1).float(), is_left)
        return joined.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
    height, width = one.shape[1:]
    sides = [
        F.interpolate(image[None], (height, size), mode="bilinear", antialias=True)[0]
        for image, size in zip(
            (one, other) if is_left else (other, one), (width // 2, width - width // 2), strict=True
        )
    ]
    return torch.cat(sides, dim=2)


def _further(rows: list[list[str]], count: int, clip: Clip) -> Texts:
    """Texts by row and slot."""
    padded = [(row + [""] * count)[:count] for row in rows]
    mask = torch.tensor([list(map(bool, row)) for row in padded], dtype=torch.bool)
    mask = mask.view(len(rows), count)
    texts = [text for row in padded for text in row if text]
    keys = torch.zeros(mask.shape, dtype=torch.int64)
    tokens = clip.tokenize(texts) if texts else clip.tokenize(["x"])[:0]
    keys[mask] = torch.tensor(list(map(_key, tokens)), dtype=torch.int64)
    return Texts(tokens, mask, keys)


def _key(tokens: Tensor) -> int:
    """64 bits of a text as the model sees it."""
    digest = hashlib.blake2b(tokens.numpy().tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


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
