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
from huggingface_hub import constants as hub
from torch import nn

from hnclip_cli.errors import HnclipError, lacking_memory
from hnclip_cli.known import OWN_CONFIGS, check_weights, no_model, origin_of
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.device import resolve_device
from hnclip_cli.models.heads import check_width, load_head
from hnclip_cli.models.loading.config import Config, check_config, check_tower
from hnclip_cli.models.loading.folder import CONFIG_NAME, TOWER_NAME, WEIGHTS_NAME, open_folder
from hnclip_cli.models.loading.shapes import build_on_meta, check_fit, shapes_of
from hnclip_cli.models.loading.tags import find_settings
from hnclip_cli.models.loading.weights import readable_weights
from hnclip_cli.models.tensors import write_tensors
from hnclip_cli.saying import shown
from hnclip_cli.streams.files import no_folder
from hnclip_cli.streams.loads import timed
from hnclip_cli.streams.outputs import atomic_output, naming

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
    head: str | None = None,
    head_scale: float | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Clip:
    """Load a model in evaluation mode.

    Args:
        name: ``ViT-B-32``, ``hnclip-tiny``, ``hf-hub:…``, ``local-dir:…``, or a folder in
            open_clip's ``local-dir`` format or with a CLIP of transformers. A folder is not
            trusted, see `folder`.
        pretrained: open_clip tag or weights file, for plain names only, see `readable_weights`. A
            tag sets its own activation (QuickGELU or not), which open_clip leaves to the caller.
        preprocess_of: tag whose preprocessing and activation a weights file gets, or ``default``;
            by default those on which all tags of the name agree, see `find_settings`.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        seed: of random weights, if none are loaded.
        sigmoid: whether a model without weights starts as SigLIP did, with a ``logit_bias`` of
            −10 and a scale of 10 (Zhai et al., ICCV 2023).
        head: folder of a head for all features, which training with ``clap`` wrote.
        head_scale: α of the head, in place of the folder's.
        note: called with a line on the preprocessing and activation of a weights file.

    Raises:
        HnclipError: no such model, tag, folder or device, weights that do not fit or are not
            finite, a weights file whose preprocessing is not known, or no such head.
    """
    where = resolve_device(device)
    found_head = load_head(head, head_scale) if head else None
    torch.manual_seed(seed)
    with found_model(name, pretrained) as (source, config), contextlib.ExitStack() as kept:
        kept.enter_context(timed(name, origin_of(name, pretrained)))
        weights = pretrained
        settings, line = find_settings(source, config, pretrained, preprocess_of)
        if pretrained and line:  # a file
            note(line)
            weights = kept.enter_context(readable_weights(pretrained))
            if weights.endswith(".safetensors"):
                with loading(name, config):
                    empty = build_on_meta(source)
                if resized := check_fit(empty, shapes_of(weights), pretrained, may_resize=True):
                    note(f"{pretrained}: {resized}")
        if found_head:
            check_width(found_head, int(config["embed_dim"]), str(head))
        if pretrained and not line:
            check_weights(name, pretrained)
        if settings and settings.quick_gelu:
            config["quick_gelu"] = True
        start = _SIGMOID_START if sigmoid and not pretrained and ":" not in source else {}
        config |= start
        with loading(name, config, fetches=bool(pretrained and not line)):
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
    said = f"{name.rstrip('/')} {pretrained or ''}".rstrip()
    found_head = found_head.to(where) if found_head else None
    return Clip(module, preprocess, tokenizer, config, where, precision, name=said, head=found_head)


def clip_on_meta(
    name: str,
    pretrained: str | None = None,
    *,
    preprocess_of: str | None = None,
    precision: str = "fp32",
    sigmoid: bool = False,
) -> Clip:
    """A model as `load_clip` gives it, but on torch's ``meta`` device: no weights, no memory.

    Raises:
        HnclipError: there is no such model or tag, or it cannot be built.
    """
    with found_model(name, pretrained) as (source, config), loading(name, config):
        settings, _ = find_settings(source, config, pretrained, preprocess_of)
        changes = {"quick_gelu": True} if settings and settings.quick_gelu else {}
        module = build_on_meta(source, changes | (_SIGMOID_START if sigmoid else {}))
        tokenizer = open_clip.get_tokenizer(source)
        preprocess = open_clip.image_transform(module.visual.image_size, is_train=False)
    return Clip(module, preprocess, tokenizer, config, torch.device("meta"), precision)


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
        with open_folder(folder) as (private, config, shapes):
            source = f"local-dir:{private}"
            with loading(name, config):
                module = build_on_meta(source)
            check_fit(module, shapes, name)
            yield source, config
    elif name.startswith("hf-hub:"):
        if pretrained:
            raise HnclipError("a model of the hub brings its weights", hint="without --pretrained")
        with loading(name):
            config = open_clip.get_model_config(name)
        yield name, check_config(config, name)[0]
    elif name in open_clip.list_models():
        yield name, open_clip.get_model_config(name)
    elif folder.is_dir():
        raise HnclipError(f"no {CONFIG_NAME} in the folder", where=name)
    else:
        raise no_folder(name) if "/" in name else no_model(name)


@functools.cache  # open_clip reads all of its configurations again each time
def _add_own_names() -> None:
    open_clip.add_model_config(OWN_CONFIGS)


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
def loading(name: str, config: Config | None = None, *, fetches: bool = False) -> Iterator[None]:
    """What goes wrong in here as one line: open_clip, torch, the hub… have errors of their own.

    Args:
        name: of the model.
        config: its ``model_cfg``, which says whose tokenizer and text tower it wants.
        fetches: whether the hub may be asked, as for names that lie there, and not only its cache
            looked into.
    """
    was_offline = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = was_offline or not (fetches or name.startswith("hf-hub:"))
    try:
        with quiet_open_clip():
            yield
    except BaseException as error:
        # The tokenizers' panics in Rust are no `Exception`.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if lacking_memory(error):
            raise
        raise _in_words(name, config or {}, error) from error
    finally:
        hub.HF_HUB_OFFLINE = was_offline


def _in_words(name: str, config: Config, error: BaseException) -> HnclipError:
    text = config.get("text_cfg", {})
    theirs = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    is_absent = "connect" in str(error).lower() and "huggingface.co" in str(error)
    if is_absent and theirs:
        return HnclipError(
            f"its tokenizer {theirs} is not in the cache of the Hugging Face hub",
            where=name,
            hint=f"hf download {theirs} --include '*.json' --include '*.model'",
        )
    reason = shown(_reason(error), 120) or type(error).__name__
    return HnclipError(
        f"model cannot be loaded ({reason})",
        where=name,
        hint="hnclip train to make a folder, or another --pretrained",
    )


def _reason(error: BaseException) -> str:
    """What an error says; of weights that do not fit, which torch lists all, the first."""
    if "Internet connection" in str(error):
        return "it is not in the cache of the Hugging Face hub, which cannot be reached"
    heading, *rest = str(error).splitlines() or [""]
    if "loading state_dict" not in heading or not rest:
        return str(error)
    first = rest[0].strip().partition(", ")[0].replace("in state_dict: ", "")
    return f"the weights are not of this model: {first}"


@contextlib.contextmanager
def quiet_open_clip() -> Iterator[None]:
    """open_clip and the hub log and warn at every step of loading; only errors matter here."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(level)
