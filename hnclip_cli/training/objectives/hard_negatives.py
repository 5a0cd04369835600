"""The hard-negative objective: contrastive, intra-modal and cross-modal rank terms.

Shapes: B pairs, K negative slots each, D features.
"""

from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives import NegativeScope

Implementation = Literal["auto", "dense"]


class Objective(NamedTuple):
    """The loss, its terms before weighting, and the thresholds for the next step."""

    loss: Tensor
    contrastive: Tensor
    imc: Tensor
    cmr: Tensor
    thresholds: Tensor


def hard_negative_objective(
    image_features: Tensor,
    text_features: Tensor,
    negative_features: Tensor,
    negative_mask: Tensor,
    logit_scale: Tensor,
    *,
    negative_kinds: Tensor,
    thresholds: Tensor,
    imc_weight: float,
    cmr_weight: float,
    threshold_bound: float = 10.0,
    groups: Tensor | None = None,
    implementation: Implementation = "auto",
    negative_scope: NegativeScope = "batch",
    ranks: Ranks = Ranks(),
) -> Objective:
    """Contrast pairs against the batch and against their own hard negatives.

    With s the logit scale, I, T, N the features and the sums over valid slots only::

        contrastive = ½ mean_i −log softmax(s·Iᵢ·[all T; all valid N])[Tᵢ]
                    + ½ mean_i −log softmax(s·Tᵢ·[all I])[Iᵢ]
        imc         = mean_i −log( e^(s·Iᵢ·Tᵢ) / (e^(s·Iᵢ·Tᵢ) + Σₖ e^(s·Tᵢ·Nᵢₖ)) )
        cmr         = mean_ik max(0, s·Iᵢ·Nᵢₖ − s·Iᵢ·Tᵢ + θ[kindᵢₖ])
        loss        = contrastive + imc_weight·imc + cmr_weight·cmr

    ``imc`` averages over the rows that have a valid negative, ``cmr`` over the valid negatives;
    both are 0 where there are none. The returned thresholds are, per kind, this batch's mean of
    s·Iᵢ·Tᵢ − s·Iᵢ·Nᵢₖ, clamped to [0, threshold_bound] and without gradient; a kind without a
    valid negative keeps its value.

    Source: CE-CLIP (Zhang, Awal, Agrawal, CVPR 2024; ITC with hard negatives, IMC, CMR and its
    adaptive threshold), with negatives that are missing masked out of every term. With both
    weights 0 it is NegCLIP's loss (Yuksekgonul et al., ICLR 2023); with K = 0 it is CLIP's.

    Args:
        image_features: (B, D), L2-normalised.
        text_features: (B, D), L2-normalised.
        negative_features: (B, K, D), L2-normalised where valid, finite elsewhere.
        negative_mask: (B, K) bool, which slots hold a negative.
        logit_scale: (), the factor itself (up to 100), not its logarithm.
        negative_kinds: (B, K) int64, indices into ``thresholds``; ignored where invalid.
        thresholds: (num_kinds,), θ of the step before; 0 at the start.
        imc_weight: weight of the intra-modal term.
        cmr_weight: weight of the cross-modal rank term.
        threshold_bound: upper bound of θ, in logits.
        groups: (B,) integers. Pairs of one group describe the same image, so they are not
            contrasted with each other; negatives always are.
        implementation: ``dense`` writes out all logits; ``auto`` chooses.
        negative_scope: whose negatives are columns of image-to-text: those of the ``batch``, the
            row's ``own``, or ``none``. The other terms are the same for all three.
        ranks: the processes that share the batch.

    Raises:
        ValueError: shapes do not fit, or the implementation is unknown.
    """
    _check_shapes(image_features, text_features, negative_features, negative_mask, negative_kinds)
    if implementation not in ("auto", "dense"):
        raise ValueError(f"got implementation {implementation!r}, expected auto or dense")
    if ranks.size > 1:
        return _over_ranks(ranks, negative_scope, locals())
    dtype = torch.promote_types(image_features.dtype, torch.float32)
    images, texts = image_features.to(dtype), text_features.to(dtype)
    negatives = negative_features.to(dtype)
    scale = logit_scale.to(dtype)

    image_text = scale * images @ texts.T  # (B, B)
    positive = image_text.diagonal()  # (B,)
    image_own = scale * torch.einsum("bd,bkd->bk", images, negatives)
    text_own = scale * torch.einsum("bd,bkd->bk", texts, negatives)

    if negative_scope == "batch":
        columns = scale * images @ negatives.flatten(0, 1).T
        valid = negative_mask.flatten().expand_as(columns)
    else:
        columns, valid = image_own, negative_mask & (negative_scope == "own")
    contrastive = _contrastive(image_text, columns.masked_fill(~valid, -torch.inf), groups)
    imc = _intra_modal(positive, text_own, negative_mask)
    margins = thresholds.to(dtype)[negative_kinds.masked_fill(~negative_mask, 0)]
    hinge = F.relu(image_own - positive[:, None] + margins)
    cmr = _masked_mean(hinge, negative_mask)
    loss = contrastive + imc_weight * imc + cmr_weight * cmr
    gaps = (positive[:, None] - image_own).detach()
    updated = _update_thresholds(thresholds, gaps, negative_kinds, negative_mask, threshold_bound)
    return Objective(loss, contrastive, imc, cmr, updated)


