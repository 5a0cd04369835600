"""The loss of a batch: the terms of an objective, weighted and added."""

from collections.abc import Iterator
from typing import NamedTuple, get_args

from torch import Tensor

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.device import autocast
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives import Objective, weights_of
from hnclip_cli.training.objectives.contrast import NegativeScope, contrast
from hnclip_cli.training.objectives.terms import (
    TERMS,
    Term,
    intra_modal,
    rank_margin,
    update_thresholds,
)
from hnclip_cli.training.objectives.view import Features, Implementation, Slots, View


class Outcome(NamedTuple):
    """What a step needs of an objective; only the loss is differentiable."""

    loss: Tensor  # (), the weighted sum
    terms: dict[str, Tensor]  # before weighting, (); those on negative images where there are any
    thresholds: Tensor  # θ by kind for the next step


def compute_objective(
    objective: Objective,
    features: Features,
    slots: Slots,
    logit_scale: Tensor,
    thresholds: Tensor,
    *,
    logit_bias: Tensor | None = None,
    threshold_bound: float = 10.0,
    half: bool = False,
    implementation: Implementation = "auto",
    ranks: Ranks = Ranks(),
) -> Outcome:
    """The objective of a batch, the same on all ranks; see `hard_negative_objective`.

    Args:
        thresholds: the last is that of negative images.
        logit_bias: (), for objectives with a sigmoid.
        half: whether the features have been computed in half precision, whatever their dtype.

    Raises:
        HnclipError: a term is unknown.
        ValueError: shapes do not fit, the batch is empty on all ranks, or a term lacks its
            tokens or the bias.
    """
    # Autocast would round the logits to half precision.
    with autocast(features.images.device, None):
        view = View.of_captions(
            features, slots, logit_scale, thresholds,
            bias=logit_bias, half=half, implementation=implementation, ranks=ranks,
        )  # fmt: skip
        updated = update_thresholds(view, thresholds, threshold_bound)
        image_side = view.exchanged()
        loss, terms = 0 * view.scale, {}
        for name, term, weight in terms_of(objective):
            if features.negative_images is None and "images" in term.needs:
                continue
            value = term.function(image_side if term.of_images else view)
            if weight:
                loss = loss + weight * value
            terms[name] = value.detach()
        if "image_cmr" in terms:
            updated = update_thresholds(image_side, updated, threshold_bound)
    return Outcome(loss, terms, updated)


def terms_of(objective: Objective) -> Iterator[tuple[str, Term, float]]:
    """Name in the metrics, term and weight; `HnclipError` for an unknown term, or no number."""
    for key, weight in weights_of(objective).items():
        if not isinstance(weight, (int, float)):
            raise HnclipError(
                f"term {key!r} has a bad weight", got=repr(weight), expected="a number"
            )
        if not isinstance(key, str):
            term = key if isinstance(key, Term) else Term(key)
            yield term.name or getattr(term.function, "__name__", "term"), term, weight
        elif key in TERMS:
            yield TERMS[key].name or key, TERMS[key], weight
        else:
            raise HnclipError("no such term", got=repr(key), expected=f"one of {', '.join(TERMS)}")


def uses(objective: Objective, what: str) -> bool:
    """Whether it takes ``negatives``, negative ``images``, ``tokens`` or a ``bias``."""
    return any(what in term.needs | term.takes for _, term, weight in terms_of(objective) if weight)


class HardNegativeLoss(NamedTuple):
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
) -> HardNegativeLoss:
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
            where the features are in half precision. ``auto`` is ``triton`` on CUDA, if the
            kernels prove right there on a small block, and ``chunked`` elsewhere.
        negative_scope: ``batch`` (NegCLIP, CE-CLIP), ``own`` (Rösch et al.) or ``none``
            (FSC-CLIP's contrastive term).
        chunk_size: rows at a time of ``chunked`` and ``triton``; by default what was measured
            to be fast.
        ranks: the processes that share the batch.

    Raises:
        ValueError: shapes do not fit, an option is unknown, the batch is empty on all ranks,
            or Triton cannot run here.
    """
    _check_options(implementation, negative_scope, chunk_size)
    with autocast(image_features.device, None):
        view = View.of_captions(
            Features(image_features, text_features, negative_features),
            Slots(negative_mask, negative_kinds, groups),
            logit_scale, thresholds,
            implementation=implementation, chunk_size=chunk_size, ranks=ranks,
        )  # fmt: skip
        contrastive = contrast(view, negative_scope)
        imc, cmr = intra_modal(view), rank_margin(view)
        loss = contrastive + imc_weight * imc + cmr_weight * cmr
        updated = update_thresholds(view, thresholds, threshold_bound)
    return HardNegativeLoss(loss, contrastive, imc, cmr, updated)


def _check_options(
    implementation: Implementation, scope: NegativeScope, chunk_size: int | None
) -> None:
    for what, given, kind in (
        ("implementation", implementation, Implementation),
        ("negative scope", scope, NegativeScope),
    ):
        if given not in get_args(kind):
            choices = ", ".join(get_args(kind))
            raise ValueError(f"got {what} {given!r}, expected one of {choices}")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"got a chunk size of {chunk_size}, expected at least 1")
