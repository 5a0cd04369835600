"""Sums over the rows of a batch that several processes share, in bounded memory."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hnclip_cli.training.distributed import Ranks

# (tensors cut to a chunk of rows, tensors of all rows of all ranks, scale) to the sum over the
# chunk's rows, shape ().
RowTerm = Callable[[list[Tensor], list[Tensor], Tensor], Tensor]

# A chunk's size in numbers: what stays in a CPU's cache, and what keeps an accelerator busy.
CPU_CHUNK = 1 << 20
ACCELERATOR_CHUNK = 1 << 26


def masked_mean(values: Tensor, mask: Tensor, ranks: Ranks) -> Tensor:
    """The mean of the valid values of all ranks, shape (); 0 where there are none.

    The value is that of the whole batch; the gradient is this rank's part, and the parts of the
    ranks add up to the whole.
    """
    part = values.masked_fill(~mask, 0).sum() / ranks.sum(mask.sum()).clamp(min=1)
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
    counts = ranks.counts(len(rows[0]))
    seen_by_all = [_leaf(widened(ranks.gather(x, counts)), x) for x in columns]
    factor = _leaf(widened(scale), scale)
    numbers = CPU_CHUNK if scale.device.type == "cpu" else ACCELERATOR_CHUNK
    size = chunk_size or max(1, numbers // max(1, numbers_per_row))

    total = torch.zeros_like(factor, requires_grad=False)
    sums = [
        torch.zeros_like(x) if x.requires_grad and wants_gradients else None
        for x in (*rows, *seen_by_all, factor)
    ]
    for start in range(0, len(rows[0]), size):
        chunk = [_leaf(x[start : start + size], x) for x in rows]
        with torch.set_grad_enabled(wants_gradients):
            value = term(chunk, seen_by_all, factor)
        total += value.detach()
        if wants_gradients:
            found = _gradients(value, [*chunk, *seen_by_all, factor])
            for place, (whole, gradient) in enumerate(zip(sums, found, strict=True)):
                if whole is not None and gradient is not None:
                    part = whole[start : start + size] if place < len(rows) else whole
                    part += gradient

    for place in range(len(rows), len(rows) + len(columns)):
        whole = sums[place]
        if whole is not None:
            sums[place] = ranks.scatter_sum(whole, counts)
    return with_gradients(ranks.sum(total), inputs, sums)


def widened(x: Tensor) -> Tensor:
    """In float32 or wider, where they are floating-point numbers."""
    return x.to(torch.promote_types(x.dtype, torch.float32)) if x.is_floating_point() else x


def with_gradients(
    value: Tensor, inputs: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> Tensor:
    """The value as a function of the inputs that have a gradient here; differentiable once."""
    pairs: list[Tensor] = []
    for x, gradient in zip(inputs, gradients, strict=True):
        if gradient is not None and x.requires_grad:
            pairs += [x, gradient.to(x.dtype)]
    result: Tensor = _GivenGradients.apply(value, *pairs) if pairs else value
    return result


class _GivenGradients(torch.autograd.Function):
    """A value whose gradients are known already: (value, input, gradient, input, gradient, …)."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *pairs: Tensor) -> Tensor:
        ctx.save_for_backward(*pairs[1::2])
        return value.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        # once_differentiable would let a second derivative pass, as 0, where upstream is constant.
        if torch.is_grad_enabled():
            raise RuntimeError("got create_graph, expected implementation dense with it")
        pairs = ((gradient * upstream, None) for gradient in ctx.saved_tensors)
        return None, *(part for pair in pairs for part in pair)


def _gradients(value: Tensor, leaves: list[Tensor]) -> list[Tensor | None]:
    """The gradient of each leaf that wants one."""
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    found = iter(torch.autograd.grad(value, wanted, allow_unused=True, materialize_grads=True))
    return [next(found) if leaf.requires_grad else None for leaf in leaves]


def _leaf(x: Tensor, origin: Tensor) -> Tensor:
    """The same numbers without their history, with a gradient where the origin has one."""
    return x.detach().requires_grad_(origin.requires_grad)
