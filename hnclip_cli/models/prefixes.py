"""Distinct prefixes of token sequences: what a causal tower has to compute, and no more."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prefixes:
    """Token sequences as a tree in which common prefixes are kept once.

    In a causal tower the output at a position depends on the tokens up to it, so the same prefix
    in two sequences has the same output. A node stands for one distinct prefix.

    Attributes:
        nodes: (n, longest) the node at each position of each sequence, in the given order; -1
            behind a sequence's end.
        lengths: (n,).
        sources: (P, 2) for each of the P nodes a sequence and a position where it occurs.
        roots: (P,) the first node of the tree that a node belongs to.
        stops: (P,) behind the last node that has this one as an ancestor, or is this one.
    """

    nodes: np.ndarray
    lengths: np.ndarray
    sources: np.ndarray
    roots: np.ndarray
    stops: np.ndarray

    @property
    def ends(self) -> np.ndarray:
        """(n,) the node that stands for each whole sequence."""
        ends: np.ndarray = self.nodes[np.arange(len(self.nodes)), self.lengths - 1]
        return ends


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
    return Prefixes(
        nodes, lengths, np.stack([order[rows], positions], axis=1), begins[rows // size], stops
    )
