"""What counts as right: margins of scores, their outcomes, nothing else.

Every measure is a margin: by how much the true side wins its closest comparison. Above zero is
right, zero is a tie and wrong, so a model that scores everything alike gets nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEAR = 1e-4


@dataclass(frozen=True)
class Outcomes:
    """One flag each an observation; a near tie is no tie, and can be right or wrong."""

    correct: Bools
    tie: Bools
    near: Bools


def outcomes(margins: Floats) -> Outcomes:
    """Judge margins, shape (n,), by the strict rule."""
    tie = margins == 0
    return Outcomes(margins > 0, tie, (np.abs(margins) <= NEAR) & ~tie)


def pair_margins(scores: Floats, widths: Ints) -> tuple[Ints, Floats]:
    """Margins of the true caption over each of its negatives.

    Args:
        scores: the rows of all items, laid end to end, shape (sum of widths,); the true caption
            comes first in its row.
        widths: captions of each item, shape (n,), each at least 2.

    Returns:
        item of each pair, and margin of each pair, both of shape (sum of widths - n,).
    """
    starts = np.cumsum(widths) - widths
    is_negative = np.ones(len(scores), dtype=bool)
    is_negative[starts] = False
    item = np.repeat(np.arange(len(widths)), widths)[is_negative]
    return item, scores[starts][item] - scores[is_negative]


def item_margins(scores: Floats, widths: Ints, rank: int = 1) -> Floats:
    """Margin of the true caption over its best negative, shape (n,); arguments as above.

    With ``rank`` k, over the k-th best (R@k); infinite where there are fewer.
    """
    if not len(widths):
        return np.empty(0)
    item, margins = pair_margins(scores, widths)
    starts = np.flatnonzero(np.diff(item, prepend=-1))
    if rank == 1:
        return np.minimum.reduceat(margins, starts)
    ordered = np.append(margins[np.lexsort((margins, item))], np.inf)
    has_rank = widths - 1 >= rank
    return ordered[np.where(has_rank, starts + rank - 1, len(margins))]


def winoground_margins(scores: Floats) -> dict[str, Floats]:
    """Margins of the text, image and group score (Thrush et al. 2022, arXiv 2204.03162, eq. 1-3).

    Args:
        scores: shape (n, 2, 2), image by caption; image i belongs to caption i.

    Returns:
        ``text`` (each image prefers its caption), ``image`` (each caption prefers its image) and
        ``group`` (both), each of shape (n,).
    """
    true = scores[:, [0, 1], [0, 1]]
    text = (true - scores[:, [0, 1], [1, 0]]).min(axis=1)
    image = (true - scores[:, [1, 0], [0, 1]]).min(axis=1)
    return {"text": text, "image": image, "group": np.minimum(text, image)}


def query_margins(scores: Floats, truth: Bools, rank: int = 1) -> tuple[Floats, Floats]:
    """Margins of queries that choose among candidates, several of which may be true.

    Args:
        scores: shape (queries, candidates).
        truth: which candidates are true, same shape.
        rank: compare with the best false candidate, or with the k-th best for R@k.

    Returns:
        best true candidate over that false one, for each query with candidates of both sorts;
        worst true candidate over it, for those of them with several true ones.
    """
    both = truth.any(axis=1) & ~truth.all(axis=1)
    scores, truth = scores[both], truth[both]
    false = np.where(truth, -np.inf, scores)
    if rank == 1:
        best_false = false.max(axis=1, initial=-np.inf)
    else:
        padded = np.pad(false, ((0, 0), (rank, 0)), constant_values=-np.inf)
        best_false = np.partition(padded, -rank, axis=1)[:, -rank]
    best_true = np.where(truth, scores, -np.inf).max(axis=1, initial=-np.inf)
    worst_true = np.where(truth, scores, np.inf).min(axis=1, initial=np.inf)
    several = truth.sum(axis=1) > 1
    return best_true - best_false, (worst_true - best_false)[several]
