"""Load a model by open_clip name, open_clip schema or folder; write such a folder."""

import contextlib
import dataclasses
import json
import logging
import os
import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.device import resolve_device
from hnclip_cli.streams.files import atomic_output

CONFIG_FOLDER = Path(__file__).parent / "configs"
CONFIG_NAME = "open_clip_config.json"
WEIGHTS_NAME = "open_clip_model.safetensors"


def load_clip(
    name: str,
    pretrained: str | None = None,
    *,
    device: str = "auto",
    precision: str = "fp32",
    seed: int = 0,
) -> Clip:
    """Load a model in evaluation mode.

    Args:
        name: ``ViT-B-32``, ``hnclip-tiny``, ``hf-hub:…``, ``local-dir:…``, or a folder in
            open_clip's ``local-dir`` format.
        pretrained: open_clip tag or weights file, for plain names only. A tag brings its own
            activation (QuickGELU or not), which open_clip leaves to the caller.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        seed: of the weights where none are loaded.

    Raises:
        HnclipError: no such model, tag, folder or device, or weights that do not fit.
    """
    name = resolve_name(name, pretrained)
    where = resolve_device(device)
    torch.manual_seed(seed)
    config = model_config(name)
    tag = open_clip.get_pretrained_cfg(name, pretrained) if pretrained else None
    if tag and tag.get("quick_gelu"):
        config["quick_gelu"] = True
    try:
        with quiet_open_clip():
            module, _, preprocess = open_clip.create_model_and_transforms(
                name,
                pretrained,
                device=where,
                force_quick_gelu=bool(config.get("quick_gelu", False)),
            )
            tokenizer = open_clip.get_tokenizer(name)
    except Exception as error:  # open_clip, torch, safetensors and the hub each have their own
        raise HnclipError(
            f"model cannot be loaded ({error})",
            where=name,
            hint="hnclip train to make a folder, or another --pretrained",
        ) from error
    module.eval()
    return Clip(module, preprocess, tokenizer, config, where, precision)


def save_clip(clip: Clip, folder: str) -> None:
    """Write a model as a folder that open_clip alone can load (``local-dir:``).

    Weights, and configuration with preprocessing, are each written in one step.

    Raises:
        HnclipError: the folder cannot be written.
    """
    os.makedirs(folder, exist_ok=True)
    state = clip.module.state_dict()
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_tokenizer = getattr(clip.tokenizer, "save_pretrained", None)
    if save_tokenizer:  # Hugging Face tokenizers; CLIP's own is part of open_clip
        save_tokenizer(folder)
    with atomic_output(os.path.join(folder, WEIGHTS_NAME)) as stream:
        stream.write(save(tensors))
    preprocess: Any = clip.module.visual.preprocess_cfg
    if dataclasses.is_dataclass(preprocess):
        preprocess = dataclasses.asdict(preprocess)  # type: ignore[arg-type]
    config = {"model_cfg": clip.model_config, "preprocess_cfg": dict(preprocess)}
    with atomic_output(os.path.join(folder, CONFIG_NAME)) as stream:
        stream.write(json.dumps(config, indent=2).encode() + b"\n")


def as_clip(model: Clip | str) -> Clip:
    """A model, loaded where it is given by its name."""
    return load_clip(model) if isinstance(model, str) else model


def resolve_name(name: str, pretrained: str | None) -> str:
    """The name as open_clip understands it."""
    for config in CONFIG_FOLDER.glob("*.json"):
        open_clip.add_model_config(config)
    folder = Path(name.removeprefix("local-dir:"))
    has_config = (folder / CONFIG_NAME).is_file()
    if name.startswith("local-dir:") or has_config:
        if not has_config:
            raise HnclipError(f"no {CONFIG_NAME} in the folder", where=str(folder))
        if not any(folder.glob("*.safetensors")):
            raise HnclipError("no *.safetensors weights in the folder", where=str(folder))
        if pretrained:
            raise HnclipError("a model folder brings its weights", hint="without --pretrained")
        return f"local-dir:{folder}"
    if name.startswith("hf-hub:") or name in open_clip.list_models():
        return name
    if folder.is_dir():
        raise HnclipError(f"no {CONFIG_NAME} in the folder", where=name)
    raise HnclipError(
        f"no model {name!r}",
        expected="an open_clip name, hnclip-tiny, or a folder",
        hint="python -c 'import open_clip; print(*open_clip.list_models())'",
    )


def model_config(name: str) -> dict[str, Any]:
    """open_clip's configuration of a model; `HnclipError` where there is none or it is damaged."""
    try:
        return deepcopy(open_clip.get_model_config(name))
    except (OSError, ValueError) as error:
        raise HnclipError(f"bad model configuration ({error})", where=name) from None


@contextlib.contextmanager
def quiet_open_clip() -> Iterator[None]:
    """open_clip logs and warns at every step of loading; only its errors matter here."""
    level = logging.root.level
    logging.root.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.root.setLevel(level)
