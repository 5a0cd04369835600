"""The loss of a batch: the terms that an objective is made of, weighted and added."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives import ObjectiveSpec, negative_images, own_rows, ranking
from hnclip_cli.training.objectives.batch import Batch, Features, Slots, check_batch
from hnclip_cli.training.objectives.hard_negatives import Implementation, hard_negative_objective

# A term's weight is the field NAME_weight of ObjectiveSpec. Its value is that of the whole batch;
# its gradient is this rank's part.
TERMS: dict[str, Callable[[Batch], Tensor]] = {
    "image_columns": negative_images.image_columns,
    "image_imc": negative_images.image_imc,
    "image_cmr": negative_images.image_cmr,
    "own": own_rows.own,
    "local": own_rows.local,
    "mirror": negative_images.mirror,
    "distractor": negative_images.distractor,
    "rank": ranking.rank,
}
OF_NEGATIVE_IMAGES = {"image_columns", "image_imc", "image_cmr", "mirror", "distractor"}


class Outcome(NamedTuple):
    """What a step needs of an objective.

    Attributes:
        loss: (), the weighted sum, differentiable.
        terms: each term's value before weighting, (), without gradient: ``contrastive``, ``imc``
            and ``cmr`` with negatives, and those with a weight that had something to work on.
        thresholds: θ by kind for the next step, without gradient.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    thresholds: Tensor


def compute_objective(
    spec: ObjectiveSpec,
    features: Features,
    slots: Slots,
    logit_scale: Tensor,
    thresholds: Tensor,
    *,
    threshold_bound: float = 10.0,
    implementation: Implementation = "auto",
    ranks: Ranks = Ranks(),
) -> Outcome:
    """The objective of a batch.

    With several ranks each passes its own rows. Loss, terms and thresholds come out the same on
    every rank, those of the whole batch; the gradients of parameters are parts that add up to
    the whole over the ranks. All ranks must pass the same spec.

    Args:
        spec: the terms and their weights.
        features: of this rank's rows.
        slots: which of the features are there.
        logit_scale: (), the factor itself (up to 100), not its logarithm.
        thresholds: (num_kinds,), θ of the step before; 0 at the start. The last is that of
            negative images (`Slots.image_kind`).
        threshold_bound: upper bound of θ, in logits.
        implementation: of the contrastive term, see `hard_negative_objective`.
        ranks: the processes that share the batch.

    Raises:
        ValueError: shapes do not fit, or a local term lacks its tokens.
    """
    check_batch(spec, features, slots)
    pairs = hard_negative_objective(
        features.images,
        features.texts,
        features.negatives,
        slots.mask,
        logit_scale,
        negative_kinds=slots.kinds,
        thresholds=thresholds,
        imc_weight=spec.imc_weight,
        cmr_weight=spec.cmr_weight,
        threshold_bound=threshold_bound,
        groups=slots.groups,
        implementation=implementation,
        negative_scope=spec.negative_scope,
        ranks=ranks,
    )
    loss, updated = pairs.loss, pairs.thresholds
    terms = {"contrastive": pairs.contrastive.detach()}
    if spec.uses_negatives:
        terms |= {"imc": pairs.imc.detach(), "cmr": pairs.cmr.detach()}

    batch = Batch(spec, features, slots, logit_scale, thresholds, implementation, ranks)
    for name, term in TERMS.items():
        weight: float = getattr(spec, f"{name}_weight")
        if not weight or (name in OF_NEGATIVE_IMAGES and features.negative_images is None):
            continue
        value = term(batch)
        loss = loss + weight * value
        terms[name] = value.detach()
    if "image_cmr" in terms:
        updated = negative_images.update_image_threshold(batch, updated, threshold_bound)
    return Outcome(spec.factor * loss, terms, updated)
