"""`passes.Passes` as Triton kernels: a chunk's cosines are read twice and written once.

No atomics: a program owns its row, or its columns, so results do not change between runs.
Cosines may be float16, float32 or float64; exponents and sums are in the dtype of the scale.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from hnclip_cli.training.objectives.passes import EXCLUDED, FREE, Passes

# Gradients of half precision are stored times this. They are at most 2, and 2¹⁵ fits into
# float16; without it, all softmax probabilities under 6e-8 would be lost.
HALF_UNIT = 2.0**14

# A program works on so many rows and columns at a time, and finds the sums over columns of so many
# rows in all. Several rows share what is read of the columns.
ROWS, COLUMNS = 4, 1024
SUM_ROWS, SUM_COLUMNS, PART = 8, 256, 512

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
def _log_add_exp(a, b):
    top = _shift(tl.maximum(a, b))
    return top + tl.log(tl.exp(a - top) + tl.exp(b - top))


@triton.jit
def _take_in(top, total, logits):
    """A sum of exponentials and its shift in every place, with one exponential each."""
    distance = tl.exp(-tl.abs(logits - top))
    total = tl.where(logits > top, total * distance + 1.0, total + distance)
    return tl.maximum(top, logits), total


@triton.jit
def _lse(top, total, axis: tl.constexpr):
    """The log-sum-exp along an axis; −inf where nothing was taken in."""
    largest = tl.max(top, axis=axis, keep_dims=True)
    summed = tl.sum(total * tl.exp(top - largest), axis=axis)
    return tl.max(top, axis=axis) + tl.log(summed)


@triton.jit
def _merge_columns(
    cosines, scale, row_labels, labels, parts, num_rows, num_texts,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    """A program finds the log-sum-exp of COLUMNS columns over PART rows."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    is_text = column < num_texts
    label = tl.load(labels + column, mask=is_text, other=_FREE)
    factor = tl.load(scale)
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
    merged = _lse(top, total, 0)
    tl.store(parts + tl.program_id(1) * num_texts + column, merged, mask=is_text)


@triton.jit
def _form_gradient(
    cosines, scale, row_labels, labels, bias, positive, own_lse, column_lse, others,
    num_rows, width, num_texts, unit,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """A program finds ROWS rows' log-sum-exp, then replaces the rows by their gradients.

    The first columns have labels, and a softmax over all rows; the others have a bias.
    """
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    is_row = (row < num_rows)[:, None]
    # A chunk may hold more than 2³¹ cosines.
    at = cosines + row.to(tl.int64)[:, None] * width
    factor = tl.load(scale)
    label = tl.load(row_labels + row, mask=row < num_rows, other=_EXCLUDED)[:, None]
    silent = tl.where(label == _EXCLUDED, float("-inf"), 0.0).to(factor.dtype)
    own = tl.load(own_lse + row, mask=row < num_rows, other=0.0)

    top = tl.full([ROWS, COLUMNS], -1e30, factor.dtype)
    total = tl.zeros([ROWS, COLUMNS], factor.dtype)
    for start in range(0, num_texts, COLUMNS):
        column = (start + tl.arange(0, COLUMNS))[None, :]
        is_text = column < num_texts
        their = tl.load(labels + column, mask=is_text, other=_EXCLUDED)
        logits = tl.load(at + column, mask=is_row & is_text, other=0.0).to(factor.dtype) * factor
        apart = _uncontrasted(label, their)
        top, total = _take_in(top, total, tl.where(apart, float("-inf"), logits))
    for start in range(num_texts, width, COLUMNS):
        column = (start + tl.arange(0, COLUMNS))[None, :]
        is_column = column < width
        their = tl.load(bias + column - num_texts, mask=is_column, other=float("-inf"))
        logits = tl.load(at + column, mask=is_row & is_column, other=0.0).to(factor.dtype)
        top, total = _take_in(top, total, logits * factor + (their + silent))
    row_others = _log_add_exp(_lse(top, total, 1), own)
    tl.store(others + row, row_others, mask=row < num_rows)

    # ---- the gradient
    dtype = cosines.dtype.element_ty
    lse = tl.load(positive + row, mask=row < num_rows, other=0.0)
    lse = _log_add_exp(row_others, lse)[:, None]
    for start in range(0, num_texts, COLUMNS):
        column = (start + tl.arange(0, COLUMNS))[None, :]
        is_text = column < num_texts
        their = tl.load(labels + column, mask=is_text, other=_EXCLUDED)
        shift = tl.load(column_lse + column, mask=is_text, other=0.0)
        logits = tl.load(at + column, mask=is_row & is_text, other=0.0).to(factor.dtype) * factor
        logits = tl.where(_uncontrasted(label, their), float("-inf"), logits)
        gradient = unit * (tl.exp(logits - lse) + tl.exp(logits - shift))
        tl.store(at + column, gradient.to(dtype), mask=is_row & is_text)
    for start in range(num_texts, width, COLUMNS):
        column = (start + tl.arange(0, COLUMNS))[None, :]
        is_column = column < width
        their = tl.load(bias + column - num_texts, mask=is_column, other=float("-inf"))
        logits = tl.load(at + column, mask=is_row & is_column, other=0.0).to(factor.dtype)
        gradient = unit * tl.exp(logits * factor + (their + silent - lse))
        tl.store(at + column, gradient.to(dtype), mask=is_row & is_column)


def merge_columns(
    cosines: Tensor, scale: Tensor, row_labels: Tensor, labels: Tensor, lse: Tensor
) -> Tensor:
    """`Passes.merge_columns`."""
    num_rows, num_texts = cosines.shape
    parts = lse.new_empty(triton.cdiv(num_rows, PART) + 1, num_texts)
    parts[-1] = lse
    grid = triton.cdiv(num_texts, SUM_COLUMNS), len(parts) - 1
    with torch.cuda.device_of(cosines):  # Triton launches on the current device
        _merge_columns[grid](
            cosines, scale, row_labels, labels, parts, num_rows, num_texts,
            ROWS=SUM_ROWS, COLUMNS=SUM_COLUMNS, PART=PART,
        )  # fmt: skip
    return torch.logsumexp(parts, dim=0)


def form_gradient(
    cosines: Tensor,
    scale: Tensor,
    row_labels: Tensor,
    labels: Tensor,
    positive: Tensor,
    own_lse: Tensor,
    column_lse: Tensor,
) -> Tensor:
    """`Passes.form_gradient`."""
    others = torch.empty_like(positive)
    (num_rows, width), num_texts = cosines.shape, len(column_lse)
    # Columns behind the texts are contrasted with all rows or with none: one addition says it.
    bias = column_lse.new_zeros(width - num_texts)
    bias[: len(labels) - num_texts].masked_fill_(labels[num_texts:] == EXCLUDED, -torch.inf)
    with torch.cuda.device_of(cosines):
        _form_gradient[(triton.cdiv(num_rows, ROWS),)](
            cosines, scale, row_labels, labels, bias, positive, own_lse, column_lse, others,
            num_rows, width, num_texts, gradient_unit(cosines.dtype),
            ROWS=ROWS, COLUMNS=COLUMNS, num_warps=8,
        )  # fmt: skip
    return others


TRITON_PASSES = Passes(merge_columns, form_gradient, gradient_unit)
