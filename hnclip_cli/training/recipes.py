"""The settings of the papers, by objective: what ``hnclip train --paper`` takes.

Nothing heavy is imported here. docs/methods.md has the source of each number; what is not known
of a paper, or what its text and code say differently, is not here.
"""

from collections.abc import Collection, Mapping
from typing import Any

from hnclip_cli.errors import HnclipError

_C2LIP = {
    "epochs": 5, "batch_size": 768, "lr": 1e-5, "warmup_steps": 50, "weight_decay": 0.1,
}  # fmt: skip
# Fields of `TrainConfig` by name of the objective.
RECIPES: dict[str, dict[str, Any]] = {
    "negclip": {"epochs": 5, "batch_size": 256, "lr": 1e-6, "warmup_steps": 50},
    "ce-clip": {
        "epochs": 10, "batch_size": 1512, "lr": 5e-6, "warmup_steps": 50, "weight_decay": 0.1,
        "negatives_per_caption": 4,
    },
    "fsc-clip": {
        "epochs": 5, "batch_size": 256, "lr": 5e-6, "warmup_steps": 50, "weight_decay": 0.1,
        "negatives_per_caption": 3,
    },
    "triplet": {
        "epochs": 10, "batch_size": 1024, "lr": 5e-4, "warmup_steps": 1000, "weight_decay": 0.5,
        "negatives_per_caption": 1,
    },
    "con-clip": {
        "epochs": 5, "batch_size": 200, "lr": 1e-6, "warmup_steps": 50, "weight_decay": 0.2,
        "negatives_per_caption": 1, "lock": "image",
    },
    "rank-clip": {"epochs": 64, "lr": 5e-4, "warmup_steps": 10_000, "weight_decay": 0.1},
    "svlc": {
        "epochs": 5, "batch_size": 128, "weight_decay": 0.1, "negatives_per_caption": 1,
        "lora_rank": 4,
    },
    "dac": {
        "epochs": 5, "batch_size": 32, "lr": 5e-6, "weight_decay": 0.1,
        "negatives_per_caption": 1, "lora_rank": 4,
    },
    "read": {
        "epochs": 5, "batch_size": 256, "lr": 1e-5, "warmup_steps": 50, "weight_decay": 0.1,
        "negatives_per_caption": 3,
    },
    "cs-clip": {
        "epochs": 25, "batch_size": 1024, "lr": 5e-6, "weight_decay": 0.01,
        "negatives_per_caption": 1,
    },
    "clic": {
        "epochs": 1, "batch_size": 800, "lr": 1e-6, "warmup_steps": 250, "weight_decay": 0.1,
        "lock": "image",
    },
    "concept-centric": _C2LIP,
    "concept-centric-sigmoid": _C2LIP,
    "iterated": {
        "epochs": 30, "batch_size": 1024, "lr": 5e-4, "warmup_steps": 500, "weight_decay": 0.1,
        "generation_steps": 6000, "smoothing_steps": 1500,
    },
    "clap": {
        "steps": 8000, "batch_size": 8, "lr": 1e-4, "warmup_steps": 0, "weight_decay": 0,
        "grad_clip": 0, "groups": "none",
    },
}  # fmt: skip

LENGTHS = {"steps", "epochs", "seconds"}  # of which a run has one
WITHOUT_FLAGS = {"weight_decay", "grad_clip", "wise_ft"}  # numbers that ``--set`` takes
COUNTS = {"lora_rank", "generation_steps", "smoothing_steps", "image_cache"}  # whole ones, too


def paper_settings(objective: str, given: Collection[str] = ()) -> dict[str, Any]:
    """The settings of an objective's paper but for those that are given; raises HnclipError."""
    if objective not in RECIPES:
        raise HnclipError(
            f"no settings of a paper are known for --objective {objective}",
            expected=f"one of {', '.join(RECIPES)}",
            hint="flags in place of --paper",
        )
    dropped = {*given, *(LENGTHS if LENGTHS & {*given} else ())}
    return {name: value for name, value in RECIPES[objective].items() if name not in dropped}


def as_flags(settings: Mapping[str, Any]) -> str:
    """Settings as they are typed."""
    return " ".join(
        f"--set {name} {value:g}"
        if name in WITHOUT_FLAGS | COUNTS
        else f"--{name.replace('_', '-')} {value if isinstance(value, str) else f'{value:g}'}"
        for name, value in settings.items()
    )
