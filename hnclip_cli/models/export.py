"""A model written as transformers' ``CLIPModel`` and ``CLIPProcessor`` read it."""

import json
import os
from collections.abc import Mapping
from typing import Any

from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.load import check_finite
from hnclip_cli.models.loading.clip_names import from_transformers, is_transformers, to_transformers
from hnclip_cli.models.loading.config import Config
from hnclip_cli.models.tensors import write_tensors
from hnclip_cli.streams.outputs import atomic_output, naming

_START, _END = "<|startoftext|>", "<|endoftext|>"  # open_clip calls the same tokens differently


def export(clip: Clip, folder: str) -> None:
    """Write a model for transformers' ``CLIPModel``, with tokenizer and preprocessing.

    `load_clip` reads the folder, too. Features of both are the same to 1e-5.

    Raises:
        HnclipError: the architecture is not that of a ``CLIPModel`` (a ViT with a class token, a
            causal text tower, CLIP's tokenizer), weights are not finite, or the folder cannot be
            written.
    """
    weights = _weights(clip)
    check_finite(clip.module, folder, "an earlier checkpoint")
    with naming(folder):
        os.makedirs(folder, exist_ok=True)
    tokenizer: Any = clip.tokenizer
    with atomic_output(os.path.join(folder, "model.safetensors"), follow_links=False) as stream:
        write_tensors(stream, weights, {"format": "pt"})
    _write(
        folder, "merges.txt", "\n".join(["#version: 0.2", *map(" ".join, tokenizer.bpe_ranks), ""])
    )
    names = {tokenizer.sot_token_id: _START, tokenizer.eot_token_id: _END}
    vocabulary = {names.get(number, token): number for token, number in tokenizer.encoder.items()}
    specials = {"bos_token": _START, "eos_token": _END, "unk_token": _END, "pad_token": _END}
    length = tokenizer.context_length
    for name, content in {
        "vocab.json": vocabulary,
        "tokenizer_config.json": {
            "tokenizer_class": "CLIPTokenizer", "model_max_length": length, **specials,
        },
        "config.json": _config(clip, tokenizer),
        "preprocessor_config.json": _preprocessing(clip),
    }.items():  # fmt: skip
        _write(folder, name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _weights(clip: Clip) -> dict[str, Tensor]:
    ours = clip.module.state_dict()
    text, vision = clip.model_config["text_cfg"], clip.model_config["vision_cfg"]
    norms = {name for side in (text, vision) for name in side.get("norm_kwargs", {})}
    unknown = (text.keys() | vision.keys()) - _KNOWN or norms - {"eps"}
    fits = type(clip.tokenizer) is SimpleTokenizer and not unknown
    found = to_transformers(ours) if fits else {}
    shortest = clip.module.visual.preprocess_cfg.get("resize_mode", "shortest") == "shortest"
    if not (is_transformers(found) and shortest) or from_transformers(found).keys() != ours.keys():
        raise HnclipError(
            "the architecture is not that of transformers' CLIPModel",
            expected="a ViT with a class token, a causal text tower, CLIP's tokenizer",
            hint="open_clip with local-dir:, for what train wrote",
        )
    return found


# What a configuration may say; anything else changes what the weights do.
_KNOWN = {
    "context_length", "vocab_size", "width", "heads", "layers", "head_width", "mlp_ratio",
    "patch_size", "image_size", "norm_kwargs",
}  # fmt: skip


def _config(clip: Clip, tokenizer: Any) -> Config:
    text = {"heads": 8, "layers": 12, "mlp_ratio": 4.0} | clip.model_config["text_cfg"]
    vision = {"head_width": 64, "layers": 12, "mlp_ratio": 4.0} | clip.model_config["vision_cfg"]
    act = "quick_gelu" if clip.model_config.get("quick_gelu") else "gelu"
    state = clip.module.state_dict()
    text_width, image_width = (
        state["ln_final.weight"].numel(),
        state["visual.ln_post.weight"].numel(),
    )
    size = clip.module.visual.image_size
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": clip.embed_dim,
        "text_config": _tower(text, text_width, text["heads"], act) | {
            "max_position_embeddings": len(state["positional_embedding"]),
            "vocab_size": len(state["token_embedding.weight"]),
            "bos_token_id": tokenizer.sot_token_id,
            "eos_token_id": tokenizer.eot_token_id,
            "pad_token_id": tokenizer.eot_token_id,
        },
        "vision_config": _tower(vision, image_width, image_width // vision["head_width"], act) | {
            "patch_size": state["visual.conv1.weight"].shape[-1],
            "image_size": size[0] if isinstance(size, (tuple, list)) else size,
        },
    }  # fmt: skip


def _tower(side: Mapping[str, Any], width: int, heads: int, act: str) -> Config:
    return {
        "hidden_size": width,
        "intermediate_size": int(width * side["mlp_ratio"]),
        "num_hidden_layers": side["layers"],
        "num_attention_heads": heads,
        "hidden_act": act,
        "layer_norm_eps": side.get("norm_kwargs", {}).get("eps", 1e-5),
    }


def _preprocessing(clip: Clip) -> Config:
    given: Any = clip.module.visual.preprocess_cfg
    size = given["size"][0] if isinstance(given["size"], (tuple, list)) else given["size"]
    return {
        "image_processor_type": "CLIPImageProcessor",
        "image_mean": list(given["mean"]), "image_std": list(given["std"]),
        "resample": 2 if given["interpolation"] == "bilinear" else 3,
        "size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size},
        "do_resize": True, "do_center_crop": True, "do_normalize": True, "do_rescale": True,
        "do_convert_rgb": True,
    }  # fmt: skip


def _write(folder: str, name: str, text: str) -> None:
    with atomic_output(os.path.join(folder, name), follow_links=False) as stream:
        stream.write(text.encode())
