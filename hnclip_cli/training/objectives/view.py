"""What an objective is computed from.

Shapes: B pairs, K negative captions and M negative images each, D features, P patches, L tokens.
Empty slots may hold any finite numbers; they take no part and get no gradient.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives.passes import Implementation, Passes, choose_passes


@dataclass(frozen=True)
class Features:
    """What the towers made of a batch; tensors that require gradients get them.

    Those of captions and images are unit vectors. Tokens, for a local term only, are projected
    and not normalized.
    """

    images: Tensor  # (B, D)
    texts: Tensor  # (B, D), of the captions
    negatives: Tensor  # (B, K, D)
    # (B, M, D), or None where no record has any. M is the same on all ranks.
    negative_images: Tensor | None = None
    image_tokens: Tensor | None = None  # (B, P, D)
    text_tokens: Tensor | None = None  # (B, 1 + K, L, D), of the caption and its negatives
    # (B, 1 + K, L) bool, words or the end token; at least one where there is a text.
    text_token_mask: Tensor | None = None
    # (B,) −log of the probability that a decoder gives the row's text after the vector of its
    # caption, or None without a decoder.
    rebuilt: Tensor | None = None
    further: dict[str, Tensor] = field(default_factory=dict)  # each (B, S, D), see `texts.py`

    def tokens(self) -> tuple[Tensor, Tensor, Tensor] | None:
        """Patches, words, and which are words, where there are any."""
        patches, words, are_words = self.image_tokens, self.text_tokens, self.text_token_mask
        if patches is None or words is None or are_words is None:
            return None
        return patches, words, are_words


@dataclass(frozen=True)
class Slots:
    """Which slots are filled, and with what."""

    mask: Tensor  # (B, K) bool, which slots hold a negative caption
    kinds: Tensor  # (B, K) int64, indices into the thresholds; ignored where the slot is empty
    # (B,) integers. Pairs of one group describe one image and are not contrasted with each other.
    groups: Tensor | None = None
    image_mask: Tensor | None = None  # (B, M) bool; None together with `Features.negative_images`
    rebuilt: Tensor | None = None  # (B,) tokens of the text that is rebuilt, 0 for none
    further: dict[str, Tensor] = field(default_factory=dict)  # each (B, S) bool
    # Each (B, S) int64, equal for equal texts, on whichever rank.
    keys: dict[str, Tensor] = field(default_factory=dict)


class Negatives(NamedTuple):
    """What one half of each pair is told apart from: (B, K, D), mask (B, K), kinds (B, K)."""

    features: Tensor
    mask: Tensor
    kinds: Tensor


class Texts(NamedTuple):
    """Further texts of each pair."""

    features: Tensor  # (B, S, D)
    mask: Tensor  # (B, S) bool
    keys: Tensor  # (B, S) int64, equal for equal texts, on whichever rank


@dataclass(frozen=True)
class View:
    """A batch from one side: each anchor belongs to its positive, and to no negative.

    From the side of the captions the anchors are images, the positives their captions, the
    negatives false captions, and the others false images; `exchanged` is the side of the images.
    Features are as they were given, which may be in half precision; what is computed of them
    here is in float32 or wider.
    """

    anchors: Tensor  # (B, D)
    positives: Tensor  # (B, D)
    negatives: Negatives  # in the positives' place
    others: Negatives  # in the anchors' place
    scale: Tensor  # the logit scale s, ()
    thresholds: Tensor  # θ by kind of negative
    groups: Tensor | None = None  # as in `Slots`
    bias: Tensor | None = None  # what sigmoid terms add to logits, ()
    valid: Tensor | None = None  # (B,) bool, which pairs are there; None: all
    tokens: tuple[Tensor, Tensor, Tensor] | None = None  # as in `Features`, for a local term
    patches: Tensor | None = None  # (B, P, D), as `Features.image_tokens`
    texts: dict[str, Texts] = field(default_factory=dict)  # further ones, by name
    # As `Features.rebuilt` and `Slots.rebuilt`, for a reconstruction.
    rebuilt: tuple[Tensor, Tensor] | None = None
    half: bool = False  # whether the features have no more than the precision of half
    implementation: Implementation = "auto"  # as in `hard_negative_objective`
    chunk_size: int | None = None  # rows at a time; None: what was measured to be fast
    ranks: Ranks = field(default_factory=Ranks)  # they share the batch; each has rows of its own

    @classmethod
    def of_captions(
        cls,
        features: Features,
        slots: Slots,
        scale: Tensor,
        thresholds: Tensor,
        *,
        bias: Tensor | None = None,
        half: bool = False,
        implementation: Implementation = "auto",
        chunk_size: int | None = None,
        ranks: Ranks = Ranks(),
    ) -> "View":
        """Raises ValueError where shapes do not fit, or the batch is empty on all ranks."""
        check_shapes(features, slots, scale)
        images, mask = features.negative_images, slots.image_mask
        if images is None or mask is None:
            images, mask = features.images[:, None, :][:, :0], slots.mask[:, :0]
        dtype = torch.promote_types(features.images.dtype, torch.float32)
        rebuilt = None
        if features.rebuilt is not None and slots.rebuilt is not None:
            rebuilt = features.rebuilt, slots.rebuilt
        kind = max(0, len(thresholds) - 1)  # the last is that of negative images
        view = cls(
            anchors=features.images,
            positives=features.texts,
            negatives=Negatives(
                features.negatives, slots.mask, slots.kinds.masked_fill(~slots.mask, 0)
            ),
            others=Negatives(images, mask, torch.full_like(mask, kind, dtype=torch.long)),
            scale=scale.to(dtype),
            thresholds=thresholds,
            groups=slots.groups,
            bias=None if bias is None else bias.to(dtype),
            tokens=features.tokens(),
            patches=features.image_tokens,
            texts={
                name: Texts(texts, slots.further[name], slots.keys[name])
                for name, texts in features.further.items()
            },
            rebuilt=rebuilt,
            half=half or features.images.dtype != dtype,
            implementation=implementation,
            chunk_size=chunk_size,
            ranks=ranks,
        )
        if not any(view.counts):
            raise ValueError("got no rows, expected at least one")
        return view

    def exchanged(self) -> "View":
        """The same batch from its other side: anchors as positives, others as negatives."""
        return replace(
            self,
            anchors=self.positives,
            positives=self.anchors,
            negatives=self.others,
            others=self.negatives,
        )

    @cached_property
    def counts(self) -> list[int]:
        """How many pairs each rank holds."""
        return self.ranks.counts(len(self.anchors))

    @cached_property
    def passes(self) -> tuple[Passes, torch.dtype]:
        """What works on cosines, and the dtype in it."""
        return choose_passes(
            self.implementation, self.scale.dtype, self.anchors.device, is_half=self.half
        )

    @cached_property
    def _own(self) -> tuple[Tensor, Tensor]:  # (B,) and (B, 2, K)
        features = self.anchors, self.positives, self.negatives.features
        positive, negative = self.passes[0].own_cosines(*features)
        return self.scale * positive, self.scale * negative

    @property
    def positive(self) -> Tensor:
        """(B,) s·anchor·positive."""
        return self._own[0]

    @property
    def anchor_negative(self) -> Tensor:
        """(B, K) s·anchor·negative, of the pair's own."""
        return self._own[1][:, 0]

    @property
    def positive_negative(self) -> Tensor:
        """(B, K) s·positive·negative, of the pair's own."""
        return self._own[1][:, 1]

    @cached_property
    def gaps(self) -> Tensor:
        """(B, K) s·anchor·positive − s·anchor·negative."""
        return self.positive[:, None] - self.anchor_negative

    @cached_property
    def labels(self) -> Tensor:
        """(B,) groups; without any, each pair's number among those of all ranks."""
        if self.groups is not None:
            return self.groups
        first = sum(self.counts[: self.ranks.rank])
        return torch.arange(first, first + len(self.anchors), device=self.anchors.device)


