"""What an objective is computed from.

Shapes: B pairs, K negative captions and M negative images each, D features, P patches, L tokens.
Empty slots may hold any finite numbers; they take no part and get no gradient.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives import ObjectiveSpec
from hnclip_cli.training.objectives.hard_negatives import Implementation


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

    def tokens(self) -> tuple[Tensor, Tensor, Tensor]:
        """``image_tokens``, ``text_tokens`` and ``text_token_mask``.

        Raises:
            ValueError: one is missing.
        """
        patches, words, mask = self.image_tokens, self.text_tokens, self.text_token_mask
        if patches is None or words is None or mask is None:
            raise ValueError("a local term needs image_tokens, text_tokens and text_token_mask")
        return patches, words, mask


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


@dataclass(frozen=True)
class Batch:
    """All that a term is computed from: this rank's rows, and what they are shared with."""

    spec: ObjectiveSpec
    features: Features
    slots: Slots
    scale: Tensor
    thresholds: Tensor
    implementation: Implementation = "auto"
    ranks: Ranks = field(default_factory=Ranks)

    def negative_images(self) -> tuple[Tensor, Tensor]:
        """(B, M, D) and which are there, (B, M); of no slots where there are none."""
        images, mask = self.features.negative_images, self.slots.image_mask
        if images is None or mask is None:
            empty = self.features.images[:, None, :][:, :0]
            return empty, torch.zeros(empty.shape[:2], dtype=torch.bool, device=empty.device)
        return images, mask


def fill_slots(valid: Tensor, mask: Tensor) -> Tensor:
    """What the filled slots hold, each in its slot, and zeros in the empty ones.

    Args:
        valid: (number of filled slots, …) in row-major order of the mask.
        mask: (B, K) bool.

    Returns:
        (B, K, …), differentiable in ``valid``.
    """
    slots = valid.new_zeros(*mask.shape, *valid.shape[1:])
    return slots.index_put((mask,), valid)


def check_batch(spec: ObjectiveSpec, features: Features, slots: Slots) -> None:
    """Refuse shapes that do not fit; those of the contrastive term are checked there.

    Raises:
        ValueError: they do not, or a local term lacks its tokens.
    """
    size, slots_per_row, dim = features.negatives.shape
    images, mask = features.negative_images, slots.image_mask
    if (images is None) != (mask is None):
        raise ValueError("got negative images without their mask, or a mask without images")
    if images is not None and mask is not None:
        if images.ndim != 3 or (len(images), images.shape[2]) != (size, dim):
            raise ValueError(f"got negative images {images.shape}, expected ({size}, M, {dim})")
        if mask.shape != images.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(f"got image mask {mask.shape}, expected bool {images.shape[:2]}")
    if not spec.uses_local:
        return
    patches, tokens, words = features.tokens()
    if patches.ndim != 3 or (len(patches), patches.shape[2]) != (size, dim):
        raise ValueError(f"got image tokens {patches.shape}, expected ({size}, P, {dim})")
    if tokens.ndim != 4 or tokens.shape[:2] != (size, 1 + slots_per_row):
        raise ValueError(
            f"got text tokens {tokens.shape}, expected ({size}, {1 + slots_per_row}, L, {dim})"
        )
    if tokens.shape[3] != dim or words.shape != tokens.shape[:3] or words.dtype != torch.bool:
        raise ValueError(f"got token mask {words.shape}, expected bool {tokens.shape[:3]}")
