"""What a transformer block does between its matrix products, as Triton kernels.

Shapes: P rows of a width W. Vectors, such as biases, are float32, (W,).
"""

from typing import Literal

import torch
import triton
import triton.language as tl
from torch import Tensor

from hnclip_cli.models.kernels import launch

Activation = Literal["gelu", "quick_gelu"]
ROWS, COLUMNS = 16, 128  # of a tile of what has no reduction along a row
MAX_PARTS = 64  # row blocks, each of which leaves a partial sum of columns
PROGRAMS = 1024  # of the backward norm


@triton.jit
def _normal(value):
    """The distribution function of the normal distribution, and exp(−value² / 2).

    Abramowitz and Stegun (1964), 7.1.26: to 1e-7, for half of what erf costs beside exp.
    """
    t = 1 / (1 + 0.3275911 * 0.7071067811865476 * tl.abs(value))
    bell = tl.exp(-0.5 * value * value)
    series = 1.421413741 + t * (-1.453152027 + t * 1.061405429)
    tail = 0.5 * t * (0.254829592 + t * (-0.284496736 + t * series)) * bell
    return tl.where(value < 0, tail, 1 - tail), bell


@triton.jit
def _add_norm_forward(
    x, update, bias, gain, offset, total, out, mean, rstd, eps,
    ADDS: tl.constexpr, W: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """A row: total = x + update + bias, and its norm."""
    row, column = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    inside = column < W
    value = tl.load(x + row * W + column, mask=inside, other=0.0).to(tl.float32)
    if ADDS:
        value += tl.load(update + row * W + column, mask=inside, other=0.0).to(tl.float32)
        value += tl.load(bias + column, mask=inside, other=0.0)
        value = value.to(total.dtype.element_ty)
        tl.store(total + row * W + column, value, mask=inside)
        value = value.to(tl.float32)
    center = tl.sum(value, axis=0) / W
    centered = tl.where(inside, value - center, 0.0)
    scale = 1 / tl.sqrt(tl.sum(centered * centered, axis=0) / W + eps)
    normed = centered * scale * tl.load(gain + column, mask=inside, other=0.0)
    normed += tl.load(offset + column, mask=inside, other=0.0)
    tl.store(out + row * W + column, normed.to(out.dtype.element_ty), mask=inside)
    tl.store(mean + row, center)
    tl.store(rstd + row, scale)


@triton.jit
def _add_norm_backward(
    total, gain, mean, rstd, of_total, of_out, of_x, of_update, parts, num_rows,
    TWO: tl.constexpr, W: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Rows of the gradient, and partial sums of those of gain, offset and bias."""
    program, column = tl.program_id(0), tl.arange(0, BLOCK)
    inside = column < W
    weight = tl.load(gain + column, mask=inside, other=0.0)
    of_gain = tl.zeros([BLOCK], tl.float32)
    of_offset = tl.zeros([BLOCK], tl.float32)
    of_bias = tl.zeros([BLOCK], tl.float32)
    for row in range(program, num_rows, tl.num_programs(0)):
        at = tl.cast(row, tl.int64) * W + column
        up = tl.load(of_out + at, mask=inside, other=0.0).to(tl.float32)
        value = tl.load(total + at, mask=inside, other=0.0).to(tl.float32)
        scale = tl.load(rstd + row)
        normed = tl.where(inside, (value - tl.load(mean + row)) * scale, 0.0)
        of_gain += up * normed
        of_offset += up
        up *= weight
        along = tl.sum(up * normed, axis=0) / W
        gradient = (up - tl.sum(up, axis=0) / W - normed * along) * scale
        gradient += tl.load(of_total + at, mask=inside, other=0.0).to(tl.float32)
        of_bias += tl.where(inside, gradient, 0.0)
        tl.store(of_x + at, gradient.to(of_x.dtype.element_ty), mask=inside)
        if TWO:
            tl.store(of_update + at, gradient.to(of_update.dtype.element_ty), mask=inside)
    at = parts + program * 3 * W + column
    tl.store(at, of_gain, mask=inside)
    tl.store(at + W, of_offset, mask=inside)
    tl.store(at + 2 * W, of_bias, mask=inside)


@triton.jit
def _activate_forward(
    x, bias, out, num_rows, W, KIND: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    at = row.to(tl.int64)[:, None] * W + column[None, :]
    inside = (row < num_rows)[:, None] & (column < W)[None, :]
    value = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    value += tl.load(bias + column, mask=column < W, other=0.0)[None, :]
    if KIND == "gelu":
        share, _ = _normal(value)
        value *= share
    else:
        value *= tl.sigmoid(1.702 * value)
    tl.store(out + at, value.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _activate_backward(
    x, bias, upstream, gradient, parts, num_rows, W, rows_each,
    KIND: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    addend = tl.load(bias + column, mask=column < W, other=0.0)[None, :]
    begin = tl.program_id(0) * rows_each
    end = tl.minimum(begin + rows_each, num_rows)
    of_bias = tl.zeros([ROWS, COLUMNS], tl.float32)  # summed over rows once, at the end
    for start in range(begin, end, ROWS):
        row = start + tl.arange(0, ROWS)
        at = row.to(tl.int64)[:, None] * W + column[None, :]
        inside = (row < end)[:, None] & (column < W)[None, :]
        value = tl.load(x + at, mask=inside, other=0.0).to(tl.float32) + addend
        up = tl.load(upstream + at, mask=inside, other=0.0).to(tl.float32)
        if KIND == "gelu":
            share, bell = _normal(value)
            slope = share + value * bell * 0.3989422804014327
        else:
            gate = tl.sigmoid(1.702 * value)
            slope = gate * (1 + 1.702 * value * (1 - gate))
        up = up * slope
        of_bias += up
        tl.store(gradient + at, up.to(gradient.dtype.element_ty), mask=inside)
    total = tl.sum(of_bias, axis=0)
    tl.store(parts + tl.program_id(0) * W + column, total, mask=column < W)


@triton.jit
def _stack_heads(
    query, key, value, out, parts, num_rows, W, length, rows_each, batch_step, head_step, row_step,
    D: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Three (n, heads, length, D) of equal strides side by side, and partial sums of columns."""
    source = query
    if tl.program_id(2) == 1:
        source = key
    if tl.program_id(2) == 2:
        source = value
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    of_head = (column // D) * head_step + column % D
    to = tl.program_id(2) * W + column
    begin = tl.program_id(0) * rows_each
    end = tl.minimum(begin + rows_each, num_rows)
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(begin, end, ROWS):
        row = start + tl.arange(0, ROWS)
        at = (row // length).to(tl.int64) * batch_step + (row % length) * row_step
        inside = (row < end)[:, None] & (column < W)[None, :]
        part = tl.load(source + at[:, None] + of_head[None, :], mask=inside, other=0.0)
        total += part.to(tl.float32)
        tl.store(out + row.to(tl.int64)[:, None] * (3 * W) + to[None, :], part, mask=inside)
    tl.store(parts + tl.program_id(0) * (3 * W) + to, tl.sum(total, axis=0), mask=column < W)


def add_norm(
    x: Tensor,
    update: Tensor | None,
    bias: Tensor | None,
    gain: Tensor,
    offset: Tensor,
    eps: float,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x + update + bias in the type of x, or x itself, and its layer norm.

    Returns:
        the sum (P, W), its norm (P, W) in ``dtype``, and of each row mean and 1/deviation (P,).
    """
    num_rows, width = x.shape
    total = x if update is None else torch.empty_like(x)
    out = torch.empty_like(x, dtype=dtype)
    mean, rstd = x.new_empty(2, num_rows, dtype=torch.float32)
    launch(
        _add_norm_forward, (num_rows,), x, update, bias, gain, offset, total, out, mean, rstd, eps,
        ADDS=update is not None, W=width, BLOCK=_power_of_2(width),
    )  # fmt: skip
    return total, out, mean, rstd


def add_norm_backward(
    total: Tensor,
    gain: Tensor,
    mean: Tensor,
    rstd: Tensor,
    of_total: Tensor,
    of_out: Tensor,
    update_dtype: torch.dtype,
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
    """The gradients of `add_norm` by x, by the update, and by gain, offset and bias.

    The first two are the same numbers, and the same tensor where the types are.
    """
    num_rows, width = total.shape
    programs = min(PROGRAMS, max(1, num_rows))
    of_x = torch.empty_like(total)
    is_other = update_dtype != total.dtype
    of_update = torch.empty_like(total, dtype=update_dtype) if is_other else of_x
    parts = total.new_empty(programs, 3, width, dtype=torch.float32)
    launch(
        _add_norm_backward, (programs,), total, gain, mean, rstd, of_total.contiguous(), of_out,
        of_x, of_update, parts, num_rows,
        TWO=is_other, W=width, BLOCK=_power_of_2(width),
    )  # fmt: skip
    of_gain, of_offset, of_bias = parts.sum(0)
    return of_x, of_update, (of_gain, of_offset, of_bias)


def activate(x: Tensor, bias: Tensor, kind: Activation) -> Tensor:
    """GELU, exact or CLIP's approximation x·σ(1.702·x), of x + bias."""
    out = torch.empty_like(x)
    num_rows, width = x.shape
    launch(
        _activate_forward, (_blocks(num_rows, ROWS), _blocks(width, COLUMNS)),
        x, bias, out, num_rows, width, KIND=kind, ROWS=ROWS, COLUMNS=COLUMNS,
    )  # fmt: skip
    return out


def activate_backward(
    x: Tensor, bias: Tensor, upstream: Tensor, kind: Activation
) -> tuple[Tensor, Tensor]:
    """The gradients of `activate` by x and by the bias."""
    num_rows, width = x.shape
    blocks, each = _row_blocks(num_rows)
    gradient = torch.empty_like(x)
    parts = x.new_empty(blocks, width, dtype=torch.float32)
    launch(
        _activate_backward, (blocks, _blocks(width, COLUMNS)),
        x, bias, upstream, gradient, parts, num_rows, width, each,
        KIND=kind, ROWS=ROWS, COLUMNS=COLUMNS,
    )  # fmt: skip
    return gradient, parts.sum(0)


def stack_heads(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Three (n, H, length, D) side by side, (n·length, 3·H·D), and the sums of the columns."""
    parts = query, key, value
    if len({part.stride() for part in parts}) > 1 or query.stride(3) != 1:
        query, key, value = (p.transpose(1, 2).contiguous().transpose(1, 2) for p in parts)
    n, heads, length, head_width = query.shape
    width, num_rows = heads * head_width, n * length
    blocks, each = _row_blocks(num_rows)
    out = query.new_empty(num_rows, 3 * width)
    sums = query.new_empty(blocks, 3 * width, dtype=torch.float32)
    launch(
        _stack_heads, (blocks, _blocks(width, COLUMNS), 3),
        query, key, value, out, sums, num_rows, width, length, each, *query.stride()[:3],
        D=head_width, ROWS=ROWS, COLUMNS=COLUMNS,
    )  # fmt: skip
    return out, sums.sum(0)


def _row_blocks(num_rows: int) -> tuple[int, int]:
    """How many blocks of rows leave a partial sum each, and of how many rows they are."""
    each = ROWS * _blocks(max(1, num_rows), ROWS * MAX_PARTS)
    return _blocks(max(1, num_rows), each), each


# Triton's own functions for these take ten times as long, twice in every launch.
def _blocks(count: int, size: int) -> int:
    return -(-count // size)


def _power_of_2(width: int) -> int:
    return 1 << (width - 1).bit_length()
