"""`passes.Passes` as Triton kernels.

No atomics: a program owns its row, or its columns, so results do not change between runs.
Cosines may be float16, float32 or float64; exponents and sums are in the dtype of the scale.
"""

import math
from collections.abc import Sequence
from functools import partial

import torch
import triton
import triton.language as tl
from torch import Tensor

from hnclip_cli.training.objectives.passes import EXCLUDED, FREE, Passes, own_cosines_by

# Gradients of half precision are stored times this. They are at most 2, and 2¹⁵ fits into
# float16; without it, all softmax probabilities under 6e-8 would be lost.
HALF_UNIT = 2.0**14
# What is stored before the factor of its row is known may exceed 1 by 2^ROOM; with this unit it
# fits, and so do features times the factor.
HALF_FURTHER_UNIT, ROOM = 2.0**4, tl.constexpr(11.0)
LOG2E = tl.constexpr(math.log2(math.e))

# A program works on so many columns at a time, or rows and columns, and finds the sums over columns
# of so many rows in all.
COLUMNS = 2048
SUM_ROWS, SUM_COLUMNS, PART = 16, 128, 128

_FREE = tl.constexpr(FREE)
_EXCLUDED = tl.constexpr(EXCLUDED)


def check_device(device: torch.device) -> None:
    """Raises ValueError where these kernels cannot run."""
    if device.type != "cuda" and not triton.knobs.runtime.interpret:
        raise ValueError(f"got implementation triton on {device.type}, expected cuda")


def gradient_unit(dtype: torch.dtype) -> float:
    """What gradients are multiplied by while they are stored in this dtype."""
    return HALF_UNIT if dtype == torch.float16 else 1.0


@triton.jit
def _shift(top):
    # ∞ − ∞ would be NaN; where nothing is summed, or ∞, any finite shift will do.
    return tl.where(tl.abs(top) == float("inf"), 0.0, top)


@triton.jit
def _uncontrasted(row_label, label):
    return (row_label == label) | (row_label == _EXCLUDED) | (label == _EXCLUDED)


@triton.jit
def _log_add_exp(a, b):  # base 2
    top = _shift(tl.maximum(a, b))
    return top + tl.log2(tl.exp2(a - top) + tl.exp2(b - top))


@triton.jit
def _take_in(top, total, logits):
    """A sum of powers of 2 and its shift in every place, with one power each."""
    distance = tl.exp2(-tl.abs(logits - top))
    total = tl.where(logits > top, total * distance + 1.0, total + distance)
    return tl.maximum(top, logits), total


