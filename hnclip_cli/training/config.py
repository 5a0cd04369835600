"""What a training run is made of."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hnclip_cli.errors import HnclipError
from hnclip_cli.training.objectives import OBJECTIVES, Weights, weights_of


class NumSlots(NamedTuple):
    """How many negatives of a record take part in a step."""

    captions: int = 0  # K, negative captions of each pair
    images: int = 0  # M, negative images of each pair


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a run; the flags of ``hnclip train`` mirror them.

    Attributes:
        objective: a name of `OBJECTIVES`.
        steps: optimizer steps; exactly one of ``steps``, ``epochs`` and ``seconds`` is set.
        epochs: passes over the records.
        seconds: wall-clock time of training; the schedule follows the clock.
        batch_size: pairs in a step, of all processes together.
        micro_batch: pairs that the encoders see at a time; 0 is all of them.
        lr: peak learning rate.
        warmup_steps: steps of linear warm-up before the cosine to 0.
        weight_decay: AdamW's, on matrices only.
        grad_clip: largest norm of all gradients together; 0 turns it off.
        negatives_per_caption: K, the negative slots of each pair.
        negative_images_per_caption: M, the slots for negative images of each pair.
        imc_weight: weight of the intra-modal term; None takes the objective's.
        cmr_weight: weight of the cross-modal rank term; None takes the objective's.
        threshold_bound: upper bound of the adaptive thresholds, in logits.
        log_every: steps between two lines of metrics.
        checkpoint_every: steps between two checkpoints; 0 writes only the last.
        lock: ``image`` or ``text``, the tower that is not trained.
        lora_rank: rank of the low-rank updates that are trained in place of the weights; 0 trains
            the weights.
        wise_ft: α of the weights that are written, (1 - α)·start + α·trained.
        seed: of the weights where none are loaded, of the order, and of the choice of negatives.
        workers: threads that decode images ahead.
    """

    objective: str = "ce-clip"
    steps: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    batch_size: int = 64
    micro_batch: int = 0
    lr: float = 5e-6
    warmup_steps: int = 50
    weight_decay: float = 0.1
    grad_clip: float = 1.0
    negatives_per_caption: int = 4
    negative_images_per_caption: int = 1
    imc_weight: float | None = None
    cmr_weight: float | None = None
    threshold_bound: float = 10.0
    log_every: int = 10
    checkpoint_every: int = 0
    lock: Literal["image", "text"] | None = None
    lora_rank: int = 0
    wise_ft: float = 1.0
    seed: int = 0
    workers: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.wise_ft <= 1:
            raise HnclipError("bad wise_ft", got=str(self.wise_ft), expected="0 to 1")

    @property
    def weights(self) -> Weights:
        """The objective with the weights that were given, on the image side too.

        Raises:
            HnclipError: no objective has this name.
        """
        if self.objective not in OBJECTIVES:
            raise HnclipError(
                "no such objective", got=self.objective, expected=f"one of {', '.join(OBJECTIVES)}"
            )
        weights = weights_of(OBJECTIVES[self.objective])
        for name, weight in (("imc", self.imc_weight), ("cmr", self.cmr_weight)):
            if weight is not None:
                weights[name] = weight
                if f"image_{name}" in weights:
                    weights[f"image_{name}"] = weight
        return weights

    def resolved(self) -> dict[str, Any]:
        """The settings as a dictionary, with the objective's weights in place of None."""
        weights = self.weights
        return dataclasses.asdict(self) | {
            f"{name}_weight": weights.get(name, 0.0) for name in ("imc", "cmr")
        }
