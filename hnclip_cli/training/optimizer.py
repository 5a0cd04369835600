"""AdamW's parameter groups and the learning rate."""

import math
from collections.abc import Iterable
from inspect import unwrap
from typing import Any

import torch
from torch import nn

MAX_LOG_SCALE = math.log(100)


class AdamW(torch.optim.AdamW):
    """torch's, whose methods ask its compiler to leave them alone: importing that takes longer than
    importing torch, and nothing is compiled here.
    """

    add_param_group = unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = unwrap(torch.optim.AdamW.zero_grad)
    step = torch.no_grad()(unwrap(torch.optim.AdamW.step))
    state_dict = unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = unwrap(torch.optim.AdamW.load_state_dict)


def make_optimizer(
    parameters: Iterable[nn.Parameter], lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """AdamW with the betas that CLIP's vision transformers were trained with.

    Gains, biases, embeddings of a position and ``logit_scale`` are not decayed (open_clip's
    rule: nothing with fewer than two dimensions).
    """
    parameters = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=lr, betas=(0.9, 0.98), eps=1e-6, fused=True)


def lr_factor(step: int, warmup_steps: int, progress: float) -> float:
    """Linear warm-up by steps from 0, then a cosine to 0 by the run's progress, 0 to 1."""
    warmup = min(1.0, (step + 1) / (warmup_steps + 1))
    return warmup * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def max_log_scale(module: Any) -> float:
    """The largest logarithm of the scale in training: CLIP's, or a loaded one that is larger."""
    return max(MAX_LOG_SCALE, float(module.logit_scale.item()))


@torch.no_grad()
def clamp_logit_scale(module: Any, largest: float) -> None:
    """Keep the logarithm of the scale from 0, a scale of 1, to the largest."""
    module.logit_scale.clamp_(0, largest)
