"""What an objective is computed from.

Shapes: B pairs, K negative captions and M negative images each, D features, P patches, L tokens.
Empty slots may hold any finite numbers; they take no part and get no gradient.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from hnclip_cli.training.distributed import Ranks

Implementation = Literal["auto", "dense", "chunked", "triton"]


@dataclass(frozen=True)
class Features:
    """What the towers made of a batch; tensors that require gradients get them.

    Attributes:
        images: (B, D) unit vectors.
        texts: (B, D) unit vectors of the captions.
        negatives: (B, K, D) unit vectors of the negative captions.
        negative_images: (B, M, D) unit vectors, or None where no record has any. With several
            ranks M is the same on each, or None on all.
        image_tokens: (B, P, D) projected patches, not normalized; for a local term only.
        text_tokens: (B, 1 + K, L, D) projected tokens of the caption and its negatives, not
            normalized; for a local term only.
        text_token_mask: (B, 1 + K, L) bool, which tokens are words or the end token; at least
            one of every caption and of every negative that is there.
    """

    images: Tensor
    texts: Tensor
    negatives: Tensor
    negative_images: Tensor | None = None
    image_tokens: Tensor | None = None
    text_tokens: Tensor | None = None
    text_token_mask: Tensor | None = None

    def tokens(self) -> "Tokens | None":
        """Those of both sides, where there are any."""
        patches, words, are_words = self.image_tokens, self.text_tokens, self.text_token_mask
        if patches is None or words is None or are_words is None:
            return None
        return Tokens(patches, words, are_words)


@dataclass(frozen=True)
class Slots:
    """Which slots are filled, and with what.

    Attributes:
        mask: (B, K) bool, which slots hold a negative caption.
        kinds: (B, K) int64, indices into the thresholds; ignored where the slot is empty.
        groups: (B,) integers, or None. Pairs of one group describe the same image and are not
            contrasted with each other.
        image_mask: (B, M) bool, which slots hold a negative image; None together with
            ``negative_images``.
        image_kind: index into the thresholds of the negative images' own kind; the last.
    """

    mask: Tensor
    kinds: Tensor
    groups: Tensor | None = None
    image_mask: Tensor | None = None
    image_kind: int = -1


class Negatives(NamedTuple):
    """What one half of each pair is told apart from: (B, K, D), mask (B, K), kinds (B, K)."""

    features: Tensor
    mask: Tensor
    kinds: Tensor


class Tokens(NamedTuple):
    """The features of patches and words, as in `Features`."""

    patches: Tensor
    words: Tensor
    are_words: Tensor


@dataclass(frozen=True)
class View:
    """A batch from one side: each anchor belongs to its positive, and to no negative.

    From the side of the captions the anchors are images, the positives their captions, the
    negatives false captions, and the others false images; `exchanged` is the side of the images.
    Features are in float32 or wider.

    Attributes:
        anchors: (B, D).
        positives: (B, D).
        negatives: in the positives' place.
        others: in the anchors' place.
        scale: the logit scale s, ().
        thresholds: θ by kind of negative.
        groups: as in `Slots`.
        valid: (B,) bool, which pairs are there; None: all.
        tokens: for a local term.
        half: whether the features have no more than the precision of half.
        implementation: as in `hard_negative_objective`.
        chunk_size: rows at a time; None: what was measured to be fast.
        ranks: the processes that share the batch, each with rows of its own.
    """

    anchors: Tensor
    positives: Tensor
    negatives: Negatives
    others: Negatives
    scale: Tensor
    thresholds: Tensor
    groups: Tensor | None = None
    valid: Tensor | None = None
    tokens: Tokens | None = None
    half: bool = False
    implementation: Implementation = "auto"
    chunk_size: int | None = None
    ranks: Ranks = field(default_factory=Ranks)

    @classmethod
    def of_captions(
        cls,
        features: Features,
        slots: Slots,
        scale: Tensor,
        thresholds: Tensor,
        *,
        half: bool = False,
        implementation: Implementation = "auto",
        chunk_size: int | None = None,
        ranks: Ranks = Ranks(),
    ) -> "View":
        """A batch from the side of its captions.

        Raises:
            ValueError: shapes do not fit.
        """
        check_shapes(features, slots, scale)
        images, mask = features.negative_images, slots.image_mask
        if images is None or mask is None:
            images, mask = features.images[:, None, :][:, :0], slots.mask[:, :0]
        dtype = torch.promote_types(features.images.dtype, torch.float32)
        kind = slots.image_kind % max(1, len(thresholds))
        return cls(
            anchors=features.images.to(dtype),
            positives=features.texts.to(dtype),
            negatives=Negatives(
                features.negatives.to(dtype), slots.mask, slots.kinds.masked_fill(~slots.mask, 0)
            ),
            others=Negatives(images.to(dtype), mask, torch.full_like(mask, kind, dtype=torch.long)),
            scale=scale.to(dtype),
            thresholds=thresholds,
            groups=slots.groups,
            tokens=features.tokens(),
            half=half or features.images.dtype != dtype,
            implementation=implementation,
            chunk_size=chunk_size,
            ranks=ranks,
        )

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
    def positive(self) -> Tensor:
        """(B,) s·anchor·positive."""
        return self.scale * (self.anchors * self.positives).sum(dim=1)

    @cached_property
    def _own(self) -> Tensor:
        pairs = torch.stack([self.anchors, self.positives], dim=1)
        return self.scale * (pairs @ self.negatives.features.mT)  # (B, 2, K)

    @property
    def anchor_negative(self) -> Tensor:
        """(B, K) s·anchor·negative, of the pair's own."""
        return self._own[:, 0]

    @property
    def positive_negative(self) -> Tensor:
        """(B, K) s·positive·negative, of the pair's own."""
        return self._own[:, 1]

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

    Args:
        valid: (number of filled slots, …) in row-major order of the mask.
        mask: (B, K) bool; on the CPU nothing waits for the device.

    Returns:
        (B, K, …), differentiable in ``valid``.
    """
    slots = valid.new_zeros(mask.numel(), *valid.shape[1:])
    filled = mask.flatten().nonzero().squeeze(1).to(valid.device, non_blocking=True)
    return slots.index_copy(0, filled, valid).view(*mask.shape, *valid.shape[1:])


def check_shapes(features: Features, slots: Slots, scale: Tensor) -> None:
    """Refuse features and slots that do not fit together.

    Raises:
        ValueError: they do not.
    """
    images, negatives, mask = features.images, features.negatives, slots.mask
    if images.ndim != 2 or features.texts.shape != images.shape:
        raise ValueError(
            f"got features {images.shape} and {features.texts.shape}, expected (B, D) twice"
        )
    if negatives.ndim != 3 or negatives.shape[::2] != images.shape:
        raise ValueError(f"got negatives {negatives.shape}, expected (B, K, D) for {images.shape}")
    if mask.shape != negatives.shape[:2] or slots.kinds.shape != mask.shape:
        raise ValueError(
            f"got mask {mask.shape} and kinds {slots.kinds.shape}, expected {negatives.shape[:2]}"
        )
    if mask.dtype != torch.bool:
        raise ValueError(f"got a mask of {mask.dtype}, expected bool")
    if scale.ndim:
        raise ValueError(f"got a logit scale of shape {tuple(scale.shape)}, expected ()")
    _check_images(features, slots)
    _check_tokens(features)


def _check_images(features: Features, slots: Slots) -> None:
    images, mask, (size, _, dim) = (
        features.negative_images, slots.image_mask, features.negatives.shape
    )  # fmt: skip
    if images is None or mask is None:
        if images is not mask:
            raise ValueError("got negative images without their mask, or a mask without images")
        return
    if images.ndim != 3 or (len(images), images.shape[2]) != (size, dim):
        raise ValueError(f"got negative images {images.shape}, expected ({size}, M, {dim})")
    if mask.shape != images.shape[:2] or mask.dtype != torch.bool:
        raise ValueError(f"got image mask {mask.shape}, expected bool {images.shape[:2]}")


def _check_tokens(features: Features) -> None:
    (size, slots, dim), found = features.negatives.shape, features.tokens()
    if found is None:
        return
    patches, tokens, words = found
    if patches.ndim != 3 or (len(patches), patches.shape[2]) != (size, dim):
        raise ValueError(f"got image tokens {patches.shape}, expected ({size}, P, {dim})")
    if tokens.ndim != 4 or tokens.shape[:2] != (size, 1 + slots):
        raise ValueError(
            f"got text tokens {tokens.shape}, expected ({size}, {1 + slots}, L, {dim})"
        )
    if tokens.shape[3] != dim or words.shape != tokens.shape[:3] or words.dtype != torch.bool:
        raise ValueError(f"got token mask {words.shape}, expected bool {tokens.shape[:3]}")
