"""Load a model by open_clip name, open_clip schema or folder; write such a folder."""

import contextlib
import dataclasses
import functools
import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.coca_model import CoCa
from open_clip.model import CLIP, CustomTextCLIP
from torch import nn

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.config import Config, check_config, check_tower
from hnclip_cli.models.device import resolve_device
from hnclip_cli.models.folder import CONFIG_NAME, TOWER_NAME, WEIGHTS_NAME, open_folder
from hnclip_cli.models.tags import find_settings
from hnclip_cli.models.tensors import write_tensors
from hnclip_cli.models.weights import readable_weights
from hnclip_cli.saying import shown
from hnclip_cli.streams.outputs import atomic_output, naming

CONFIG_FOLDER = Path(__file__).parent / "configs"
_SIGMOID_START = {"init_logit_scale": math.log(10), "init_logit_bias": -10.0}


def load_clip(
    name: str,
    pretrained: str | None = None,
    *,
    preprocess_of: str | None = None,
    device: str = "auto",
    precision: str = "fp32",
    seed: int = 0,
    sigmoid: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Clip:
    """Load a model in evaluation mode.

    Args:
        name: ``ViT-B-32``, ``hnclip-tiny``, ``hf-hub:…``, ``local-dir:…``, or a folder in
            open_clip's ``local-dir`` format or with a CLIP of transformers. A folder is not
            trusted, see `folder`.
        pretrained: open_clip tag or weights file, for plain names only, see `readable_weights`. A
            tag brings its own activation (QuickGELU or not), which open_clip leaves to the caller.
        preprocess_of: tag that a weights file has preprocessing and activation of, or ``default``;
            by default those on which all tags of the name agree, see `find_settings`.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        seed: of the weights where none are loaded.
        sigmoid: whether such a model starts as SigLIP's did, with a ``logit_bias`` of −10 and a
            scale of 10 (Zhai et al., ICCV 2023).
        note: called with a line on the preprocessing and activation that a weights file got.

    Raises:
        HnclipError: no such model, tag, folder or device, weights that do not fit or are not
            finite, or a weights file whose preprocessing is not known.
    """
    where = resolve_device(device)
    torch.manual_seed(seed)
    with found_model(name, pretrained) as (source, config), contextlib.ExitStack() as kept:
        weights = pretrained
        settings, line = find_settings(source, config, pretrained, preprocess_of)
        if pretrained and line:  # a file
            note(line)
            weights = kept.enter_context(readable_weights(pretrained))
        if settings and settings.quick_gelu:
            config["quick_gelu"] = True
        start = _SIGMOID_START if sigmoid and not pretrained and ":" not in source else {}
        config |= start
        with _loading(name):
            module, _, preprocess = open_clip.create_model_and_transforms(
                source,
                weights,
                device=where,
                force_quick_gelu=bool(config.get("quick_gelu", False)),
                pretrained_text=False,  # else a name without weights gets some from the network
                **start,
                **(settings.for_images() if settings else {}),
            )
            tokenizer = open_clip.get_tokenizer(source)
    check_finite(module, pretrained or name, "an earlier checkpoint")
    module.eval()
    return Clip(module, preprocess, tokenizer, config, where, precision)


def save_clip(clip: Clip, folder: str) -> None:
    """Write a model as a folder that open_clip alone can load (``local-dir:``).

    Weights, and configuration with preprocessing, are each written in one step.

    Raises:
        HnclipError: the folder cannot be written, or the weights are not finite.
    """
    check_finite(clip.module, folder, "a lower --lr, or --precision fp32")
    save_tokenizer = getattr(clip.tokenizer, "save_pretrained", None)
    with naming(folder):
        os.makedirs(folder, exist_ok=True)
        if save_tokenizer:  # Hugging Face tokenizers; CLIP's own is part of open_clip
            save_tokenizer(folder)
    tower = getattr(getattr(clip.module, "text", None), "config", None)
    if tower is not None:  # of transformers, which would look for it in the hub
        with atomic_output(os.path.join(folder, TOWER_NAME), follow_links=False) as stream:
            stream.write(json.dumps(check_tower(tower.to_dict(), folder), indent=2).encode())
    with atomic_output(os.path.join(folder, WEIGHTS_NAME), follow_links=False) as stream:
        write_tensors(stream, clip.module.state_dict())
    preprocess: Any = clip.module.visual.preprocess_cfg
    if dataclasses.is_dataclass(preprocess):
        preprocess = dataclasses.asdict(preprocess)  # type: ignore[arg-type]
    config = {"model_cfg": clip.model_config, "preprocess_cfg": dict(preprocess)}
    with atomic_output(os.path.join(folder, CONFIG_NAME), follow_links=False) as stream:
        stream.write(json.dumps(config, indent=2).encode() + b"\n")


def as_clip(model: Clip | str) -> Clip:
    """A model, loaded where it is given by its name."""
    return load_clip(model) if isinstance(model, str) else model


@contextlib.contextmanager
def found_model(name: str, pretrained: str | None = None) -> Iterator[tuple[str, Config]]:
    """The name of a model as open_clip understands it, for this block, and its ``model_cfg``.

    Raises:
        HnclipError: no such model, a folder that `open_folder` refuses, or whose configuration
            describes a far larger model than its weights are.
    """
    _add_own_names()
    folder = Path(name.removeprefix("local-dir:"))
    is_folder = any(os.path.lexists(folder / config) for config in (CONFIG_NAME, TOWER_NAME))
    if name.startswith("local-dir:") or is_folder:
        if pretrained:
            raise HnclipError("a model folder brings its weights", hint="without --pretrained")
        with open_folder(folder) as (private, config, num_weights):
            _check_size(f"local-dir:{private}", num_weights, name)
            yield f"local-dir:{private}", config
    elif name.startswith("hf-hub:"):
        if pretrained:
            raise HnclipError("a model of the hub brings its weights", hint="without --pretrained")
        with _loading(name):
            config = open_clip.get_model_config(name)
        yield name, check_config(config, name)[0]
    elif name in open_clip.list_models():
        yield name, open_clip.get_model_config(name)
    elif folder.is_dir():
        raise HnclipError(f"no {CONFIG_NAME} in the folder", where=name)
    else:
        raise HnclipError(
            f"no model {name!r}",
            expected="an open_clip name, hnclip-tiny, or a folder",
            hint="python -c 'import open_clip; print(*open_clip.list_models())'",
        )


@functools.cache  # open_clip reads all of its configurations again each time
def _add_own_names() -> None:
    open_clip.add_model_config(CONFIG_FOLDER)


def build_on_meta(source: str) -> Any:
    """A model without memory for its weights, on torch's ``meta`` device.

    Raises:
        HnclipError: its configuration describes none that can be built.
    """
    config = open_clip.get_model_config(source)
    for tower in ("vision_cfg", "text_cfg"):
        config[tower].pop("timm_model_pretrained", None)
    if config["text_cfg"].get("hf_model_name"):
        config["text_cfg"]["hf_model_pretrained"] = False
    is_custom = config.pop("custom_text", False) or config["text_cfg"].get("hf_model_name")
    kind = CustomTextCLIP if is_custom else CLIP
    if is_custom and "multimodal_cfg" in config:
        kind = CoCa
    with torch.device("meta"):
        return kind(**config)


def _check_size(source: str, num_weights: int, name: str) -> None:
    """Before memory is taken; open_clip compares shapes, but only of a model that it has made."""
    with _loading(name):
        module = build_on_meta(source)
    promised = sum(tensor.numel() for tensor in module.state_dict().values())
    if promised > 2 * num_weights:  # positions may be interpolated, so not all need be there
        raise HnclipError(
            "the configuration is not that of the weights",
            where=name,
            got=f"a model of {promised:,} numbers",
            expected=f"about the {num_weights:,} of the weights",
        )


def check_finite(module: nn.Module, where: str, hint: str) -> None:
    """Raises HnclipError where a weight or statistic is NaN or infinite, and names its tensor."""
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and tensor.numel():
            low, high = torch.aminmax(tensor)  # many times as fast as isfinite
            if not (math.isfinite(low) and math.isfinite(high)):
                raise HnclipError(
                    "the weights are not finite",
                    where=where,
                    got=f"NaN or infinity in {name}",
                    hint=hint,
                )


@contextlib.contextmanager
def _loading(name: str) -> Iterator[None]:
    """What goes wrong in here as one line: open_clip, torch, the hub… have errors of their own."""
    try:
        with quiet_open_clip():
            yield
    except BaseException as error:
        # The tokenizers' panics in Rust are no `Exception`.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = shown(_reason(error), 120) or type(error).__name__
        raise HnclipError(
            f"model cannot be loaded ({reason})",
            where=name,
            hint="hnclip train to make a folder, or another --pretrained",
        ) from error


def _reason(error: BaseException) -> str:
    """What an error says; of weights that do not fit, which torch lists all, the first."""
    heading, *rest = str(error).splitlines() or [""]
    if "loading state_dict" not in heading or not rest:
        return str(error)
    first = rest[0].strip().partition(", ")[0].replace("in state_dict: ", "")
    return f"the weights are not of this model: {first}"


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
