"""Gradients summed over the processes of a run, while the backward pass goes on."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from hnclip_cli.training.distributed import Ranks

NOT_KNOWN = -1
BUCKET_BYTES = 25 << 20  # of a sum, as in PyTorch's DistributedDataParallel


class _Sum(NamedTuple):
    """A bucket on its way."""

    flat: Tensor  # its gradients, one behind the other
    wait: Callable[[], None]
    passes: list[int]  # backward passes that each of them had seen


class GradientSum:
    """Sums gradients over the ranks, a bucket as soon as its last gradient is there.

    A gradient is taken to be whole after as many backward passes as in the step before. Where
    more come, as with more micro-batches, its bucket is summed again. All ranks send the buckets
    in the same order, that of the gradients in rank 0's first step, and all at the end of a step
    where the order is not yet known or a rank has no rows.

    Leaving the ``with`` block takes the hooks from the parameters.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], ranks: Ranks) -> None:
        self._ranks = ranks
        self.parameters = [p for p in parameters if p.requires_grad]
        self._passes = [0] * len(self.parameters)  # backward passes of this step, of each
        self._expected = list(self._passes)  # those of the step before
        self._order: list[int] = []  # positions of parameters as their gradients came
        self._is_ordered = False
        self._sums: list[_Sum] = []
        self._fill(list(range(len(self.parameters)))[::-1])
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(partial(self._count, position))  # type: ignore[no-untyped-call]
            for position, parameter in enumerate(self.parameters if ranks.size > 1 else ())
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def finish(self) -> None:
        """Replace each gradient by its sum over the ranks.

        A parameter without a gradient on any rank stays without one, as in a single process.
        """
        if self._ranks.size == 1 or not self.parameters:
            return
        while len(self._sums) < len(self._buckets):
            self._send(self._buckets[len(self._sums)])
        is_late = [0] * len(self.parameters)
        for bucket, sent in zip(self._buckets, self._sums, strict=True):
            for position, passes in zip(bucket, sent.passes, strict=True):
                is_late[position] = int(self._passes[position] > passes)
        is_there = [int(parameter.grad is not None) for parameter in self.parameters]
        late, there = self._ranks.max(torch.tensor([is_late, is_there])).tolist()
        sums, self._sums = self._sums, []
        for bucket, sent in zip(self._buckets, sums, strict=True):
            sent.wait()
            if any(late[position] for position in bucket):
                self._send(bucket)
                sent = self._sums.pop()
                sent.wait()
            sizes = [self.parameters[position].numel() for position in bucket]
            parts = torch.split(sent.flat, sizes)
            for position, part in zip(bucket, parts, strict=True):
                parameter = self.parameters[position]
                parameter.grad = part.view_as(parameter) if there[position] else None
        self._begin_anew()

    def _begin_anew(self) -> None:
        if not self._is_ordered and (order := self._ranks.broadcast(self._order)):
            self._is_ordered = True
            self._fill(order + sorted(set(range(len(self.parameters))) - set(order)))
        self._expected, self._passes = self._passes, [0] * len(self._passes)
        counts = [sum(self._expected[p] > 0 for p in bucket) for bucket in self._buckets]
        self._missing = [count or NOT_KNOWN for count in counts] + [NOT_KNOWN]

    def _fill(self, order: list[int]) -> None:
        """Put the parameters into buckets in this order, each of one type and device."""
        self._buckets: list[list[int]] = []
        kind, room = None, 0
        for position in order:
            parameter = self.parameters[position]
            size = parameter.numel() * parameter.element_size()
            if kind != (parameter.dtype, parameter.device) or size > room:
                self._buckets.append([])
                kind, room = (parameter.dtype, parameter.device), BUCKET_BYTES
            self._buckets[-1].append(position)
            room -= size
        self._bucket_of = {p: number for number, of in enumerate(self._buckets) for p in of}
        # Gradients of each that are still to come; some that nobody knows, and behind the last.
        self._missing = [NOT_KNOWN] * (len(self._buckets) + 1)

    def _count(self, position: int, parameter: Tensor) -> None:
        """A backward pass has added to this gradient."""
        if not self._passes[position] and not self._is_ordered:
            self._order.append(position)
        self._passes[position] += 1
        if self._passes[position] != self._expected[position]:
            return
        self._missing[self._bucket_of[position]] -= 1
        while self._missing[len(self._sums)] == 0:
            self._send(self._buckets[len(self._sums)])

    def _send(self, bucket: list[int]) -> None:
        gradients = [
            torch.zeros_like(p) if p.grad is None else p.grad
            for p in (self.parameters[position] for position in bucket)
        ]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        passes = [self._passes[position] for position in bucket]
        self._sums.append(_Sum(flat, self._ranks.begin_sum(flat), passes))
