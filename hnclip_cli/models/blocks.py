"""open_clip's transformer blocks on packed rows, of texts and images alike."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hnclip_cli.models.device import autocast_dtype, is_gpu
from hnclip_cli.models.kernels import is_right


@dataclass(frozen=True)
class Packing:
    """How packed rows make up sequences.

    A row may stand in several sequences, where all that it attends to is the same.
    """

    # Attention within sequences, from queries, keys and values (P, 3·width) and ``num_heads`` to
    # (T, width), at T positions.
    attend: Callable[..., Tensor]
    # (P,) for each packed row a position of the T where its attention is read; None: at its own.
    sources: Tensor | None
    last: Tensor  # (n,) the packed rows that are wanted of the last block
    # Of every sequence, where all are of one length and each row attends to all of its own.
    length: int | None = None


def can_run(transformer: Any) -> bool:
    """Whether `run_blocks` computes what the transformer's own forward does.

    It knows open_clip's plain block. Custom blocks, attention that was replaced (by an adapter,
    say), dropout, and hooks, which expect whole sequences, are left to the transformer itself.
    """
    return not has_hooks(transformer) and all(map(_is_plain, transformer.resblocks))


def _is_plain(block: nn.Module) -> bool:
    attention = getattr(block, "attn", None)
    return (
        type(block) is ResidualAttentionBlock
        and isinstance(attention, nn.MultiheadAttention)
        and attention.in_proj_weight is not None
        and isinstance(attention.out_proj, nn.Linear)
        and attention.bias_k is None
        and not attention.add_zero_attn
        and not (attention.training and attention.dropout)
        and not has_hooks(block)
        and not has_hooks(attention)
    )


def has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def run_blocks(transformer: Any, x: Tensor, packing: Packing) -> Tensor:
    """Run the blocks on packed rows, (P, width), down to the rows that are wanted, (n, width).

    Norms, projections and MLPs see every row once; attention alone sees sequences. In the last
    block only the wanted rows go on behind the attention.
    """
    blocks = list(transformer.resblocks)
    again = transformer.grad_checkpointing and torch.is_grad_enabled()
    call = partial(checkpoint, use_reentrant=False) if again else call_once
    dtype = autocast_dtype(x.device)
    if dtype and is_gpu(x.device) and _can_fuse(x.device):
        from hnclip_cli.models import fused

        if all(map(fused.is_known, blocks)):
            return fused.run_blocks(blocks, x, packing, dtype, call)
    for block in blocks:
        x = call(run_block, block, x, packing, packing.last if block is blocks[-1] else None)
    return x


@cache
def _can_fuse(device: torch.device) -> bool:
    def error(device: torch.device) -> float:
        from hnclip_cli.models.fused import error_of

        return error_of(device)

    return is_right("the running of blocks in few kernels", device, error)


def call_once(function: Callable[..., Any], *args: Any) -> Any:
    """What `checkpoint` does where nothing is computed again."""
    return function(*args)


def run_block(block: Any, x: Tensor, packing: Packing, keep: Tensor | None) -> Tensor:
    attention = block.attn
    qkv = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
    context = gather(packing.attend(qkv, num_heads=attention.num_heads), packing, keep)
    if keep is not None:
        x = x.index_select(0, keep)
    x = x + block.ls_1(attention.out_proj(context))
    return cast(Tensor, x + block.ls_2(block.mlp(block.ln_2(x))))


def gather(context: Tensor, packing: Packing, keep: Tensor | None) -> Tensor:
    """Attention at T positions to that of each packed row, or of each that is kept."""
    rows = packing.sources
    if keep is not None:
        rows = keep if rows is None else rows[keep]
    return context if rows is None else context.index_select(0, rows)
