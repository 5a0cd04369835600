"""The loss of a batch: the terms of an objective, weighted and added."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor

from hnclip_cli.models.device import autocast
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives import Objective
from hnclip_cli.training.objectives.captured import RECORDER
from hnclip_cli.training.objectives.contrast import NegativeScope
from hnclip_cli.training.objectives.passes import Implementation
from hnclip_cli.training.objectives.table import TERMS, Term, terms_of
from hnclip_cli.training.objectives.terms import update_thresholds
from hnclip_cli.training.objectives.view import Features, Slots, View
from hnclip_cli.training.texts import SOURCES

# Larger batches keep a GPU busy while their kernels are started, and would hold much memory.
MOST_COSINES = 2**27


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
    progress: float = 1.0,
    half: bool = False,
    implementation: Implementation = "auto",
    ranks: Ranks = Ranks(),
) -> Outcome:
    """The objective of a batch, the same on all ranks; see `hard_negative_objective`.

    Args:
        progress: of the run, 0 to 1, which weights may depend on.
        thresholds: the last is that of negative images.
        logit_bias: (), for objectives with a sigmoid.
        half: whether the features have been computed in half precision, whatever their dtype.

    Raises:
        HnclipError: a term is unknown.
        ValueError: shapes do not fit, the batch is empty on all ranks, or a term lacks its
            tokens or the bias.
    """
    terms = [
        (name, term, weight)
        for name, term, weight in terms_of(objective, progress)
        if _is_there(term, features)
    ]
    loss, updated, *values = _solve(
        terms, features, slots, logit_scale, thresholds, threshold_bound, logit_bias,
        half=half, implementation=implementation, ranks=ranks,
    )  # fmt: skip
    named = zip(terms, values, strict=True)
    return Outcome(loss, {name: value.detach() for (name, _, _), value in named}, updated)


def _is_there(term: Term, features: Features) -> bool:
    """Whether a batch has what a term is left out without."""
    missing = {"images": features.negative_images, "decoder": features.rebuilt}
    if any(given is None and what in term.needs for what, given in missing.items()):
        return False
    if any(name in features.further for source in term.without for name in SOURCES[source].names):
        return False
    return all(
        name in features.further
        for source in (term.needs | term.takes) & SOURCES.keys()
        for name in SOURCES[source].names
    )


def _solve(
    terms: Sequence[tuple[str, Term, float]],
    features: Features,
    slots: Slots,
    scale: Tensor,
    thresholds: Tensor,
    bound: float,
    bias: Tensor | None = None,
    **options: Any,
) -> Sequence[Tensor]:
    """The loss, the thresholds for the next step, and each term; options are those of a `View`."""
    # Further texts are in no recording, so they need not be among its inputs.
    of_features, of_slots = _tensors(features), _tensors(slots)
    given = [*of_features.values(), *of_slots.values(), scale, thresholds, bias]

    def evaluate(tensors: Sequence[Any]) -> list[Tensor]:
        rest = iter(tensors)
        batch = (
            replace(features, **dict(zip(of_features, rest, strict=False))),
            replace(slots, **dict(zip(of_slots, rest, strict=False))),
        )
        scale, thresholds, bias = rest
        # Autocast would round the logits to half precision.
        with autocast(scale.device, None):
            view = View.of_captions(*batch, scale, thresholds, bias=bias, **options)
            image_side, loss, values = view.exchanged(), 0 * view.scale, []
            for _, term, weight in terms:
                value = term.function(image_side if term.of_images else view)
                if weight:
                    loss = loss + weight * value
                values.append(value)
            updated = update_thresholds(view, thresholds, bound)
            if any(name == "image_cmr" for name, _, _ in terms):
                updated = update_thresholds(image_side, updated, bound)
        return [loss, updated, *values]

    seen = [x for x in (*given, *features.further.values()) if x is not None]
    wanted = torch.is_grad_enabled() and any(x.requires_grad for x in seen)
    if not (wanted and _may_be_recorded(terms, features, scale, **options)):
        return evaluate(given)
    # Each row has its share of the mean. A power of 2 rounds nothing.
    share = max(1.0, sum(abs(weight) for _, _, weight in terms)) / max(1, len(features.images))
    unit = 2.0 ** -math.ceil(math.log2(share))
    with torch.cuda.device_of(scale):  # type: ignore[no-untyped-call]
        key = tuple(terms), bound, *options.items(), torch.cuda.current_stream(scale.device)
        return RECORDER.evaluate(evaluate, key, given, unit)


def _tensors(batch: Features | Slots) -> dict[str, Any]:
    """Its tensors, and None for what is not there, but no further texts."""
    return {name: value for name, value in vars(batch).items() if not isinstance(value, dict)}


def _may_be_recorded(
    terms: Sequence[tuple[str, Term, float]],
    features: Features,
    scale: Tensor,
    *,
    ranks: Ranks,
    implementation: Implementation,
    **_: Any,
) -> bool:
    """Whether a recording is worth its memory, and would say what an evaluation says."""
    size, num_slots = features.negatives.shape[:2]
    if features.negative_images is not None:
        num_slots += features.negative_images.shape[1]
    return (
        takes_graphs(scale.device)
        and ranks.size == 1
        and implementation != "dense"
        and size**2 * (1 + num_slots) <= MOST_COSINES
        and features.tokens() is None
        and not features.further
        # What other code computes may change from call to call.
        and all(term in TERMS.values() for _, term, _ in terms)
    )


def takes_graphs(device: torch.device) -> bool:
    """Whether an objective may become a CUDA graph; within another one it may not."""
    return device.type == "cuda" and not torch.cuda.is_current_stream_capturing()


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
    names = {_SCOPES[negative_scope]: 1.0, "imc": imc_weight, "cmr": cmr_weight}
    loss, updated, contrastive, imc, cmr = _solve(
        list(terms_of(names)),
        Features(image_features, text_features, negative_features),
        Slots(negative_mask, negative_kinds, groups),
        logit_scale, thresholds, threshold_bound,
        implementation=implementation, chunk_size=chunk_size, ranks=ranks,
    )  # fmt: skip
    return HardNegativeLoss(loss, contrastive, imc, cmr, updated)


_SCOPES = {"batch": "contrastive_batch", "own": "contrastive_own", "none": "contrastive"}


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
