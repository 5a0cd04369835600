"""open_clip's transformer blocks on packed tokens: no row for padding, none twice."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

# Of attention in bfloat16, relative; rounding alone gives 0.005.
MAX_ERROR = 0.02


@dataclass(frozen=True)
class Prefixes:
    """Token sequences as a tree in which common prefixes are kept once: a node for each."""

    # (n, longest) the node at each position of each sequence, in the given order; -1 behind a
    # sequence's end.
    nodes: np.ndarray
    lengths: np.ndarray  # (n,)
    ends: np.ndarray  # (n,) the node that stands for each whole sequence
    sources: np.ndarray  # (P, 2) for each of the P nodes a sequence and a position where it occurs
    roots: np.ndarray  # (P,) the first node of the tree that a node belongs to
    stops: np.ndarray  # (P,) behind the last node that has this one as an ancestor, or is this one


def distinct_prefixes(
    tokens: np.ndarray, lengths: np.ndarray, tree_size: int | None = None
) -> Prefixes:
    """Find the prefixes that sequences share.

    Nodes are numbered in preorder: those below a node follow it without a gap.

    Args:
        tokens: (n, context length) token ids; what stands behind a sequence's end is ignored.
        lengths: (n,) tokens of each sequence, at least 1.
        tree_size: so many sequences, neighbors in sorted order, share at the most; 1 shares
            nothing. By default all do.
    """
    longest = int(lengths.max(initial=0))
    inside = np.arange(longest) < lengths[:, None]
    tokens = np.where(inside, tokens[:, :longest], -1)
    order = np.lexsort(tokens.T[::-1]) if longest else np.arange(len(tokens))
    tokens, inside = tokens[order], inside[order]
    # Sorted, sequences with a common prefix are neighbors: a position is new where it or one
    # before it differs from the sequence above.
    new = inside.copy()
    new[1:] &= np.logical_or.accumulate(tokens[1:] != tokens[:-1], axis=1)
    size = tree_size or max(1, len(tokens))
    new[::size] = inside[::size]
    numbers = np.where(new, np.cumsum(new).reshape(new.shape) - 1, -1)
    shared = np.maximum.accumulate(numbers, axis=0)
    nodes = np.empty_like(shared)
    nodes[order] = np.where(inside, shared, -1)
    rows, positions = np.nonzero(new)

    ends = np.cumsum(new.sum(axis=1))  # behind the last node of each sequence, in sorted order
    begins = np.concatenate([[0], ends])[: len(tokens) : size]
    stops = np.zeros(len(rows), np.int64)
    # Of the sequences that a node stands in the last counts: it is written last.
    stops[shared[inside]] = np.repeat(ends, inside.sum(axis=1))
    sources = np.stack([order[rows], positions], axis=1)
    wholes = nodes[np.arange(len(nodes)), lengths - 1]
    return Prefixes(nodes, lengths, wholes, sources, begins[rows // size], stops)


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


# Sequences that attend side by side, padded: how many and how long, and what each position may
# attend to, (sequences, 1, length, length) bool; None is causal.
Group = tuple[tuple[int, int], Tensor | None]


def attend_groups(qkv: Tensor, rows: Tensor, groups: Sequence[Group], num_heads: int) -> Tensor:
    """A call for each group; ``rows`` (T,) are the packed rows at the groups' positions."""
    outputs = []
    sizes = [count * length for (count, length), _ in groups]
    parts = torch.split(qkv.index_select(0, rows), sizes)
    for (shape, mask), part in zip(groups, parts, strict=True):
        query, key, value = part.view(*shape, 3, num_heads, -1).permute(2, 0, 3, 1, 4).unbind()
        output = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None
        )
        outputs.append(output.transpose(1, 2).reshape(len(part), -1))
    return torch.cat(outputs)


@cache
def trees_work(device: torch.device, head_width: int) -> bool:
    """Whether `tree_attention` runs on this device, and computes what plain attention does.

    Where Triton is missing, cannot compile, or gives other numbers, a warning says so.
    """
    try:
        from hnclip_cli.models.tree_attention import HEAD_WIDTHS, error_of

        if head_width not in HEAD_WIDTHS:
            return False
        if device.type == "meta":  # there are no numbers to compare
            return True
        error = error_of(device, head_width)
        if error <= MAX_ERROR:
            return True
        reason = f"its relative error is {error:.2g}"
    except Exception as problem:  # Triton's compiler, the driver and the import each have their own
        reason = f"{type(problem).__name__}: {problem}".partition("\n")[0][:120]
    if device.type != "meta":
        warnings.warn(f"attention by Triton is not used ({reason})", stacklevel=2)
    return False


def can_pack(transformer: Any) -> bool:
    """Whether `run_packed` computes what the transformer's own forward does.

    It knows open_clip's plain block. Custom blocks, attention that was replaced (by an adapter,
    say), dropout, and hooks, which expect whole sequences, are left to the transformer itself.
    """
    return not has_hooks(transformer) and all(map(_is_plain_block, transformer.resblocks))


def _is_plain_block(block: nn.Module) -> bool:
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
        x = x.index_select(0, keep)
        sources = keep if sources is None else sources[keep]
    context = packing.attend(qkv, num_heads=attention.num_heads)
    if sources is not None:
        context = context.index_select(0, sources)
    x = x + block.ls_1(attention.out_proj(context))
    return cast(Tensor, x + block.ls_2(block.mlp(block.ln_2(x))))