class _Gather(torch.autograd.Function):
    """The rows of all ranks; each rank's gradient is summed over the ranks."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, ranks: Ranks, counts: list[int]) -> Tensor:
        ctx.ranks, ctx.counts = ranks, counts
        return ranks.gather(rows, counts)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        return ctx.ranks.own(ctx.ranks.sum(upstream[0]), ctx.counts), None, None


def _over_ranks(ranks: Ranks, scope: NegativeScope, arguments: dict[str, Any]) -> Objective:
    """Every rank computes the whole; each takes its share of the gradient."""
    rows = ["image_features", "text_features", "negative_features"]
    rows += ["negative_mask", "negative_kinds", "groups"]
    counts = ranks.counts(len(arguments["image_features"]), arguments["logit_scale"].device)
    whole: dict[str, Any] = dict(arguments, ranks=Ranks(), negative_scope=scope)
    for name in rows:
        if whole[name] is not None:
            whole[name] = _Gather.apply(whole[name], ranks, counts)
    result = hard_negative_objective(**whole)
    share = result.loss / ranks.size
    return result._replace(loss=share + (result.loss - share).detach())


def _contrastive(image_text: Tensor, image_negative: Tensor, groups: Tensor | None) -> Tensor:
    labels = torch.arange(len(image_text), device=image_text.device)
    if groups is not None:
        same = groups[:, None] == groups[None, :]
        same.fill_diagonal_(False)
        image_text = image_text.masked_fill(same, -torch.inf)
    image_to_text = F.cross_entropy(torch.cat([image_text, image_negative], dim=1), labels)
    return (image_to_text + F.cross_entropy(image_text.T, labels)) / 2


def _intra_modal(positive: Tensor, text_own: Tensor, negative_mask: Tensor) -> Tensor:
    own = text_own.masked_fill(~negative_mask, -torch.inf)
    rows = torch.logsumexp(torch.cat([positive[:, None], own], dim=1), dim=1) - positive
    return _masked_mean(rows, negative_mask.any(dim=1))


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)


def _update_thresholds(
    thresholds: Tensor, gaps: Tensor, kinds: Tensor, mask: Tensor, bound: float
) -> Tensor:
    valid_gaps, valid_kinds = gaps[mask].to(thresholds.dtype), kinds[mask]
    sums = torch.zeros_like(thresholds).index_add_(0, valid_kinds, valid_gaps)
    counts = torch.zeros_like(thresholds).index_add_(0, valid_kinds, torch.ones_like(valid_gaps))
    means = (sums / counts.clamp(min=1)).clamp(0, bound)
    return torch.where(counts > 0, means, thresholds)


def _check_shapes(
    images: Tensor, texts: Tensor, negatives: Tensor, mask: Tensor, kinds: Tensor
) -> None:
    if images.ndim != 2 or texts.shape != images.shape:
        raise ValueError(f"got features {images.shape} and {texts.shape}, expected (B, D) twice")
    if negatives.ndim != 3 or negatives.shape[::2] != images.shape:
        raise ValueError(f"got negatives {negatives.shape}, expected (B, K, D) for {images.shape}")
    if mask.shape != negatives.shape[:2] or kinds.shape != mask.shape:
        raise ValueError(
            f"got mask {mask.shape} and kinds {kinds.shape}, expected {negatives.shape[:2]}"
        )
    if mask.dtype != torch.bool:
        raise ValueError(f"got a mask of {mask.dtype}, expected bool")
