"""What of a model is trained: locked towers, LoRA, and interpolation with the start."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from open_clip.model import _build_text_tower
from open_clip.utils import freeze_batch_norm_2d
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.device import manual_seed

Tower = Literal["image", "text"]
TOWERS: tuple[Tower, ...] = ("image", "text")


def lock(module: Any, tower: Tower) -> None:
    """Freeze all of a tower: weights, projection, and the statistics of batch normalization.

    open_clip's ``lock_image_tower`` and ``lock_text_tower`` leave the projection of a timm or
    Hugging Face tower trainable. ``logit_scale`` and ``logit_bias`` belong to neither tower.
    """
    for name, parameter in module.named_parameters():
        of_image = name.startswith("visual.")
        if of_image == (tower == "image") and not name.startswith("logit_"):
            parameter.requires_grad_(False)
    if tower == "image":
        _freeze_batch_norm(module)


@torch.no_grad()
def renew_text_tower(clip: Clip, seed: str) -> list[nn.Parameter]:
    """Give the text tower the random weights that a new model has, in place.

    Args:
        seed: of the weights, which are the same on every device.

    Returns:
        The parameters.

    Raises:
        HnclipError: it is a tower of transformers, which begins with weights of the hub.
    """
    config = clip.model_config
    if config["text_cfg"].get("hf_model_name"):
        raise HnclipError(
            "this text tower cannot be made anew",
            got="a tower of transformers",
            expected="one of open_clip's own",
            hint="--model ViT-B-32",
        )
    with torch.random.fork_rng(devices=[]):
        manual_seed(seed)
        fresh = _build_text_tower(
            config["embed_dim"], dict(config["text_cfg"]), bool(config.get("quick_gelu"))
        )
    holder = getattr(clip.module, "text", clip.module)
    parameters = dict(holder.named_parameters())
    for name, parameter in fresh.named_parameters():
        parameters[name].copy_(parameter)
    return [parameters[name] for name, _ in fresh.named_parameters()]


@torch.no_grad()
def interpolate(module: nn.Module, start: Mapping[str, Tensor], alpha: float) -> None:
    """(1 − α)·start + α·fine-tuned, for every weight and statistic, in place; α is 0 to 1.

    WiSE-FT (Wortsman et al., CVPR 2022). α = 1 keeps the fine-tuned weights and α = 0 gives the
    start, both bit for bit. Counters stay as they are. The module has no LoRA; ``start`` is its
    state dict before fine-tuning.
    """
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.lerp(start[name].to(tensor), tensor, alpha))


class LowRank(nn.Module):
    """W ↦ W + B·A, for each of the parts that W is stacked from."""

    def __init__(self, weight: Tensor, parts: int, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape
        down = torch.empty(parts, rank, columns)
        for part in down:
            nn.init.kaiming_uniform_(part, a=math.sqrt(5), generator=generator)
        # A, (parts, rank, columns), random as in `nn.Linear`.
        self.down = nn.Parameter(down.to(weight))
        # B, (parts, rows of a part, rank), zeros: the first step starts from W itself.
        self.up = nn.Parameter(weight.new_zeros(parts, rows // parts, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).flatten(0, 1)


def add_lora(module: Any, rank: int, *, seed: int = 0) -> None:
    """Train low-rank changes of the linear maps, ``logit_scale`` and ``logit_bias``, nothing else.

    Low-rank adaptation (Hu et al., ICLR 2022) as parametrizations: the towers' code reads a
    weight and gets W + B·A. Adapted are every `nn.Linear` and every
    ``in_proj_weight`` of both towers, whose query, key and value maps each get a change of their
    own. Weights that are frozen already, such as those of a locked tower, stay as they are.

    Args:
        module: an open_clip model.
        rank: r, from 1.
        seed: of A; the same on every rank of a run.

    Raises:
        HnclipError: there is LoRA already, or nothing to adapt.
    """
    if rank < 1:
        raise HnclipError("no such rank of LoRA", got=str(rank), expected="1 or more")
    if any(parametrize.is_parametrized(part) for part in module.modules()):
        raise HnclipError("the model has LoRA already", hint="merging it first")
    targets = list(_linear_maps(module))
    if not targets:
        raise HnclipError("no linear map is left to adapt", hint="LoRA without locking both towers")
    logits = [p for n, p in module.named_parameters() if n.startswith("logit_") and p.requires_grad]
    module.requires_grad_(False)
    for parameter in logits:
        parameter.requires_grad_()
    _freeze_batch_norm(module)
    generator = torch.Generator().manual_seed(seed)
    for owner, name, parts in targets:
        change = LowRank(getattr(owner, name), parts, rank, generator)
        parametrize.register_parametrization(owner, name, change)


def merged_state_dict(module: nn.Module) -> dict[str, Tensor]:
    """The state dict of the model with its LoRA merged; the model keeps its LoRA.

    This is what a checkpoint holds. To go on training, `add_lora` and load ``state_dict()``.
    """
    merged = {}
    for name, tensor in module.state_dict().items():
        path, is_changed, rest = name.rpartition("parametrizations.")
        if not is_changed:
            merged[name] = tensor
        elif rest.endswith(".original"):
            weight = rest.removesuffix(".original")
            owner = module.get_submodule(path.removesuffix("."))
            merged[path + weight] = getattr(owner, weight).detach()
    return merged


def _freeze_batch_norm(module: Any) -> None:
    with torch.device(module.logit_scale.device):  # on meta no other tensor can take its place
        freeze_batch_norm_2d(module)


def _linear_maps(module: nn.Module) -> Iterator[tuple[nn.Module, str, int]]:
    """(owner, name of the weight, of how many maps it is stacked), where the weight trains."""
    for owner in module.modules():
        for name, weight in owner.named_parameters(recurse=False):
            if not weight.requires_grad:
                continue
            if name == "in_proj_weight":
                yield owner, name, 3
            elif name in {"q_proj_weight", "k_proj_weight", "v_proj_weight"} or (
                name == "weight" and isinstance(owner, nn.Linear)
            ):
                yield owner, name, 1
