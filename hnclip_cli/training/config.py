"""What a training run is made of."""

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import alike
from hnclip_cli.training.objectives import OBJECTIVES, Weights, weights_of
from hnclip_cli.training.objectives.table import uses
from hnclip_cli.training.texts import SOURCES


class NumSlots(NamedTuple):
    """How much of a record takes part in a step."""

    captions: int = 0  # K, negative captions of each pair
    images: int = 0  # M, negative images of each pair
    sources: tuple[str, ...] = ()  # of `texts.SOURCES`, further texts of each pair


RECONSTRUCTION = "reconstruction"  # the term of a decoder
AUTO = -1  # a size that is to be the largest that the GPU has memory for


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a run. They have the names of the flags of ``hnclip train``, whose help
    describes them.
    """

    objective: str = "hnclip"  # a name of `OBJECTIVES`
    # Optimizer steps; exactly one of ``steps``, ``epochs`` and ``seconds`` is set.
    steps: int | None = None
    epochs: float | None = None  # passes over the records
    seconds: float | None = None  # wall-clock time of training; the schedule follows the clock
    batch_size: int = 64  # pairs in a step, of all processes together; or `AUTO`
    micro_batch: int = 0  # pairs that the encoders see at a time; 0 is all of them; or `AUTO`
    lr: float = 5e-6  # peak learning rate
    warmup_steps: int = 50  # steps of linear warm-up, times the cosine to 0
    weight_decay: float = 0.1  # AdamW's, on matrices only
    grad_clip: float = 1.0  # largest norm of all gradients together; 0 turns it off
    negatives_per_caption: int = 4  # K, the negative slots of each pair
    negative_images_per_caption: int = 1  # M, the slots for negative images of each pair
    imc_weight: float | None = None  # weight of the intra-modal term; None takes the objective's
    # Weight of the cross-modal rank term; None takes the objective's.
    cmr_weight: float | None = None
    # ``image``: pairs of one image (or ``group``) are not contrasted with each other; ``none``:
    # they are, as in the losses of the papers.
    groups: Literal["image", "none"] = "image"
    threshold_bound: float = 10.0  # upper bound of the adaptive thresholds, in logits
    log_every: int = 10  # steps between two lines of metrics
    # Steps between two checkpoints, or the time, as in ``10m``; 0 writes only the last.
    checkpoint_every: int | str = "10m"
    keep: int = 0  # models of the last checkpoints that are kept beside the last one, and the best
    # ``image`` or ``text``, the tower that is not trained, or ``both``.
    lock: Literal["image", "text", "both"] | None = None
    # A T5 that rebuilds captions of their vectors, for an objective with `reconstruction`; None
    # leaves that term out.
    decoder: str | None = None
    # Rank of the low-rank updates that are trained in place of the weights; 0 trains the weights.
    lora_rank: int = 0
    # Steps after which a new text tower begins (iterated learning); 0: never.
    generation_steps: int = 0
    smoothing_steps: int = 0  # of these, with the image tower locked
    wise_ft: float = 1.0  # α of the weights that are written, (1 - α)·start + α·trained
    # Of the weights where none are loaded, of the order, and of the choice of negatives.
    seed: int = 0
    workers: int = 2  # processes that decode images ahead
    # MiB of pixels that each process keeps, whose images are then decoded once.
    image_cache: int = 256

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise HnclipError(f"bad {field.name}", got=str(value), expected="a finite number")
        if self.batch_size == self.micro_batch == AUTO:
            raise HnclipError(
                "batch_size and micro_batch are both auto", hint="a number for one of them"
            )
        if isinstance(self.checkpoint_every, str):
            in_seconds(self.checkpoint_every)
        if not 0 <= self.wise_ft <= 1:
            raise HnclipError("bad wise_ft", got=str(self.wise_ft), expected="0 to 1")
        if self.objective == "clap" and (
            self.lock or self.lora_rank or self.wise_ft < 1 or self.generation_steps
            or AUTO in (self.batch_size, self.micro_batch)
        ):  # fmt: skip
            raise HnclipError(
                "--objective clap trains a head, not the towers",
                expected="no lock, lora_rank, wise_ft, generation_steps, and no auto sizes",
            )
        if self.objective == "iterated" and not self.generation_steps:
            raise HnclipError(
                "--objective iterated needs generation_steps",
                hint="--set generation_steps 6000 --set smoothing_steps 1500, or --paper",
            )
        if self.decoder and RECONSTRUCTION not in self.all_weights:
            raise HnclipError(
                f"--objective {self.objective} rebuilds no captions",
                got="--decoder",
                hint="--objective read, or no --decoder",
            )
        keeps_text = self.locks("text") or self.lora_rank or self.wise_ft < 1
        if self.generation_steps and keeps_text:
            raise HnclipError(
                "generation_steps replaces the text tower",
                expected="no --lock text, lora_rank or wise_ft",
            )
        if self.smoothing_steps and self.smoothing_steps >= self.generation_steps:
            raise HnclipError(
                "bad smoothing_steps",
                got=str(self.smoothing_steps),
                expected=f"less than generation_steps, {self.generation_steps}",
            )

    def locks(self, tower: str) -> bool:
        """Whether a tower, ``image`` or ``text``, is not trained."""
        return self.lock in (tower, "both")

    def is_checkpoint(self, step: int, seconds: float) -> bool:
        """Whether one is due after a step, so long after the last one."""
        every = self.checkpoint_every
        if isinstance(every, str):
            return seconds >= in_seconds(every)
        return every > 0 and step % every == 0

    @property
    def weights(self) -> Weights:
        """The objective with the weights given, on both sides; `HnclipError` for an unknown one."""
        weights = self.all_weights
        if not self.decoder:
            weights.pop(RECONSTRUCTION, None)
        for name, weight in (("imc", self.imc_weight), ("cmr", self.cmr_weight)):
            if weight is not None:
                weights[name] = weight
                if f"image_{name}" in weights:
                    weights[f"image_{name}"] = weight
        return weights

    @property
    def all_weights(self) -> Weights:
        """The objective as its table has it; `HnclipError` for an unknown one."""
        if self.objective not in OBJECTIVES:
            raise HnclipError(
                "no such objective", got=self.objective, hint=alike(self.objective, OBJECTIVES),
                expected=f"one of {', '.join(OBJECTIVES)}",
            )  # fmt: skip
        return weights_of(OBJECTIVES[self.objective])

    def resolved(self) -> dict[str, Any]:
        """The settings as a dictionary, with the objective's weights in place of None."""
        weights = self.weights
        return dataclasses.asdict(self) | {
            f"{name}_weight": weights.get(name, 0.0) for name in ("imc", "cmr")
        }


_UNITS = {"s": 1, "m": 60, "h": 3600}


def in_seconds(text: str) -> float:
    """A time as it is written; raises HnclipError."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smh])", text, re.ASCII)
    if not match or not float(match[1]):
        raise HnclipError("bad time", got=repr(text), expected="a number and s, m or h, as in 10m")
    return float(match[1]) * _UNITS[match[2]]


def slots_of(config: TrainConfig, has_negative_images: bool) -> NumSlots:
    """The slots of a batch: none for what the objective does without or no record has."""
    with_images = uses(config.weights, "images") and has_negative_images
    return NumSlots(
        config.negatives_per_caption if uses(config.weights, "negatives") else 0,
        config.negative_images_per_caption if with_images else 0,
        tuple(source for source in SOURCES if uses(config.weights, source)),
    )


def no_auto_sizes(device: str) -> HnclipError:
    """The error for `AUTO` on another device than CUDA."""
    return HnclipError(
        "auto sizes need a CUDA device", got=f"device {device}", hint="--batch-size 64"
    )
