"""Terms of the images that a caption does not describe."""

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.batch import Batch
from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from hnclip_cli.training.objectives.rows import masked_mean, sum_over_rows, widened


def image_imc(batch: Batch) -> Tensor:
    """−log( e^(s·Iᵢ·Tᵢ) / (e^(s·Iᵢ·Tᵢ) + Σₘ e^(s·Iᵢ·I′ᵢₘ)) ), mean over rows that have some.

    CE-CLIP's intra-modal term (Zhang et al., CVPR 2024) with images for captions.
    """
    negatives, mask = batch.negative_images()
    images, texts = widened(batch.features.images), widened(batch.features.texts)
    positive = batch.scale * (images * texts).sum(dim=1, keepdim=True)
    own = batch.scale * torch.einsum("bd,bmd->bm", images, widened(negatives))
    logits = torch.cat([positive, own.masked_fill(~mask, -torch.inf)], dim=1)
    return masked_mean(logits.logsumexp(dim=1) - positive[:, 0], mask.any(dim=1), batch.ranks)


def image_cmr(batch: Batch) -> Tensor:
    """max(0, s·Tᵢ·I′ᵢₘ − s·Iᵢ·Tᵢ + θ), mean over negative images; θ is that of their kind.

    CE-CLIP's cross-modal rank term (Zhang et al., CVPR 2024) with images for captions.
    """
    gaps, mask = _image_gaps(batch)
    margin = batch.thresholds[batch.slots.image_kind].to(gaps.dtype)
    return masked_mean(F.relu(margin - gaps), mask, batch.ranks)


@torch.no_grad()
def update_image_threshold(batch: Batch, thresholds: Tensor, bound: float) -> Tensor:
    """θ of the negative images: the mean gap of this batch in [0, bound], or kept without any."""
    gaps, mask = _image_gaps(batch)
    mean = masked_mean(gaps, mask, batch.ranks).clamp(0, bound).to(thresholds.dtype)
    updated = thresholds.clone()
    updated[batch.slots.image_kind] = mean
    return torch.where(batch.ranks.sum(mask.sum()) > 0, updated, thresholds)


def image_columns(batch: Batch, chunk_size: int | None = None) -> Tensor:
    """What the negative images of the batch add to text-to-image when they become columns.

    ½ meanᵢ [ log Σ_{all I; all I′} e^(s·Tᵢ·I) − log Σ_{all I} e^(s·Tᵢ·I) ], so that the sum with
    the contrastive term has s·Tᵢ·[all I; all I′] as its text-to-image logits.
    """
    features = batch.features
    negatives, mask = batch.negative_images()
    groups = _groups(batch)

    def rows_of(chunk: list[Tensor], columns: list[Tensor], scale: Tensor, start: int) -> Tensor:
        texts, own_groups = chunk
        images, groups, negatives, mask = columns
        texts = scale * widened(texts)
        others = _same_group(own_groups, groups, start)
        usual = (texts @ images.T).masked_fill(others, -torch.inf).logsumexp(dim=1)
        further = texts @ negatives.flatten(0, 1).T
        # The lowest finite number in place of -inf: without any there is no NaN for a gradient.
        further = further.masked_fill(~mask.flatten(), torch.finfo(texts.dtype).min)
        gained = further.logsumexp(dim=1) - usual
        return torch.logaddexp(gained, torch.zeros_like(gained)).sum()

    num_rows = sum(batch.ranks.counts(len(groups), groups.device))
    total = sum_over_rows(
        rows_of,
        [features.texts, groups],
        [features.images, groups, negatives, mask],
        batch.scale,
        batch.ranks,
        numbers_per_row=num_rows * (1 + negatives.shape[1]),
        chunk_size=chunk_size,
    )
    return total / (2 * num_rows)


def mirror(batch: Batch) -> Tensor:
    """NegCLIP(I′, T′; T): negative images and captions as the pairs, true captions as negatives.

    TripletCLIP's second half (Patel et al., NeurIPS 2024). Negative image m of a row is taken to
    show what its negative caption m says. Slots that lack either are left out; 0 where all do.
    The pairs of one row, or of one group, are not contrasted with each other.
    """
    images, captions, texts, groups = _described(batch)
    num_pairs = sum(batch.ranks.counts(len(images), images.device))
    if not num_pairs:
        return batch.scale * 0
    ones = torch.ones(len(images), 1, dtype=torch.bool, device=images.device)
    return hard_negative_objective(
        images,
        captions,
        texts[:, None],
        ones,
        batch.scale,
        negative_kinds=torch.zeros_like(ones, dtype=torch.long),
        thresholds=batch.thresholds,
        imc_weight=0.0,
        cmr_weight=0.0,
        groups=groups,
        implementation=batch.implementation,
        ranks=batch.ranks,
    ).loss


def distractor(batch: Batch, chunk_size: int | None = None) -> Tensor:
    """mean −log softmax(s·I′·[all T′; all T])[its T′], the image-to-text half of `mirror`, whole.

    CoN-CLIP's L₃ (Singh et al., WACV 2025). Slots are paired as in `mirror`; 0 without any.
    """
    images, captions, texts, groups = _described(batch)
    num_pairs = sum(batch.ranks.counts(len(images), images.device))
    if not num_pairs:
        return batch.scale * 0

    def rows_of(chunk: list[Tensor], columns: list[Tensor], scale: Tensor, start: int) -> Tensor:
        images, own_groups = chunk
        captions, texts, groups = columns
        images = scale * widened(images)
        others = _same_group(own_groups, groups, start)
        logits = torch.cat(
            [(images @ captions.T).masked_fill(others, -torch.inf), images @ texts.T], dim=1
        )
        labels = torch.arange(start, start + len(images), device=images.device)
        return F.cross_entropy(logits, labels, reduction="sum")

    total = sum_over_rows(
        rows_of,
        [images, groups],
        [captions, texts, groups],
        batch.scale,
        batch.ranks,
        numbers_per_row=2 * num_pairs,
        chunk_size=chunk_size,
    )
    return total / num_pairs


def _described(batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Negative images, the negative captions that they show, the true ones, and the groups."""
    negatives, image_mask = batch.negative_images()
    width = min(negatives.shape[1], batch.features.negatives.shape[1])
    both = batch.slots.mask[:, :width] & image_mask[:, :width]
    rows = both.nonzero()[:, 0]
    return (
        negatives[:, :width][both],
        batch.features.negatives[:, :width][both],
        batch.features.texts[rows],
        _groups(batch)[rows],
    )


def _image_gaps(batch: Batch) -> tuple[Tensor, Tensor]:
    """s·Iᵢ·Tᵢ − s·Tᵢ·I′ᵢₘ, (B, M), and which are there."""
    negatives, mask = batch.negative_images()
    images, texts = widened(batch.features.images), widened(batch.features.texts)
    positive = (images * texts).sum(dim=1, keepdim=True)
    return batch.scale * (positive - torch.einsum("bd,bmd->bm", texts, widened(negatives))), mask


def _groups(batch: Batch) -> Tensor:
    """(B,); without groups each row is one of its own, on every rank."""
    if batch.slots.groups is not None:
        return batch.slots.groups
    size, device = len(batch.features.images), batch.features.images.device
    counts = batch.ranks.counts(size, device)
    return torch.arange(size, device=device) + sum(counts[: batch.ranks.rank])


def _same_group(own: Tensor, every: Tensor, start: int) -> Tensor:
    """(c, N) which columns describe what the row describes, the row's own column excepted."""
    same = own[:, None] == every[None, :]
    labels = torch.arange(start, start + len(own), device=own.device)
    return same.scatter(1, labels[:, None], False)
