"""The hard-negative objective: contrastive, intra-modal and cross-modal rank terms.

Shapes: B pairs, K negative slots each, D features.
"""

from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives import NegativeScope
from hnclip_cli.training.objectives.chunked import (
    TORCH_PASSES,
    Passes,
    Plan,
    chunked_contrastive,
)

Implementation = Literal["auto", "dense", "chunked", "triton"]


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
    chunk_size: int | None = None,
    ranks: Ranks = Ranks(),
) -> Objective:
    """Contrast pairs against the batch and against their own hard negatives.

    With s the logit scale, I, T, N the features and the sums over valid slots only::

        contrastive = ½ mean_i −log softmax(s·Iᵢ·[all T; all valid N])[Tᵢ]
                    + ½ mean_i −log softmax(s·Tᵢ·[all I])[Iᵢ]
        imc         = mean_i −log( e^(s·Iᵢ·Tᵢ) / (e^(s·Iᵢ·Tᵢ) + Σₖ e^(s·Tᵢ·Nᵢₖ)) )
        cmr         = mean_ik max(0, s·Iᵢ·Nᵢₖ − s·Iᵢ·Tᵢ + θ[kindᵢₖ])
        loss        = contrastive + imc_weight·imc + cmr_weight·cmr

    ``negative_scope`` says which N the image to text softmax of row i holds: those of the whole
    batch, its own, or none. ``imc`` averages over the rows that have a valid negative, ``cmr``
    over the valid negatives; both are 0 where there are none. The returned thresholds are, per
    kind, this batch's mean of s·Iᵢ·Tᵢ − s·Iᵢ·Nᵢₖ, clamped to [0, threshold_bound] and without
    gradient; a kind without a valid negative keeps its value.

    Source: CE-CLIP (Zhang, Awal, Agrawal, CVPR 2024; ITC with hard negatives, IMC, CMR and its
    adaptive threshold), with negatives that are missing masked out of every term. With both
    weights 0 it is NegCLIP's loss (Yuksekgonul et al., ICLR 2023); with K = 0 it is CLIP's.

    With several processes, each passes its own rows, as many as it has. Loss, terms and
    thresholds are those of the whole batch on every rank. Gradients are complete for a rank's
    own features; for the scale they are the part of its rows. So what parameters receive,
    summed over the ranks, is the gradient of one process with the whole batch.

    Args:
        image_features: (B, D), L2-normalised.
        text_features: (B, D), L2-normalised.
        negative_features: (B, K, D), L2-normalised where valid, finite elsewhere. K may differ
            between ranks.
        negative_mask: (B, K) bool, which slots hold a negative.
        logit_scale: (), the factor itself (up to 100), not its logarithm.
        negative_kinds: (B, K) int64, indices into ``thresholds``; ignored where invalid.
        thresholds: (num_kinds,), θ of the step before; 0 at the start.
        imc_weight: weight of the intra-modal term.
        cmr_weight: weight of the cross-modal rank term.
        threshold_bound: upper bound of θ, in logits.
        groups: (B,) integers. Pairs of one group describe the same image, so they are not
            contrasted with each other; negatives always are. Given on all ranks or on none.
        implementation: how the contrastive term is computed. ``dense`` writes out all logits:
            O(B²·(1+K)) memory, the definition, and differentiable twice; with several
            processes it is ``chunked``. ``chunked`` keeps no logits: O((2+K)·B·D) memory.
            ``triton`` is ``chunked`` with CUDA kernels for the rows, and fp16 matrix products
            where the features are in half precision. ``auto`` is ``chunked``.
        negative_scope: ``batch`` (NegCLIP, CE-CLIP), ``own`` (Rösch et al.) or ``none``
            (FSC-CLIP's contrastive term).
        chunk_size: rows at a time of ``chunked`` and ``triton``; by default what was measured
            to be fast.
        ranks: the processes that share the batch.

    Raises:
        ValueError: shapes do not fit, an option is unknown, the batch is empty on all ranks,
            or Triton cannot run here.
    """
    _check_shapes(
        image_features,
        text_features,
        negative_features,
        negative_mask,
        negative_kinds,
        logit_scale,
    )
    _check_options(implementation, negative_scope, chunk_size)
    counts = ranks.counts(len(image_features), image_features.device)
    if not any(counts):
        raise ValueError("got no rows, expected at least one")
    # Autocast would round the logits to half precision.
    with torch.autocast(image_features.device.type, enabled=False):
        dtype = torch.promote_types(image_features.dtype, torch.float32)
        images, texts = image_features.to(dtype), text_features.to(dtype)
        # Flat before its two uses, so that autograd adds their gradients in place.
        negatives = negative_features.to(dtype).flatten(0, 1)  # (B·K, D)
        scale = logit_scale.to(dtype)

        own_negatives = negatives.view_as(negative_features)
        own = scale * (torch.stack([images, texts], dim=1) @ own_negatives.mT)  # (B, 2, K)
        image_own, text_own = own.unbind(1)
        positive = scale * (images * texts).sum(dim=1)  # (B,)

        if implementation == "dense" and ranks.size == 1:
            contrastive = _dense_contrastive(
                images, texts, negatives, image_own, negative_mask, scale, groups, negative_scope
            )
        else:
            columns, own_lse = _negative_columns(
                negatives, image_own, negative_mask, negative_scope
            )
            inputs = (images, texts, columns, own_lse, scale)
            passes, inner = _passes(implementation, image_features)
            # With several ranks all must agree, so what requires a gradient on one does not count.
            wanted = torch.is_grad_enabled() and (
                ranks.size > 1 or any(x.requires_grad for x in inputs)
            )
            plan = Plan(groups, passes, inner, chunk_size, ranks, counts, wanted)
            contrastive = chunked_contrastive(*inputs, plan)

        imc = _intra_modal(positive, text_own, negative_mask, ranks)
        gaps = positive[:, None] - image_own
        margins = thresholds.to(dtype)[negative_kinds.masked_fill(~negative_mask, 0)]
        cmr = _masked_mean(F.relu(margins - gaps), negative_mask, ranks)
        loss = contrastive + imc_weight * imc + cmr_weight * cmr
        updated = _update_thresholds(
            thresholds, gaps.detach(), negative_kinds, negative_mask, threshold_bound, ranks
        )
    return Objective(loss, contrastive, imc, cmr, updated)


