"""Sums over the rows of a batch that several processes share, in bounded memory."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hnclip_cli.training.distributed import Ranks

# (tensors cut to a chunk of rows, tensors of all rows of all ranks, scale, global number of the
# chunk's first row) to the sum over the chunk's rows, shape ().
RowTerm = Callable[[list[Tensor], list[Tensor], Tensor, int], Tensor]

# A chunk's size in numbers: what stays in a CPU's cache, and what keeps an accelerator busy.
CPU_CHUNK = 1 << 20
ACCELERATOR_CHUNK = 1 << 26


def masked_mean(values: Tensor, mask: Tensor, ranks: Ranks) -> Tensor:
    """The mean of the valid values of all ranks, shape (); 0 where there are none.

    The value is that of the whole batch; the gradient is this rank's part, and the parts of the
    ranks add up to the whole.
    """
    count = ranks.sum(mask.sum()).clamp(min=1)
    own = values.masked_fill(~mask, 0).sum() / count
    return own + (ranks.sum(own) - own).detach()


def sum_over_rows(
    term: RowTerm,
    rows: Sequence[Tensor],
    columns: Sequence[Tensor],
    scale: Tensor,
    ranks: Ranks,
    *,
    numbers_per_row: int,
    chunk_size: int | None = None,
) -> Tensor:
    """Σ over the rows of all ranks of a term that sees one row and all columns.

    Gradients are formed chunk by chunk in the forward pass and only multiplied in the backward
    pass. So the graph of one chunk exists at a time: beyond the gradients themselves, memory is
    that of one chunk, and the backward pass talks to no other process.

    Args:
        term: see `RowTerm`; a sum over rows, so that the chunks may be of any size.
        rows: this rank's, each (b, …).
        columns: this rank's rows of what every row of every rank sees, each (b, …). They arrive
            at ``term`` gathered, in float32 or wider.
        scale: the logit scale, shape ().
        ranks: the processes that share the batch.
        numbers_per_row: how many numbers a row of ``term`` makes; chooses the chunks' size.
        chunk_size: rows of a chunk, in place of that choice.

    Returns:
        () the sum over all ranks. Its gradients are whole for rows and columns, which belong to
        one rank each, and this rank's part for the scale.
    """
    inputs = [*rows, *columns, scale]
    wants_gradients = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    num_rows = len(rows[0])
    counts = ranks.counts(num_rows, scale.device)
    first = sum(counts[: ranks.rank])
    gathered = [_leaf(widened(ranks.gather(x, counts)), x) for x in columns]
    factor = _leaf(widened(scale), scale)
    total = torch.zeros_like(factor, requires_grad=False)
    row_gradients = [torch.zeros_like(x) if x.requires_grad else None for x in rows]
    shared = [x for x in (*gathered, factor) if x.requires_grad]
    shared_gradients = [torch.zeros_like(x) for x in shared]

    numbers = CPU_CHUNK if scale.device.type == "cpu" else ACCELERATOR_CHUNK
    size = chunk_size or max(1, numbers // max(1, numbers_per_row))
    for start in range(0, num_rows, size):
        chunk = [_leaf(x[start : start + size], x) for x in rows]
        with torch.set_grad_enabled(wants_gradients):
            value = term(chunk, gathered, factor, first + start)
        total += value.detach()
        if not wants_gradients:
            continue
        leaves = [x for x in chunk if x.requires_grad]
        found = torch.autograd.grad(
            value, [*leaves, *shared], allow_unused=True, materialize_grads=True
        )
        slots = (slot for slot in row_gradients if slot is not None)
        for slot, gradient in zip(slots, found, strict=False):
            slot[start : start + size] = gradient
        for slot, gradient in zip(shared_gradients, found[len(leaves) :], strict=True):
            slot += gradient

    value = ranks.sum(total)
    if not wants_gradients:
        return value
    summed = iter(shared_gradients)
    gradients = [
        *row_gradients,
        *(
            ranks.own(ranks.sum(next(summed)), counts) if x.requires_grad else None
            for x in gathered
        ),
        next(summed) if factor.requires_grad else None,
    ]
    wanted = [
        (x, gradient.to(x.dtype))
        for x, gradient in zip(inputs, gradients, strict=True)
        if gradient is not None
    ]
    result: Tensor = _GivenGradients.apply(value, *(part for pair in wanted for part in pair))
    return result


def widened(x: Tensor) -> Tensor:
    """In float32 or wider, where they are floating-point numbers."""
    return x.to(torch.promote_types(x.dtype, torch.float32)) if x.is_floating_point() else x


def _leaf(x: Tensor, origin: Tensor) -> Tensor:
    """The same numbers without their history, with a gradient where the origin has one."""
    return x.detach().requires_grad_(origin.requires_grad)


class _GivenGradients(torch.autograd.Function):
    """A value whose gradients are known already: (value, input, gradient, input, gradient, …)."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *pairs: Tensor) -> Tensor:
        ctx.save_for_backward(*pairs[1::2])
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        pairs = ((gradient * upstream, None) for gradient in ctx.saved_tensors)
        return None, *(part for pair in pairs for part in pair)
