"""What a run leaves behind: the model, and how it was made."""

import dataclasses
import json
import os
from importlib.metadata import version

import torch

from hnclip_cli import __version__
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.save import save_clip
from hnclip_cli.streams.files import atomic_output
from hnclip_cli.training.config import TrainConfig

RUN_NAME = "hnclip_run.json"


def save_checkpoint(
    clip: Clip,
    folder: str,
    config: TrainConfig,
    *,
    step: int,
    thresholds: dict[str, float],
    model: str,
    pretrained: str | None,
    data: str,
) -> None:
    """Write the model in open_clip's ``local-dir`` format, and ``hnclip_run.json`` beside it.

    Args:
        clip: the model.
        folder: made where it is missing.
        config: the run's settings, written down as resolved.
        step: optimizer steps behind these weights.
        thresholds: θ by kind after that step.
        model: what ``--model`` named.
        pretrained: what ``--pretrained`` named.
        data: digest of the records.

    Raises:
        HnclipError: the folder cannot be written.
    """
    save_clip(clip, folder)
    spec = config.spec
    run = {
        "step": step,
        "thresholds": thresholds,
        "model": model,
        "pretrained": pretrained,
        "data": data,
        "config": dataclasses.asdict(config)
        | {"imc_weight": spec.imc_weight, "cmr_weight": spec.cmr_weight},
        "versions": {
            "hnclip": __version__,
            "open_clip": version("open_clip_torch"),
            "torch": str(torch.__version__),
        },
    }
    with atomic_output(os.path.join(folder, RUN_NAME)) as stream:
        stream.write(json.dumps(run, indent=2).encode() + b"\n")
