"""Write a model as a folder that open_clip alone can load (``local-dir:``)."""

import dataclasses
import json
import os
from typing import Any

from safetensors.torch import save

from hnclip_cli.models.clip import Clip
from hnclip_cli.models.load import CONFIG_NAME
from hnclip_cli.streams.files import atomic_output

WEIGHTS_NAME = "open_clip_model.safetensors"


def save_clip(clip: Clip, folder: str) -> None:
    """Write the weights, and the configuration with the preprocessing, each in one step.

    Raises:
        HnclipError: the folder cannot be written.
    """
    os.makedirs(folder, exist_ok=True)
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in clip.module.state_dict().items()
    }
    save_tokenizer = getattr(clip.tokenizer, "save_pretrained", None)
    if save_tokenizer:  # Hugging Face tokenizers; CLIP's own is part of open_clip
        save_tokenizer(folder)
    with atomic_output(os.path.join(folder, WEIGHTS_NAME)) as stream:
        stream.write(save(tensors))
    config = {"model_cfg": clip.model_config, "preprocess_cfg": _preprocess_config(clip)}
    with atomic_output(os.path.join(folder, CONFIG_NAME)) as stream:
        stream.write(json.dumps(config, indent=2).encode() + b"\n")


def _preprocess_config(clip: Clip) -> dict[str, Any]:
    config: Any = clip.module.visual.preprocess_cfg
    return dataclasses.asdict(config) if dataclasses.is_dataclass(config) else dict(config)  # type: ignore[arg-type]
