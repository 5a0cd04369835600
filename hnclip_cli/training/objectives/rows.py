"""Sums over the rows of a batch that several processes share, in bounded memory."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hnclip_cli.training.distributed import Ranks

# (tensors cut to a chunk of rows, tensors of all rows of all ranks, scale) to the sum over the
# chunk's rows, shape (). A scale may have more numbers than one, such as that and a bias.
RowTerm = Callable[[list[Tensor], list[Tensor], Tensor], Tensor]

# A chunk's size in numbers: what stays in a CPU's cache, and what keeps an accelerator busy.
CPU_CHUNK = 1 << 20
ACCELERATOR_CHUNK = 1 << 26


def masked_mean(values: Tensor, mask: Tensor, ranks: Ranks) -> Tensor:
    """The mean of the valid values of all ranks, shape (); 0 where there are none.

    The value is that of the whole batch; the gradient is this rank's part, and the parts of the
    ranks add up to the whole.
    """
    return mean_over(values.masked_fill(~mask, 0).sum(), mask.sum(), ranks)


def mean_over(total: Tensor, count: Tensor, ranks: Ranks) -> Tensor:
    """A rank's sum and the number of its values to the mean of all ranks; as `masked_mean`."""
    part = total / ranks.sum(count).clamp(min=1)
    if ranks.size == 1:
        return part
    return part + (ranks.sum(part) - part.detach())


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
        columns: this rank's part of what every row of every rank sees, each (c, …). They arrive
            at ``term`` gathered, in float32 or wider.
        numbers_per_row: of a row of ``term``; chooses the size of chunks.
        chunk_size: rows of a chunk, in place of that choice.

    Returns:
        () the sum over all ranks. Its gradients are whole for rows and columns, which belong to
        one rank each, and this rank's part for the scale.
    """
    inputs = [*rows, *columns, scale]
    counts = ranks.counts(len(columns[0])) if columns else []
    # With several ranks all must agree, so what requires a gradient on one does not count.
    wants = [x.is_floating_point() and (x.requires_grad or ranks.size > 1) for x in inputs]
    wanted = torch.is_grad_enabled() and any(wants)
    gathered = [widened(ranks.gather(x, counts)) for x in columns]
    # Backward passes add to what `grad` holds, in place.
    leaves = [
        _leaf(x, torch.zeros_like(x) if wants_gradient and wanted else None)
        for x, wants_gradient in zip([*rows, *gathered, widened(scale)], wants, strict=True)
    ]
    own, seen, factor = leaves[: len(rows)], leaves[len(rows) : -1], leaves[-1]
    numbers = CPU_CHUNK if scale.device.type == "cpu" else ACCELERATOR_CHUNK
    size = chunk_size or max(1, numbers // max(1, numbers_per_row))
    total = factor.new_zeros(())
    for start in range(0, len(rows[0]), size):
        part = slice(start, start + size)
        chunk = [_leaf(x[part], None if x.grad is None else x.grad[part]) for x in own]
        with torch.set_grad_enabled(wanted):
            value = term(chunk, seen, factor)
        total += value.detach()
        if wanted:
            torch.autograd.backward(value)
    shared = [None if x.grad is None else ranks.scatter_sum(x.grad, counts) for x in seen]
    gradients = [*(x.grad for x in own), *shared, factor.grad]
    return with_gradients(ranks.sum(total), inputs, gradients)


def widened(x: Tensor) -> Tensor:
    """In float32 or wider, where they are floating-point numbers."""
    return x.to(torch.promote_types(x.dtype, torch.float32)) if x.is_floating_point() else x


def with_gradients(
    value: Tensor,
    inputs: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    factor: Tensor | None = None,
) -> Tensor:
    """The value as a function of the inputs that have a gradient here, too; differentiable once.

    Args:
        factor: () what the gradients have yet to be multiplied by, which the backward pass does.
    """
    given = [
        part
        for x, gradient in zip(inputs, gradients, strict=True)
        if gradient is not None and x.requires_grad
        for part in (x, gradient)
    ]
    result: Tensor = _GivenGradients.apply(value, factor, *given) if given else value
    return result


def refuse_second_derivative() -> None:
    """For backward passes: once_differentiable lets second derivatives pass, as 0, at times."""
    if torch.is_grad_enabled():
        raise RuntimeError("got create_graph, expected implementation dense with it")


class _GivenGradients(torch.autograd.Function):
    """A value whose gradients are known already: (value, factor, input, gradient, input, …)."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, factor: Tensor | None, *given: Tensor) -> Tensor:
        ctx.dtypes = [x.dtype for x in given[::2]]
        ctx.save_for_backward(factor, *given[1::2])
        return value.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative()
        factor, *gradients = ctx.saved_tensors
        whole = upstream if factor is None else upstream * factor
        found: list[Tensor | None] = []
        for gradient, dtype in zip(gradients, ctx.dtypes, strict=True):
            rounded = gradient.new_empty(gradient.shape, dtype=dtype)
            found += [torch.mul(gradient, whole, out=rounded), None]
        return upstream, None, *found


def _leaf(x: Tensor, gradient: Tensor | None) -> Tensor:
    """The same numbers without their history; with a gradient, they want more of it."""
    leaf = x.detach().requires_grad_(gradient is not None)
    leaf.grad = gradient
    return leaf
