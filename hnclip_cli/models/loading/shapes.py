"""Whether weights fit a configuration, found before memory is taken for the model."""

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import open_clip
import torch
from open_clip.coca_model import CoCa
from open_clip.model import CLIP, CustomTextCLIP, convert_to_custom_text_state_dict
from safetensors import SafetensorError, safe_open

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.meta import uncompiled

Shape = tuple[int, ...]
IMAGE_POSITIONS = "visual.positional_embedding"


def build_on_meta(source: str, changes: Mapping[str, Any] | None = None) -> Any:
    """A model without memory for its weights, on torch's ``meta`` device.

    Args:
        source: a name or schema of open_clip.
        changes: of its configuration.

    Raises whatever open_clip does where its configuration describes none that can be built.
    """
    config = open_clip.get_model_config(source) | dict(changes or {})
    for tower in ("vision_cfg", "text_cfg"):
        config[tower].pop("timm_model_pretrained", None)
    if config["text_cfg"].get("hf_model_name"):
        config["text_cfg"]["hf_model_pretrained"] = False
    is_custom = config.pop("custom_text", False) or config["text_cfg"].get("hf_model_name")
    kind = CustomTextCLIP if is_custom else CLIP
    if is_custom and "multimodal_cfg" in config:
        kind = CoCa
    with uncompiled(), torch.device("meta"):
        return kind(**config)


def shapes_of(path: str) -> dict[str, Shape]:
    """The shape of each tensor in a safetensors file; `HnclipError` where it is none."""
    try:
        with safe_open(path, framework="pt") as stream:
            names = stream.keys()
            return {name: tuple(stream.get_slice(name).get_shape()) for name in names}
    except (SafetensorError, OSError) as error:
        raise HnclipError(f"not a safetensors file ({error})", where=path) from None


def check_fit(
    module: Any, shapes: Mapping[str, Shape], where: str, *, may_resize: bool = False
) -> str:
    """Refuse weights of another model: tensors of other names or shapes.

    Args:
        module: the model, perhaps on ``meta``.
        shapes: of the weights, by their names.
        where: what messages name.
        may_resize: whether positions of images may be more or fewer, which open_clip interpolates.

    Returns:
        What will be interpolated, in words, or nothing.

    Raises:
        HnclipError: the first tensor that differs, or a model of far more numbers.
    """
    resized = ""
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    promised, given = (sum(map(prod, found.values())) for found in (expected, shapes))
    if promised > 2 * given:  # before the names: a model without end has names without end
        raise HnclipError(
            "the configuration is not that of the weights",
            where=where,
            got=f"a model of {promised:,} numbers",
            expected=f"about the {given:,} of the weights",
        )
    given_names = _renamed(shapes, expected)
    for name, shape in given_names.items():
        wanted = expected.get(name, shape)
        if shape == wanted or name.startswith("logit_"):
            continue
        if may_resize and name == IMAGE_POSITIONS and shape[1:] == wanted[1:] != ():
            resized = f"positions of images are interpolated, from {shape[0]} to {wanted[0]}"
        else:
            raise HnclipError(
                "the weights are not of this model",
                where=where,
                got=f"{name} of {_sides(shape)}",
                expected=_sides(wanted),
            )
    _check_names(expected, given_names, where)
    return resized


def _check_names(expected: Iterable[str], given: Iterable[str], where: str) -> None:
    """open_clip does without a bias of logits, and the numbers of positions of transformers.

    torch does without the number of batches that batch normalization has seen, which locked
    towers do not have.
    """
    is_timm = any(name.startswith("visual.trunk.") for name in expected)
    if is_timm and any(name.startswith("image_encoder.") for name in given):
        return  # the names of MobileCLIP's authors, which open_clip knows
    missing = sorted(
        name
        for name in set(expected) - set(given) - {"logit_bias"}
        if not name.endswith(".num_batches_tracked")
    )
    more = sorted(name for name in set(given) - set(expected) if not name.endswith("_ids"))
    if missing or more:
        raise HnclipError(
            "the weights are not of this model",
            where=where,
            got=f"no {missing[0]}" if missing else f"{more[0]} besides what it has",
        )


def _renamed(shapes: Mapping[str, Shape], expected: Mapping[str, Shape]) -> Mapping[str, Shape]:
    """The names of a text tower that stands apart, as open_clip gives them to older weights."""
    if "positional_embedding" in shapes and "positional_embedding" not in expected:
        renamed: Mapping[str, Shape] = convert_to_custom_text_state_dict(dict(shapes))
        return renamed
    return shapes


def _sides(shape: Shape) -> str:
    return " × ".join(map(str, shape)) or "one number"
