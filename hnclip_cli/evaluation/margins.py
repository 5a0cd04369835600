"""What counts as right: margins of scores, their outcomes, nothing else.

Every measure is a margin: by how much the true side wins its closest comparison. Above zero is
right, zero is a tie and wrong, so a model that scores everything alike gets nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Counted = Bools | Ints | Floats  # what each observation adds to a mean
Scores = Sequence[Sequence[float]]  # a row an image, a column a caption

NEAR = 1e-4

# Two images and two captions, and which belong together.
_STRAIGHT, _CROSSED = {(0, 0), (1, 1)}, {(0, 1), (1, 0)}


@dataclass(frozen=True)
class Outcomes:
    """One flag each an observation; a near tie is no tie, and can be right or wrong."""

    correct: Bools
    tie: Bools
    near: Bools
    counted: Counted  # right or wrong, or the share of what was asked that is right


def outcomes(margins: Floats) -> Outcomes:
    """Judge margins, shape (n,), by the strict rule."""
    tie, correct = margins == 0, margins > 0
    return Outcomes(correct, tie, (np.abs(margins) <= NEAR) & ~tie, correct)


def matching_margins(
    scores: Scores,
    truth: Collection[tuple[int, int]],
    *,
    per_class: int = 1,
    per_video: int = 1,
    rank: int = 1,
) -> dict[str, Sequence[float]]:
    """Margins of an item with several images or captions, measure by measure.

    Two images that each belong to one of two captions have the text, image and group score of
    Winoground (Thrush et al. 2022, arXiv 2204.03162, eq. 1-3). All others are queries, each image
    among the captions and each caption among the images.

    Args:
        scores: image by caption.
        truth: the true pairs.
        per_class: so many captions side by side are prompts of one class, and count as their mean.
        per_video: so many images side by side are frames of one video, and count as their mean.
        rank: of the false candidate that the queries are compared with.

    Returns:
        ``text`` (each image prefers its caption), ``image`` (each caption prefers its image) and
        ``group`` (both), one margin each, and the four comparisons that they are made of:
        ``first_image`` and ``second_image`` prefer their captions, ``first_caption`` and
        ``second_caption`` their images, in the order of the captions; or of queries that have
        candidates of both sorts,
        ``image_to_text`` and ``text_to_image``, the best true candidate over the false one, and
        ``image_to_text_all`` and ``text_to_image_all``, the worst true one over it, of those
        with several true ones.
    """
    if len(scores) == len(scores[0]) == 2 and set(truth) in (_STRAIGHT, _CROSSED):
        (a, b), (c, d) = scores if (0, 0) in truth else scores[::-1]
        text, image = min(a - b, d - c), min(a - c, d - b)
        return {
            "text": [text],
            "image": [image],
            "group": [min(text, image)],
            "first_image": [a - b],
            "second_image": [d - c],
            "first_caption": [a - c],
            "second_caption": [d - b],
        }
    matrix = np.array(scores, dtype=np.float64)
    true = np.zeros(matrix.shape, dtype=bool)
    true[tuple(np.transpose(list(truth)))] = True
    if per_class > 1 or per_video > 1:
        alike = (len(matrix) // per_video, per_video, -1, per_class)
        matrix = matrix.reshape(alike).mean(axis=(1, 3))
        true = np.logical_or.reduce(true.reshape(alike), axis=(1, 3))
    found: dict[str, Sequence[float]] = {}
    for measure, side in (
        ("image_to_text", (matrix, true)),
        ("text_to_image", (matrix.T, true.T)),
    ):
        top, everyone = query_margins(*side, rank)
        found |= {measure: top.tolist(), f"{measure}_all": everyone.tolist()}
    return found


def ordered_margins(scores: Sequence[float], num_true: int) -> dict[str, Sequence[float]]:
    """Margins of captions in order, of which each says more that is true than the next.

    With a full truth F, its true part A and a half-truth H these are the scores of CS-CLIP
    (arXiv:2602.23906).

    Args:
        scores: of the image, a caption each, in their order.
        num_true: so many captions, the first ones, are true.

    Returns:
        ``half_truth``, of the last true caption over the first false one (s(A) > s(H)), where
        there are both; ``ordered``, the closest of any caption over the next (s(F) > s(A) > s(H)).
    """
    steps = [one - other for one, other in pairwise(scores)]
    return {"half_truth": steps[num_true - 1 : num_true], "ordered": [min(steps)]}


def text_margin(scores: Scores, true: Collection[int]) -> float | None:
    """How much closer the least alike true captions are than a true and a false one.

    Args:
        scores: caption by caption.
        true: the true ones, by index.

    Returns:
        The margin, None without two true captions and a false one.
    """
    false = set(range(len(scores))).difference(true)
    if len(true) < 2 or not false:
        return None
    among = min(scores[a][b] for a, b in permutations(true, 2))
    return among - max(scores[a][b] for a in true for b in false)


def average_precision(scores: Floats, true: Bools) -> float:
    """The area under precision over recall in steps, as torchmetrics has it: equal scores are one
    step. Of candidates, shape (n,), some of which are true.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # the last one of each score
    hits = np.cumsum(true[order])[ends]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (ends + 1)) / hits[-1])


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