@triton.jit
def _sum_columns(
    cosines, scale, row_labels, labels, sums, num_rows, num_texts,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    """A program finds the log-sum-exp of COLUMNS columns over PART rows."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    is_text = column < num_texts
    label = tl.load(labels + column, mask=is_text, other=_FREE)
    factor = tl.load(scale) * LOG2E
    first = tl.program_id(1) * PART
    # Finite, so that −inf − −inf cannot come up.
    top = tl.full([ROWS, COLUMNS], -1e30, factor.dtype)
    total = tl.zeros([ROWS, COLUMNS], factor.dtype)
    for start in range(first, tl.minimum(first + PART, num_rows), ROWS):
        row = start + tl.arange(0, ROWS)
        row_label = tl.load(row_labels + row, mask=row < num_rows, other=_EXCLUDED)
        # A chunk may hold more than 2³¹ cosines.
        at = row.to(tl.int64)[:, None] * num_texts + column[None, :]
        inside = (row < num_rows)[:, None] & is_text[None, :]
        logits = tl.load(cosines + at, mask=inside, other=0.0).to(factor.dtype) * factor
        apart = _uncontrasted(row_label[:, None], label[None, :])
        top, total = _take_in(top, total, tl.where(apart, float("-inf"), logits))
    highest = tl.max(top, axis=0)
    total = tl.sum(total * tl.exp2(top - highest[None, :]), axis=0)
    lse = (highest + tl.log2(total)) / LOG2E
    tl.store(sums + tl.program_id(1) * num_texts + column, lse, mask=is_text)


@triton.jit
def _form_gradient(
    cosines, scale, row_labels, labels, bias, positive, own_lse, column_lse, others, factors,
    width, num_texts, unit, further_unit, COLUMNS: tl.constexpr,
):  # fmt: skip
    """A program finds a row's log-sum-exp, and replaces the row by its gradient.

    The first columns have labels, and a softmax over all rows; they are read twice. The others
    have a bias, and are read once: what is written of them lacks a factor, which is known at the
    end. Logarithms are to base 2.
    """
    row = tl.program_id(0)
    # A chunk may hold more than 2³¹ cosines.
    at = cosines + row.to(tl.int64) * width
    stored = cosines.dtype.element_ty
    factor = tl.load(scale) * LOG2E
    label = tl.load(row_labels + row)
    top = tl.full([COLUMNS], -1e30, factor.dtype)
    total = tl.zeros([COLUMNS], factor.dtype)
    for start in range(0, num_texts, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        is_text = column < num_texts
        their = tl.load(labels + column, mask=is_text, other=_EXCLUDED)
        logits = tl.load(at + column, mask=is_text, other=0.0).to(factor.dtype) * factor
        apart = _uncontrasted(label, their)
        top, total = _take_in(top, total, tl.where(apart, float("-inf"), logits))
    shift = tl.max(top, axis=0)
    total = total * tl.exp2(top - shift)

    # ---- the other columns, as e^(logit − shift)
    silent = tl.where(label == _EXCLUDED, float("-inf"), 0.0).to(factor.dtype)
    for start in range(num_texts, width, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        is_column = column < width
        their = tl.load(bias + column - num_texts, mask=is_column, other=float("-inf"))
        logits = tl.load(at + column, mask=is_column, other=0.0).to(factor.dtype) * factor
        logits += their + silent
        highest = tl.max(logits, axis=0)
        if highest - shift > ROOM:  # seldom: what is written already takes the new shift
            shrink = tl.exp2(shift - highest)
            total = total * shrink
            shift = highest
            for before in range(num_texts, start, COLUMNS):
                place = at + before + tl.arange(0, COLUMNS)
                tl.store(place, (tl.load(place).to(factor.dtype) * shrink).to(stored))
        exponential = tl.exp2(logits - shift)
        total += exponential
        tl.store(at + column, (further_unit * exponential).to(stored), mask=is_column)

    # ---- the first columns, by the log-sum-exp of the row
    own = tl.load(own_lse + row) * LOG2E
    row_others = _log_add_exp(shift + tl.log2(tl.sum(total, axis=0)), own)
    tl.store(others + row, row_others / LOG2E)
    lse = _log_add_exp(row_others, tl.load(positive + row) * LOG2E)
    tl.store(factors + row, unit / further_unit * tl.exp2(shift - lse))
    for start in range(0, num_texts, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        is_text = column < num_texts
        their = tl.load(labels + column, mask=is_text, other=_EXCLUDED)
        by_column = tl.load(column_lse + column, mask=is_text, other=0.0) * LOG2E
        logits = tl.load(at + column, mask=is_text, other=0.0).to(factor.dtype) * factor
        logits = tl.where(_uncontrasted(label, their), float("-inf"), logits)
        gradient = unit * (tl.exp2(logits - lse) + tl.exp2(logits - by_column))
        tl.store(at + column, gradient.to(stored), mask=is_text)


@triton.jit
def _own_cosines(
    anchors, positives, negatives, positive, negative, num_slots, dim, BLOCK: tl.constexpr
):  # fmt: skip
    """A program finds the cosines of one pair."""
    row, feature = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    inside = feature < dim
    dtype = positive.dtype.element_ty
    anchor = tl.load(anchors + row * dim + feature, mask=inside, other=0.0).to(dtype)
    text = tl.load(positives + row * dim + feature, mask=inside, other=0.0).to(dtype)
    tl.store(positive + row, tl.sum(anchor * text, axis=0))
    for slot in range(num_slots):
        at = (row * num_slots + slot) * dim + feature
        other = tl.load(negatives + at, mask=inside, other=0.0).to(dtype)
        out = negative + 2 * row * num_slots + slot
        tl.store(out, tl.sum(anchor * other, axis=0))
        tl.store(out + num_slots, tl.sum(text * other, axis=0))


@triton.jit
def _own_gradients(
    anchors, positives, negatives, positive, negative, anchor_gradients, positive_gradients,
    negative_gradients, num_slots, dim, BLOCK: tl.constexpr,
):  # fmt: skip
    """The transpose of `_own_cosines`: from gradients by cosines to gradients by features."""
    row, feature = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    inside = feature < dim
    dtype = positive.dtype.element_ty
    place = row * dim + feature
    anchor = tl.load(anchors + place, mask=inside, other=0.0).to(dtype)
    text = tl.load(positives + place, mask=inside, other=0.0).to(dtype)
    pull = tl.load(positive + row)
    by_anchor, by_text = pull * text, pull * anchor
    for slot in range(num_slots):
        at = (row * num_slots + slot) * dim + feature
        other = tl.load(negatives + at, mask=inside, other=0.0).to(dtype)
        given = negative + 2 * row * num_slots + slot
        with_anchor, with_text = tl.load(given), tl.load(given + num_slots)
        by_anchor += with_anchor * other
        by_text += with_text * other
        by_other = with_anchor * anchor + with_text * text
        tl.store(negative_gradients + at, by_other.to(negatives.dtype.element_ty), mask=inside)
    tl.store(anchor_gradients + place, by_anchor.to(anchors.dtype.element_ty), mask=inside)
    tl.store(positive_gradients + place, by_text.to(positives.dtype.element_ty), mask=inside)


def _find_cosines(features: Sequence[Tensor], cosines: Sequence[Tensor]) -> None:
    """The first kernel of `own_cosines_by`."""
    size, num_slots, dim = features[2].shape
    with torch.cuda.device_of(features[0]):
        _own_cosines[(size,)](
            *features, *cosines, num_slots, dim, BLOCK=triton.next_power_of_2(dim)
        )


def _find_gradients(
    features: Sequence[Tensor], given: Sequence[Tensor], found: Sequence[Tensor]
) -> None:
    """The second kernel of `own_cosines_by`."""
    size, num_slots, dim = features[2].shape
    with torch.cuda.device_of(features[0]):
        _own_gradients[(size,)](
            *features, *given, *found, num_slots, dim, BLOCK=triton.next_power_of_2(dim)
        )


def sum_columns(cosines: Tensor, scale: Tensor, row_labels: Tensor, labels: Tensor) -> Tensor:
    """`Passes.sum_columns`."""
    num_rows, num_texts = cosines.shape
    sums = scale.new_empty(triton.cdiv(num_rows, PART), num_texts)
    grid = triton.cdiv(num_texts, SUM_COLUMNS), len(sums)
    with torch.cuda.device_of(cosines):  # Triton launches on the current device
        _sum_columns[grid](
            cosines, scale, row_labels, labels, sums, num_rows, num_texts,
            ROWS=SUM_ROWS, COLUMNS=SUM_COLUMNS, PART=PART,
        )  # fmt: skip
    return sums


def form_gradient(
    cosines: Tensor,
    scale: Tensor,
    row_labels: Tensor,
    labels: Tensor,
    positive: Tensor,
    own_lse: Tensor,
    column_lse: Tensor,
) -> tuple[Tensor, Tensor]:
    """`Passes.form_gradient`."""
    others, factors = torch.empty_like(positive), torch.empty_like(positive)
    (num_rows, width), num_texts = cosines.shape, len(column_lse)
    # Columns behind the texts are contrasted with all rows or with none: one addition says it.
    bias = column_lse.new_zeros(width - num_texts)
    bias[: len(labels) - num_texts].masked_fill_(labels[num_texts:] == EXCLUDED, -torch.inf)
    further_unit = HALF_FURTHER_UNIT if cosines.dtype == torch.float16 else 1.0
    with torch.cuda.device_of(cosines):
        _form_gradient[(num_rows,)](
            cosines, scale, row_labels, labels, bias, positive, own_lse, column_lse,
            others, factors, width, num_texts, gradient_unit(cosines.dtype), further_unit,
            COLUMNS=COLUMNS, num_warps=4,
        )  # fmt: skip
    return others, factors


own_cosines = partial(own_cosines_by, _find_cosines, _find_gradients)
TRITON_PASSES = Passes(sum_columns, form_gradient, gradient_unit, own_cosines)
