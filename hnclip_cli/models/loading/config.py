"""open_clip's configuration of a model, checked before anything is built from it.

A configuration comes with a model that others made, so it is data: only keys that open_clip's own
dataclasses have, only values of their types, within the bounds below, and no name that leads
anywhere but to an architecture that is installed.
"""

import dataclasses
import re
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

import open_clip
from open_clip.coca_model import MultimodalCfg
from open_clip.hf_configs import arch_dict
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from open_clip.transform import PreprocessCfg

from hnclip_cli.errors import HnclipError

Config = dict[str, Any]

MAX_WIDTH = 65_536  # and of all other whole numbers, where nothing else is said
MAX_LAYERS = 1_000
MAX_IMAGE_SIZE = 4_096
MAX_CONTEXT_LENGTH = 8_192
MAX_VOCABULARY = 1 << 22
MAX_LETTERS = 200  # of a name
MAX_POSITIONS = 1 << 27  # patches of an image times width

# What numbers may be, both ends included.
WHOLE_NUMBERS = 1, MAX_WIDTH
NUMBERS = -1_000.0, 1_000.0
BOUNDS: dict[str, tuple[float, float]] = {
    "layers": (1, MAX_LAYERS),
    "image_size": (1, MAX_IMAGE_SIZE),
    "size": (1, MAX_IMAGE_SIZE),
    "context_length": (1, MAX_CONTEXT_LENGTH),
    "vocab_size": (1, MAX_VOCABULARY),
    "pad_id": (0, MAX_VOCABULARY),
    "eos_id": (0, MAX_VOCABULARY),
    "fill_color": (0, 255),
    "mlp_ratio": (0.01, 100),
    "std": (1e-6, 1_000),
    "patch_dropout": (0, 1),
    "timm_drop": (0, 1),
    "timm_drop_path": (0, 1),
}

SECTIONS = {"vision_cfg": CLIPVisionCfg, "text_cfg": CLIPTextCfg, "multimodal_cfg": MultimodalCfg}
TOP = {
    "embed_dim": int,
    "quick_gelu": bool,
    "custom_text": bool,
    "init_logit_scale": float,
    "init_logit_bias": float | None,
    "nonscalar_logit_scale": bool,
}
CHOICES = {
    "interpolation": ("bicubic", "bilinear", "random"),
    "resize_mode": ("shortest", "longest", "squash"),
    "mode": ("RGB",),
    "pool_type": ("tok", "avg", "first", "last", "argmax", "eos", "none"),
}
# Of the dictionaries inside; open_clip hands them on to functions that take more, such as paths.
KWARGS: dict[str, dict[str, Any]] = {
    "act_kwargs": {"approximate": str},
    "norm_kwargs": {"eps": float},
    "tokenizer_kwargs": {"clean": str, "strip_sep_token": bool},
}
NULL = {"patch_size", "timm_proj"}  # that published configurations leave empty
# Of the ``config.json`` of a text tower from transformers; other keys are not read.
TOWER = {
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "hidden_act", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "layer_norm_eps", "initializer_range", "pad_token_id",
    "bos_token_id", "eos_token_id", "d_model", "d_ff", "d_kv", "num_layers", "num_heads",
    "num_decoder_layers", "relative_attention_num_buckets", "relative_attention_max_distance",
    "dropout_rate", "layer_norm_epsilon", "initializer_factor", "feed_forward_proj",
    "is_encoder_decoder", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim",
    "encoder_layerdrop", "decoder_layers", "decoder_attention_heads", "decoder_ffn_dim",
    "decoder_layerdrop", "activation_function", "activation_dropout", "attention_dropout",
    "dropout", "init_std", "scale_embedding", "decoder_start_token_id", "tie_word_embeddings",
}  # fmt: skip
_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


def check_config(config: Any, where: str) -> tuple[Config, Config]:
    """The checked ``model_cfg`` and ``preprocess_cfg`` of an ``open_clip_config.json``.

    Keys of ``preprocess_cfg`` that open_clip does not know are left out, as it does.

    Args:
        config: what the JSON holds.
        where: its place, for messages.

    Raises:
        HnclipError: an unknown key, a value of another type or beyond its bound, or a name that
            is no architecture.
    """
    model = _dictionary(config, "the file", where).get("model_cfg", config)
    model = dict(_dictionary(model, "model_cfg", where))
    checked = {}
    for name, section in SECTIONS.items():
        if name in model or name != "multimodal_cfg":
            checked[name] = _section(model.pop(name, None), name, section, where)
    checked |= _values(model, "", TOP, where)
    if "embed_dim" not in checked:
        raise HnclipError("the configuration has no embed_dim", where=where)
    _check_vision(checked["vision_cfg"], where)
    for text in (checked["text_cfg"], checked.get("multimodal_cfg", {})):
        for name in ("hf_model_name", "hf_tokenizer_name"):
            _check_hub_name(text.get(name), name, where)
    known = {field.name for field in dataclasses.fields(PreprocessCfg)}
    preprocess = _dictionary(config.get("preprocess_cfg") or {}, "preprocess_cfg", where)
    given = {key: v for key, v in preprocess.items() if key in known and v is not None}
    return checked, _section(given, "preprocess_cfg", PreprocessCfg, where)