def _dense_contrastive(
    images: Tensor,
    texts: Tensor,
    negatives: Tensor,
    image_own: Tensor,
    mask: Tensor,
    scale: Tensor,
    groups: Tensor | None,
    scope: NegativeScope,
) -> Tensor:
    image_text = scale * images @ texts.T  # (B, B)
    labels = torch.arange(len(images), device=images.device)
    if groups is not None:
        same = groups[:, None] == groups[None, :]
        same.fill_diagonal_(False)
        image_text = image_text.masked_fill(same, -torch.inf)
    candidates = [image_text]
    if scope == "batch":
        image_negative = scale * images @ negatives.T  # (B, B·K)
        candidates.append(image_negative.masked_fill(~mask.flatten(), -torch.inf))
    elif scope == "own":
        candidates.append(image_own.masked_fill(~mask, -torch.inf))
    image_to_text = F.cross_entropy(torch.cat(candidates, dim=1), labels)
    return (image_to_text + F.cross_entropy(image_text.T, labels)) / 2


def _negative_columns(
    negatives: Tensor, image_own: Tensor, mask: Tensor, scope: NegativeScope
) -> tuple[Tensor, Tensor]:
    """The negatives (V, D) that all rows see, and the log-mass (B,) that only its own row sees."""
    nothing = image_own.new_full(mask.shape[:1], -torch.inf)
    if scope == "own":
        return negatives[:0], _masked_logsumexp(image_own, mask)
    if scope == "none":
        return negatives[:0], nothing
    # How many are valid is the one thing that the CPU must know of a batch on CUDA.
    valid = mask.flatten().nonzero().squeeze(1)
    if len(valid) < len(negatives):
        negatives = negatives.index_select(0, valid)
    return negatives, nothing


