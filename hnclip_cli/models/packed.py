"""Sequences of tokens without padding: which prefixes they share, and attention within them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.models.kernels import is_right

HEAD_WIDTHS = (16, 32, 64, 128)  # that `tree_attention` knows


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


def attend_whole(qkv: Tensor, length: int, num_heads: int) -> Tensor:
    """Every position attends to all of its sequence; the sequences are of one length."""
    query, key, value = (
        qkv.view(-1, length, 3, num_heads, qkv.shape[1] // 3 // num_heads)
        .permute(2, 0, 3, 1, 4)
        .unbind()
    )
    context = F.scaled_dot_product_attention(query, key, value)
    return context.transpose(1, 2).reshape(len(qkv), -1)


@cache
def trees_work(device: torch.device, head_width: int) -> bool:
    """Whether `tree_attention` runs on this device, and computes what plain attention does.

    Where Triton is missing, cannot compile, or gives other numbers, a warning says so.
    """

    def error(device: torch.device) -> float:
        from hnclip_cli.models.tree_attention import error_of

        return error_of(device, head_width)

    return head_width in HEAD_WIDTHS and is_right("attention by Triton", device, error)
