"""Low-rank adaptation (Hu et al., ICLR 2022) of both towers, as parametrizations of their weights.

The towers' code stays as it is: it reads a weight and gets W + (alpha/rank)·B·A. That reaches
``in_proj_weight`` too, which `nn.MultiheadAttention` holds as a parameter of its own and not in a
layer that could be replaced.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.lock import freeze_batch_norm


class LowRank(nn.Module):
    """W ↦ W + (alpha/rank)·B·A, for each of the parts that W is stacked from.

    Attributes:
        down: A, (parts, rank, columns), random as in `nn.Linear`.
        up: B, (parts, rows of a part, rank), zeros: the first step starts from W itself.
    """

    def __init__(
        self, weight: Tensor, parts: int, rank: int, alpha: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.factor = alpha / rank
        down = torch.empty(parts, rank, columns)
        for part in down:
            nn.init.kaiming_uniform_(part, a=math.sqrt(5), generator=generator)
        self.down = nn.Parameter(down.to(weight))
        self.up = nn.Parameter(weight.new_zeros(parts, rows // parts, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.factor * (self.up @ self.down).flatten(0, 1)


def add_lora(module: Any, rank: int, alpha: float | None = None, *, seed: int = 0) -> None:
    """Train low-rank changes of the linear maps, and ``logit_scale``; freeze everything else.

    Adapted are the attention's query, key, value and output maps, each by a change of its own,
    and the MLPs: every `nn.Linear` and every ``in_proj_weight`` of both towers. Convolutions,
    embeddings, norms and their statistics are frozen. Weights that are frozen already, such as
    those of a locked tower, stay as they are.

    Args:
        module: an open_clip model.
        rank: r, from 1.
        alpha: the changes are scaled by alpha / rank; the rank by default.
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
    scale_trains = module.logit_scale.requires_grad
    module.requires_grad_(False)
    module.logit_scale.requires_grad_(scale_trains)
    freeze_batch_norm(module)
    alpha = rank if alpha is None else alpha
    generator = torch.Generator().manual_seed(seed)
    for owner, name, parts in targets:
        change = LowRank(getattr(owner, name), parts, rank, alpha, generator)
        parametrize.register_parametrization(owner, name, change)


def merge_lora(module: nn.Module) -> None:
    """Make the changes part of the weights, in place; a model without LoRA stays as it is."""
    for owner in list(module.modules()):
        if parametrize.is_parametrized(owner):
            for name in list(owner.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(owner, name, leave_parametrized=True)


def merged_state_dict(module: nn.Module) -> dict[str, Tensor]:
    """The state dict that the model would have after `merge_lora`; the model keeps its LoRA.

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
