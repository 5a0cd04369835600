"""open_clip's transformer blocks on packed tokens: no row for padding, none twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Group:
    """Sequences that attend side by side.

    Attributes:
        shape: (sequences, length of the longest).
        mask: (sequences, 1, length, length) bool, what each position may attend to; None is
            causal.
    """

    shape: tuple[int, int]
    mask: Tensor | None = None


@dataclass(frozen=True)
class Packing:
    """How packed rows make up sequences.

    A row may stand in several sequences, where all that it attends to is the same.

    Attributes:
        groups: the sequences, T positions in all.
        rows: (T,) the packed row at each position, group by group.
        sources: (P,) for each packed row a position of the T where its attention is read.
        last: (n,) the packed rows that are wanted of the last block.
    """

    groups: Sequence[Group]
    rows: Tensor
    sources: Tensor
    last: Tensor


def can_pack(transformer: Any) -> bool:
    """Whether `run_packed` computes what the transformer's own forward does.

    It knows open_clip's plain block. Custom blocks, attention that was replaced (by an adapter,
    say), dropout, and hooks, which expect whole sequences, are left to the transformer itself.
    """
    return not has_hooks(transformer) and all(map(is_plain_block, transformer.resblocks))


def is_plain_block(block: nn.Module) -> bool:
    """Whether a block is open_clip's plain one, with nothing replaced or hooked into it."""
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


def run_packed(transformer: Any, x: Tensor, packing: Packing) -> Tensor:
    """Run the blocks on packed rows, (P, width), down to the rows that are wanted, (n, width).

    Norms, projections and MLPs see every row once; attention alone sees sequences. In the last
    block only the wanted rows go on behind the attention.
    """
    blocks = list(transformer.resblocks)
    for block in blocks:
        keep = packing.last if block is blocks[-1] else None
        if transformer.grad_checkpointing and torch.is_grad_enabled():
            x = checkpoint(_run_block, block, x, packing, keep, use_reentrant=False)
        else:
            x = _run_block(block, x, packing, keep)
    return x


def _run_block(block: Any, x: Tensor, packing: Packing, keep: Tensor | None) -> Tensor:
    attention = block.attn
    qkv = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
    sources = packing.sources
    if keep is not None:
        x, sources = x.index_select(0, keep), sources[keep]
    context = _attend(qkv, attention.num_heads, packing).index_select(0, sources)
    x = x + block.ls_1(attention.out_proj(context))
    return cast(Tensor, x + block.ls_2(block.mlp(block.ln_2(x))))


def _attend(qkv: Tensor, num_heads: int, packing: Packing) -> Tensor:
    """Attention within sequences: packed (P, 3·width) to (T, width)."""
    outputs = []
    sizes = [count * length for count, length in (group.shape for group in packing.groups)]
    spread = qkv.index_select(0, packing.rows)
    for group, part in zip(packing.groups, torch.split(spread, sizes), strict=True):
        heads = part.view(*group.shape, 3, num_heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind()
        output = F.scaled_dot_product_attention(
            query, key, value, attn_mask=group.mask, is_causal=group.mask is None
        )
        outputs.append(output.transpose(1, 2).reshape(len(part), -1))
    return torch.cat(outputs)