def check_tower(config: Any, where: str) -> Config:
    """What may be read of the ``config.json`` of a text tower from transformers.

    Raises:
        HnclipError: an architecture that open_clip has no adapter for, or a value that is none.
    """
    config = _dictionary(config, "the file", where)
    if str(config.get("model_type")) not in arch_dict:
        raise _refused(
            "model_type", config.get("model_type"), f"one of {', '.join(arch_dict)}", where
        )
    checked = {"model_type": config["model_type"]}
    for name in sorted(TOWER & config.keys()):
        value = config[name]
        if isinstance(value, bool) or value is None:
            checked[name] = value
            continue
        high = MAX_LAYERS if name.endswith("layers") else MAX_VOCABULARY
        if not _fits(value, str if isinstance(value, str) else float, (0, high)):
            raise _refused(name, value, f"a text, or a number from 0 to {high:g}", where)
        checked[name] = value
    return checked


def _section(values: Any, name: str, section: type, where: str) -> Config:
    hints = get_type_hints(section)
    for field in dataclasses.fields(section):
        if field.default is None or field.name in NULL:
            hints[field.name] = hints[field.name] | None
    return _values(_dictionary(values, name, where), f"{name}.", hints, where)


def _values(values: Mapping[str, Any], path: str, hints: Mapping[str, Any], where: str) -> Config:
    checked: Config = {}
    for name, value in values.items():
        if name not in hints:
            raise HnclipError(
                f"the configuration has a key that open_clip {open_clip.__version__} does not know",
                where=where,
                got=repr(f"{path}{name}"),
                hint="removing it, if it changes nothing, or another model",
            )
        if not _fits(value, hints[name], BOUNDS.get(name)):
            expected = _expectation(hints[name], BOUNDS.get(name))
            raise _refused(f"{path}{name}", value, expected, where)
        if value not in CHOICES.get(name, (value,)):
            raise _refused(f"{path}{name}", value, f"one of {', '.join(CHOICES[name])}", where)
        if isinstance(value, dict):
            value = _values(value, f"{path}{name}.", KWARGS[name], where)
        checked[name] = value
    return checked


def _fits(value: Any, hint: Any, bounds: tuple[float, float] | None) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, option, bounds) for option in get_args(hint))
    if get_origin(hint) is tuple:
        items = get_args(hint)
        count = 3 if items[-1] is ... else len(items)  # an open end: a number a color
        return (
            isinstance(value, list)
            and len(value) == count
            and all(_fits(item, items[0], bounds) for item in value)
        )
    if hint in (int, float):
        low, high = bounds or (WHOLE_NUMBERS if hint is int else NUMBERS)
        kinds = (int,) if hint is int else (int, float)
        return type(value) in kinds and low <= value <= high  # NaN is not
    return isinstance(value, hint) and not (hint is str and len(value) > MAX_LETTERS)


def _expectation(hint: Any, bounds: tuple[float, float] | None) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_expectation(option, bounds) for option in get_args(hint))
    if get_origin(hint) is tuple:
        items = get_args(hint)
        count = 3 if items[-1] is ... else len(items)
        return f"a list of {count}, each {_expectation(items[0], bounds)}"
    if hint in (int, float):
        low, high = bounds or (WHOLE_NUMBERS if hint is int else NUMBERS)
        return f"{'a whole number' if hint is int else 'a number'} from {low:g} to {high:g}"
    words = {bool: "true or false", str: "a short text", dict: "an object", type(None): "null"}
    return words[hint]


def _check_vision(vision: Config, where: str) -> None:
    name = vision.get("timm_model_name")
    if name is not None:
        import timm  # which is large

        if not (name.isascii() and timm.is_model(name.partition(".")[0])):
            raise _refused(
                "vision_cfg.timm_model_name", name, "a model of the timm installed", where
            )
    settings = dataclasses.asdict(CLIPVisionCfg()) | vision
    sides = settings["image_size"]
    height, width = sides if isinstance(sides, list) else (sides, sides)
    patch = settings["patch_size"] or 1
    if (height // patch) * (width // patch) * settings["width"] > MAX_POSITIONS and not name:
        limit = f"at most {MAX_POSITIONS} patches times width"
        raise _refused("vision_cfg.image_size", sides, limit, where)
    widest = settings["width"] * (32 if isinstance(settings["layers"], list) else 1)
    if settings["head_width"] > widest and not name:
        limit = "a head no wider than the tower"
        raise _refused("vision_cfg.head_width", settings["head_width"], limit, where)


def _check_hub_name(name: Any, key: str, where: str) -> None:
    if name and (not _HUB_NAME.fullmatch(name) or ".." in name):
        raise _refused(f"text_cfg.{key}", name, "the name of a model, as in org/name", where)


def _dictionary(value: Any, name: str, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _refused(name, value, "an object", where)
    return value


def _refused(name: str, value: Any, expected: str, where: str) -> HnclipError:
    return HnclipError(
        "bad model configuration", where=where, got=f"{name} = {value!r}", expected=expected
    )