def _passes(implementation: Implementation, features: Tensor) -> tuple[Passes, torch.dtype]:
    """What works on a chunk, and in which dtype."""
    dtype = torch.promote_types(features.dtype, torch.float32)
    if implementation != "triton":
        return TORCH_PASSES, dtype
    try:
        from hnclip_cli.training.objectives import triton_passes
    except ImportError as error:
        raise ValueError("got implementation triton, but Triton is not installed") from error
    triton_passes.check_device(features.device)
    # Unit vectors and cosines are at most 1: fp16 has 3 more bits for them than bf16. Sums of
    # the products must stay in float32, which older torch cannot ask of half precision.
    if features.is_cuda and features.dtype != dtype and hasattr(torch.ops.aten.addmm, "dtype_out"):
        return triton_passes.TRITON_PASSES, torch.float16
    return triton_passes.TRITON_PASSES, dtype


def _intra_modal(positive: Tensor, text_own: Tensor, mask: Tensor, ranks: Ranks) -> Tensor:
    # softplus(lse(negatives) − positive), whose gradient keeps its precision near p = 1.
    rows = -F.logsigmoid(positive - _masked_logsumexp(text_own, mask))
    return _masked_mean(rows, mask.any(dim=1), ranks)


def _masked_logsumexp(logits: Tensor, mask: Tensor) -> Tensor:
    """(B, K) to (B,): over what the mask keeps; −inf, without NaN in its gradient, for nothing."""
    nothing = ~mask.any(dim=1)
    kept = logits.masked_fill(~mask & ~nothing[:, None], -torch.inf)
    return torch.logsumexp(kept, dim=1).masked_fill(nothing, -torch.inf)


def _masked_mean(values: Tensor, mask: Tensor, ranks: Ranks) -> Tensor:
    """The mean over all ranks, with the gradient of this rank's part of it."""
    part = values.masked_fill(~mask, 0).sum() / ranks.sum(mask.sum()).clamp(min=1)
    if ranks.size == 1:
        return part
    return part + (ranks.sum(part) - part.detach())


def _update_thresholds(
    thresholds: Tensor, gaps: Tensor, kinds: Tensor, mask: Tensor, bound: float, ranks: Ranks
) -> Tensor:
    # Invalid slots add 0 to kind 0, which keeps shapes free of what the mask holds.
    kinds = kinds.masked_fill(~mask, 0).flatten()
    values = torch.stack([gaps.masked_fill(~mask, 0), mask.to(gaps.dtype)]).flatten(1)
    sums, counts = ranks.sum(values.new_zeros(2, len(thresholds)).index_add_(1, kinds, values))
    means = (sums / counts.clamp(min=1)).clamp(0, bound).to(thresholds.dtype)
    return torch.where(counts > 0, means, thresholds)


def _check_options(
    implementation: Implementation, scope: NegativeScope, chunk_size: int | None
) -> None:
    if implementation not in get_args(Implementation):
        choices = ", ".join(get_args(Implementation))
        raise ValueError(f"got implementation {implementation!r}, expected one of {choices}")
    if scope not in get_args(NegativeScope):
        choices = ", ".join(get_args(NegativeScope))
        raise ValueError(f"got negative scope {scope!r}, expected one of {choices}")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"got a chunk size of {chunk_size}, expected at least 1")


def _check_shapes(
    images: Tensor, texts: Tensor, negatives: Tensor, mask: Tensor, kinds: Tensor, scale: Tensor
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
    if scale.ndim:
        raise ValueError(f"got a logit scale of shape {tuple(scale.shape)}, expected ()")
