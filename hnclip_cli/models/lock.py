"""Keep a tower, or the way back to where training started."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from open_clip.utils import freeze_batch_norm_2d
from torch import Tensor, nn

from hnclip_cli.errors import HnclipError

Tower = Literal["image", "text"]


def lock(module: Any, tower: Tower) -> None:
    """Freeze all of a tower: weights, projection, and the statistics of batch normalization.

    open_clip's ``lock_image_tower`` and ``lock_text_tower`` leave the projection of a timm or
    Hugging Face tower trainable, so only their way of freezing statistics is used.

    Args:
        module: an open_clip model.
        tower: which. ``logit_scale`` and ``logit_bias`` belong to neither.
    """
    for name, parameter in module.named_parameters():
        of_image = name.startswith("visual.")
        if of_image == (tower == "image") and not name.startswith("logit_"):
            parameter.requires_grad_(False)
    if tower == "image":
        freeze_batch_norm(module)


def freeze_batch_norm(module: nn.Module) -> None:
    """Batch normalization by the statistics that are there, also in training; in place."""
    freeze_batch_norm_2d(module)


@torch.no_grad()
def interpolate(module: nn.Module, start: Mapping[str, Tensor], alpha: float) -> None:
    """(1 − α)·start + α·fine-tuned, for every weight and statistic, in place.

    WiSE-FT (Wortsman et al., CVPR 2022). α = 1 keeps the fine-tuned weights and α = 0 gives the
    start, both bit for bit. Counters stay as they are.

    Args:
        module: the fine-tuned model, without LoRA (merge it before).
        start: the state dict of the model before fine-tuning.
        alpha: α, 0 to 1.

    Raises:
        HnclipError: α out of range, or the start is another model.
    """
    if not 0 <= alpha <= 1:
        raise HnclipError("no such mixture of weights", got=f"α = {alpha}", expected="0 to 1")
    state = module.state_dict()
    for name, tensor in state.items():
        found = tuple(start[name].shape) if name in start else None
        if found != tuple(tensor.shape):
            raise HnclipError(
                f"the start is another model: {name} does not fit",
                got=f"shape {found}" if found else "no such weight",
                expected=f"shape {tuple(tensor.shape)}",
            )
    for name, tensor in state.items():
        if tensor.is_floating_point():
            tensor.copy_(torch.lerp(start[name].to(tensor), tensor, alpha))
