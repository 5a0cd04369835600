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

# The interpreter runs one program at a time, in NumPy: larger blocks are all it can gain from.
ROW_BLOCK = 2048
TILE = 64

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
def _merge_columns(
    cosines, scale, row_labels, labels, lse, merged, num_rows, num_texts, TILE: tl.constexpr
):
    """A program merges all rows into TILE columns' log-sum-exp."""
    column = tl.program_id(0) * TILE + tl.arange(0, TILE)
    factor = tl.load(scale)
    label = tl.load(labels + column, mask=column < num_texts, other=_FREE)
    top = tl.load(lse + column, mask=column < num_texts, other=float("-inf"))
    total = tl.where(top == float("-inf"), 0.0, 1.0).to(top.dtype)
    for start in range(0, num_rows, TILE):
        row = start + tl.arange(0, TILE)
        inside = (row < num_rows)[:, None] & (column < num_texts)[None, :]
        # A chunk may hold more than 2³¹ cosines.
        at = row.to(tl.int64)[:, None] * num_texts + column[None, :]
        logits = tl.load(cosines + at, mask=inside, other=0.0).to(top.dtype) * factor
        row_label = tl.load(row_labels + row, mask=row < num_rows, other=_FREE)
        apart = _uncontrasted(row_label[:, None], label[None, :])
        logits = tl.where(inside & ~apart, logits, float("-inf"))
        new_top = tl.maximum(top, tl.max(logits, axis=0))
        shift = _shift(new_top)
        total = total * tl.exp(top - shift) + tl.sum(tl.exp(logits - shift[None, :]), axis=0)
        top = new_top
    tl.store(merged + column, _shift(top) + tl.log(total), mask=column < num_texts)


@triton.jit
def _form_gradient(
    cosines,
    scale,
    row_labels,
    labels,
    positive,
    own_lse,
    column_lse,
    others,
    width,
    num_texts,
    num_labels,
    unit,
    BLOCK: tl.constexpr,
):
    """A program finds its row's log-sum-exp, then replaces the row by its gradient."""
    row = tl.program_id(0).to(tl.int64)
    at = cosines + row * width
    factor = tl.load(scale)
    label = tl.load(row_labels + row)
    own = tl.load(own_lse + row)

    top = own
    total = tl.where(top == float("-inf"), 0.0, 1.0).to(top.dtype)
    for start in range(0, width, BLOCK):
        column = start + tl.arange(0, BLOCK)
        logits = tl.load(at + column, mask=column < width, other=0.0).to(top.dtype) * factor
        apart = _uncontrasted(
            label, tl.load(labels + column, mask=column < num_labels, other=_FREE)
        )
        logits = tl.where((column < width) & ~apart, logits, float("-inf"))
        new_top = tl.maximum(top, tl.max(logits, axis=0))
        shift = _shift(new_top)
        total = total * tl.exp(top - shift) + tl.sum(tl.exp(logits - shift), axis=0)
        top = new_top
    row_others = _shift(top) + tl.log(total)
    tl.store(others + row, row_others)

    lse = _log_add_exp(row_others, tl.load(positive + row))
    for start in range(0, width, BLOCK):
        column = start + tl.arange(0, BLOCK)
        logits = tl.load(at + column, mask=column < width, other=0.0).to(top.dtype) * factor
        apart = _uncontrasted(
            label, tl.load(labels + column, mask=column < num_labels, other=_FREE)
        )
        logits = tl.where(apart, float("-inf"), logits)
        column_shift = tl.load(column_lse + column, mask=column < num_texts, other=float("inf"))
        gradient = unit * (tl.exp(logits - lse) + tl.exp(logits - column_shift))
        tl.store(at + column, gradient.to(cosines.dtype.element_ty), mask=column < width)


def merge_columns(
    cosines: Tensor, scale: Tensor, row_labels: Tensor, labels: Tensor, lse: Tensor
) -> Tensor:
    """`Passes.merge_columns`."""
    merged = torch.empty_like(lse)
    num_rows, num_texts = cosines.shape
    grid = (triton.cdiv(num_texts, TILE),)
    with torch.cuda.device_of(cosines):  # Triton launches on the current device
        _merge_columns[grid](
            cosines, scale, row_labels, labels, lse, merged, num_rows, num_texts, TILE=TILE
        )
    return merged


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
    num_rows, width = cosines.shape
    with torch.cuda.device_of(cosines):
        _form_gradient[(num_rows,)](
            cosines,
            scale,
            row_labels,
            labels,
            positive,
            own_lse,
            column_lse,
            others,
            width,
            len(column_lse),
            len(labels),
            gradient_unit(cosines.dtype),
            BLOCK=ROW_BLOCK,
        )
    return others


TRITON_PASSES = Passes(merge_columns, form_gradient, gradient_unit)