def fill_slots(valid: Tensor, mask: Tensor) -> Tensor:
    """What the filled slots hold, each in its slot, and zeros in the empty ones.

    From (number of filled slots, …) in row-major order of the mask (B, K), to (B, K, …). Where
    the mask is on the CPU nothing waits for the device.
    """
    slots = valid.new_zeros(mask.numel(), *valid.shape[1:])
    filled = mask.flatten().nonzero().squeeze(1).to(valid.device, non_blocking=True)
    return slots.index_copy(0, filled, valid).view(*mask.shape, *valid.shape[1:])


def check_shapes(features: Features, slots: Slots, scale: Tensor) -> None:
    """Raises ValueError where features and slots do not fit together."""
    _check("image features", features.images, "B", "D")
    size, dim = features.images.shape
    _check("text features", features.texts, size, dim)
    _check("negatives", features.negatives, size, "K", dim)
    num_slots = features.negatives.shape[1]
    _check("mask", slots.mask, size, num_slots, dtype=torch.bool)
    _check("kinds", slots.kinds, size, num_slots)
    _check("a logit scale of shape", scale)
    images, image_mask = features.negative_images, slots.image_mask
    if images is not None and image_mask is not None:
        _check("negative images", images, size, "M", dim)
        _check("image mask", image_mask, *images.shape[:2], dtype=torch.bool)
    elif images is not image_mask:
        raise ValueError("got negative images without their mask, or a mask without images")
    rebuilt = features.rebuilt, slots.rebuilt
    if rebuilt.count(None) == 1:
        raise ValueError("got what is rebuilt without its numbers of tokens, or these alone")
    for tensor in rebuilt:
        if tensor is not None:
            _check("rebuilt", tensor, size)
    for name, texts in features.further.items():
        _check(name, texts, size, "S", dim)
        for what, given in ("mask", slots.further), ("keys", slots.keys):
            if name not in given:
                raise ValueError(f"got {name} without their {what}")
            _check(f"{what} of {name}", given[name], *texts.shape[:2])
    if tokens := features.tokens():
        patches, words, are_words = tokens
        _check("image tokens", patches, size, "P", dim)
        _check("text tokens", words, size, 1 + num_slots, "L", dim)
        _check("token mask", are_words, *words.shape[:3], dtype=torch.bool)


def _check(what: str, x: Tensor, *shape: int | str, dtype: torch.dtype | None = None) -> None:
    """Refuse another shape, in which a letter stands for any number, or another dtype."""
    fits = [isinstance(size, str) or size == got for size, got in zip(shape, x.shape, strict=False)]
    if len(shape) != x.ndim or not all(fits) or dtype not in (None, x.dtype):
        expected = f"({', '.join(map(str, shape))})" + (f" of {dtype}" if dtype else "")
        raise ValueError(f"got {what} {tuple(x.shape)} of {x.dtype}, expected {expected}")
