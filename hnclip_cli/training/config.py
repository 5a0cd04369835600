"""What a training run is made of."""

from dataclasses import dataclass

from hnclip_cli.training.objectives import OBJECTIVES, ObjectiveSpec


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a run; the flags of ``hnclip train`` mirror them.

    Attributes:
        objective: a name of `OBJECTIVES`.
        steps: optimizer steps; exactly one of ``steps``, ``epochs`` and ``seconds`` is set.
        epochs: passes over the records.
        seconds: wall-clock time of training; the schedule follows the clock.
        batch_size: pairs in a step.
        lr: peak learning rate.
        warmup_steps: steps of linear warm-up before the cosine to 0.
        weight_decay: AdamW's, on matrices only.
        grad_clip: largest norm of all gradients together; 0 turns it off.
        negatives_per_caption: K, the negative slots of each pair.
        imc_weight: weight of the intra-modal term; None takes the objective's.
        cmr_weight: weight of the cross-modal rank term; None takes the objective's.
        threshold_bound: upper bound of the adaptive thresholds, in logits.
        log_every: steps between two lines of metrics.
        checkpoint_every: steps between two checkpoints; 0 writes only the last.
        seed: of the weights where none are loaded, of the order, and of the choice of negatives.
        workers: threads that decode images ahead.
    """

    objective: str = "ce-clip"
    steps: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    batch_size: int = 64
    lr: float = 5e-6
    warmup_steps: int = 50
    weight_decay: float = 0.1
    grad_clip: float = 1.0
    negatives_per_caption: int = 4
    imc_weight: float | None = None
    cmr_weight: float | None = None
    threshold_bound: float = 10.0
    log_every: int = 10
    checkpoint_every: int = 0
    seed: int = 0
    workers: int = 2

    @property
    def spec(self) -> ObjectiveSpec:
        """The objective with the weights that were given in place of its own."""
        named = OBJECTIVES[self.objective]
        return ObjectiveSpec(
            named.uses_negatives,
            named.imc_weight if self.imc_weight is None else self.imc_weight,
            named.cmr_weight if self.cmr_weight is None else self.cmr_weight,
        )

    @property
    def num_slots(self) -> int:
        """K, or 0 for an objective without negatives."""
        return self.negatives_per_caption if self.spec.uses_negatives else 0
