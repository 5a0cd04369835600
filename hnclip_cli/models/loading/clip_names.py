"""CLIP as transformers keeps it: names of the weights, and the configuration, for open_clip."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.loading.config import Config

_Pair = tuple[str, str]
# A name in transformers, and its name in open_clip.
_PARTS = (
    ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ("vision_model.embeddings.patch_embedding.", "visual.conv1."),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.pre_layrnorm.", "visual.ln_pre."),
    ("vision_model.post_layernorm.", "visual.ln_post."),
    ("vision_model.encoder.layers.", "visual.transformer.resblocks."),
    ("text_model.embeddings.token_embedding.", "token_embedding."),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.encoder.layers.", "transformer.resblocks."),
    ("text_model.final_layer_norm.", "ln_final."),
    ("visual_projection.weight", "visual.proj"),
    ("text_projection.weight", "text_projection"),
    ("logit_scale", "logit_scale"),
)
_LAYER = (
    ("layer_norm1.", "ln_1."),
    ("layer_norm2.", "ln_2."),
    ("mlp.fc1.", "mlp.c_fc."),
    ("mlp.fc2.", "mlp.c_proj."),
    ("self_attn.out_proj.", "attn.out_proj."),
)
_QUERY = re.compile(r"(.*)self_attn\.q_proj\.(weight|bias)")
_TRANSPOSED = ("visual.proj", "text_projection")


def is_transformers(names: Mapping[str, Any] | set[str]) -> bool:
    """Whether weights have the names that transformers' ``CLIPModel`` gives them."""
    return "vision_model.embeddings.class_embedding" in names


def from_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a ``CLIPModel`` with the names and shapes of open_clip's ``CLIP``."""
    found = {}
    for name, tensor in tensors.items():
        if name.endswith("position_ids") or re.search(r"self_attn\.[kv]_proj", name):
            continue
        if query := _QUERY.fullmatch(name):
            path, kind = query.groups()
            name = f"{path}attn.in_proj_{kind}"
            tensor = torch.cat([tensors[f"{path}self_attn.{x}_proj.{kind}"] for x in "qkv"])
        name = _renamed(name, _PARTS, _LAYER)
        found[name] = tensor.T if name in _TRANSPOSED else tensor
    return found


def _renamed(name: str, parts: Iterable[_Pair], layer: Iterable[_Pair]) -> str:
    """A name with its beginning and the parts of a layer as the second of each pair says."""
    for before, after in parts:
        if name.startswith(before):
            rest = name.removeprefix(before)
            for part, other in layer:
                rest = rest.replace(part, other)
            return after + rest
    return name


def to_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `from_transformers`."""
    found = {}
    parts, layer = ([(ours, theirs) for theirs, ours in pairs] for pairs in (_PARTS, _LAYER))
    for name, tensor in tensors.items():
        theirs = _renamed(name, parts, layer)
        if name in _TRANSPOSED:
            tensor = tensor.T.contiguous()
        if joined := re.fullmatch(r"(.*)attn\.in_proj_(weight|bias)", theirs):
            path, kind = joined.groups()
            for x, part in zip("qkv", tensor.chunk(3), strict=True):
                found[f"{path}self_attn.{x}_proj.{kind}"] = part
        else:
            found[theirs] = tensor
    return found


def config_from_transformers(config: Mapping[str, Any], where: str) -> Config:
    """open_clip's configuration of a ``CLIPModel``, from its ``config.json``; it is not checked.

    What the file leaves out has the values of ViT-B-32, as in transformers.

    Raises:
        HnclipError: it is of another architecture.
    """
    if not isinstance(config, dict) or config.get("model_type") != "clip":
        kind = config.get("model_type") if isinstance(config, dict) else None
        raise HnclipError(
            "not a CLIP of transformers",
            where=where,
            got=f"model_type {kind!r}",
            expected="clip, or open_clip_config.json beside it",
        )
    text, vision = (_section(config, name) for name in ("text_config", "vision_config"))
    acts = {side.get("hidden_act", "quick_gelu") for side in (text, vision)}
    if not (acts <= {"quick_gelu"} or acts <= {"gelu"}):
        raise HnclipError(
            "activations that open_clip has not",
            where=where,
            got=", ".join(sorted(map(str, acts))),
            expected="quick_gelu or gelu",
        )
    vision_cfg = _tower(vision, 768, 3072, 12)
    heads = vision.get("num_attention_heads", 12)
    if type(heads) is int and heads > 0 and vision_cfg["width"]:
        vision_cfg["head_width"] = vision_cfg["width"] // heads
    vision_cfg |= {name: vision.get(name, size) for name, size in _SIZES}
    text_cfg = _tower(text, 512, 2048, 12)
    text_cfg |= {
        "heads": text.get("num_attention_heads", 8),
        "context_length": text.get("max_position_embeddings", 77),
        "vocab_size": text.get("vocab_size", 49408),
    }
    return {
        "embed_dim": config.get("projection_dim", 512),
        "quick_gelu": acts <= {"quick_gelu"},
        "vision_cfg": vision_cfg,
        "text_cfg": text_cfg,
    }


def preprocess_from_transformers(images: Any) -> Config:
    """open_clip's ``preprocess_cfg`` from a ``preprocessor_config.json``, if there is one."""
    images = images if isinstance(images, dict) else {}
    interpolation = {"2": "bilinear", "3": "bicubic"}.get(str(images.get("resample")), "bicubic")
    given = {"mean": images.get("image_mean"), "std": images.get("image_std")}
    return {**given, "interpolation": interpolation}


_SIZES = (("patch_size", 32), ("image_size", 224))


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    # Old files keep what differs from the defaults in a section of another name.
    found = config.get(name) or config.get(f"{name}_dict") or {}
    return found if isinstance(found, dict) else {}


def _tower(side: Mapping[str, Any], width: int, inner: int, layers: int) -> Config:
    numbers = {
        name: side.get(name, size)
        for name, size in (
            ("hidden_size", width), ("intermediate_size", inner), ("num_hidden_layers", layers)
        )
    }  # fmt: skip
    if not all(type(number) is int and number > 0 for number in numbers.values()):
        return {"width": None}  # which the check of the configuration names
    found: Config = {
        "width": numbers["hidden_size"],
        "layers": numbers["num_hidden_layers"],
        "mlp_ratio": numbers["intermediate_size"] / numbers["hidden_size"],
    }
    if side.get("layer_norm_eps", 1e-5) != 1e-5:
        found["norm_kwargs"] = {"eps": side["layer_norm_eps"]}
    return found
