"""An objective as one CUDA graph, where starting its kernels takes longer than they run.

A graph repeats the same kernels on the same memory, and holds that memory as long as it lives. So
inputs are copied in, results are copied out, and only calls that repeat themselves are captured.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hnclip_cli.training.objectives.rows import refuse_second_derivative, with_gradients

_LOG = logging.getLogger(__name__)
# A kind of call is captured once this many of the calls of late were of it; so kinds that take
# turns are captured as long as all of them can be kept.
REPEATS, KEPT = 3, 2

Inputs = Sequence[Tensor | None]
# Inputs to results; the first is the loss, and no result is kept by the function.
Function = Callable[[Inputs], Sequence[Tensor]]


class Recording(NamedTuple):
    """Kernels that can be repeated, and the memory they work on."""

    repeat: Callable[[], None]
    inputs: Inputs
    results: Sequence[Tensor]
    gradients: Sequence[Tensor | None]  # of the loss by the inputs, times 1 / factor
    factor: float


class Recorder:
    """Evaluates functions of tensors, from a recording where the same call comes again and again.

    Args:
        record: makes a recording; raises whatever it likes where it cannot.
    """

    def __init__(self, record: Callable[[Function, Inputs, float], Recording]) -> None:
        self.record = record
        self.kept: OrderedDict[Hashable, Recording] = OrderedDict()
        self.recent: deque[Hashable] = deque(maxlen=KEPT * REPEATS)
        self.works = True

    def evaluate(
        self, function: Function, key: Hashable, inputs: Inputs, unit: float
    ) -> Sequence[Tensor]:
        """``function(inputs)``, whose results must depend on the key and the inputs alone.

        Gradients are kept times ``unit``: half precision has no room for what is too small.
        """
        kind = key, tuple(map(_kind, inputs))
        if self.works and kind not in self.kept and self.recent.count(kind) >= REPEATS:
            self._try(function, kind, inputs, unit)
        self.recent.append(kind)
        if kind not in self.kept:
            return function(inputs)
        self.kept.move_to_end(kind)
        return _repeat(self.kept[kind], function, inputs)

    def forget(self) -> None:
        """Let go of all recordings and of their memory."""
        self.kept.clear()
        self.recent.clear()

    def _try(self, function: Function, kind: Hashable, inputs: Inputs, unit: float) -> None:
        while len(self.kept) >= KEPT:
            self.kept.popitem(last=False)
        try:
            self.kept[kind] = self.record(function, inputs, unit)
        except Exception as failure:  # whatever a driver or a plug-in may raise
            self.works = False
            reason = (str(failure) or type(failure).__name__).splitlines()[0]
            _LOG.warning("hnclip: computing the objective without a CUDA graph (%s)", reason)


def record_cuda(function: Function, inputs: Inputs, unit: float) -> Recording:
    """A CUDA graph of a function and of the gradients of its first result."""
    own = own_copies(inputs)
    caller, graph = torch.cuda.current_stream(), torch.cuda.CUDAGraph()
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(caller)
    with torch.cuda.stream(side):
        results_and_gradients(function, own, unit)  # compiles and allocates what a first call does
    caller.wait_stream(side)
    # Threads that load data may go on.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        results, gradients = results_and_gradients(function, own, unit)
    # Without the history that led to them.
    results = [x.detach().requires_grad_(x.requires_grad) for x in results]
    return Recording(graph.replay, own, results, gradients, 1 / unit)


def own_copies(inputs: Inputs) -> Inputs:
    """Of the same numbers, without their history."""
    return [
        None if x is None else x.detach().clone().requires_grad_(x.requires_grad) for x in inputs
    ]


def results_and_gradients(
    function: Function, inputs: Inputs, factor: float = 1.0
) -> tuple[Sequence[Tensor], Sequence[Tensor | None]]:
    """The results, and the gradients of the first by the inputs, times a factor."""
    with torch.enable_grad():
        results = function(inputs)
    wanted = [x for x in inputs if x is not None and x.requires_grad]
    upstream = torch.full_like(results[0], factor)
    found = iter(torch.autograd.grad(results[0], wanted, upstream, allow_unused=True))
    gradients = [next(found) if x is not None and x.requires_grad else None for x in inputs]
    return results, gradients


def _repeat(recording: Recording, function: Function, inputs: Inputs) -> Sequence[Tensor]:
    with torch.no_grad():
        given = [x for x in inputs if x is not None]
        torch._foreach_copy_([x for x in recording.inputs if x is not None], given)
        recording.repeat()
        # The next call writes over what this one found.
        loss = recording.results[0].clone()
        factor = torch.full_like(loss, recording.factor)
        found = zip(inputs, recording.gradients, strict=True)
        kept = [None if x is None else x.clone() for own, x in found if own is not None]
    others = [
        _Recomputed.apply(function, number, result, *inputs)
        if result.requires_grad
        else result.clone()
        for number, result in enumerate(recording.results[1:], start=1)
    ]
    return [with_gradients(loss, given, kept, factor), *others]


class _Recomputed(torch.autograd.Function):
    """A result other than the loss, whose gradients are seldom wanted: backward finds them."""

    @staticmethod
    def forward(
        ctx: Any, function: Function, number: int, result: Tensor, *inputs: Tensor | None
    ) -> Tensor:
        ctx.function, ctx.number = function, number
        ctx.save_for_backward(*inputs)
        return result.detach().clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative()
        inputs = ctx.saved_tensors
        own = [None if x is None else x.detach().requires_grad_(x.requires_grad) for x in inputs]

        def weighted(inputs: Inputs) -> Sequence[Tensor]:
            return [upstream * ctx.function(inputs)[ctx.number]]

        _, gradients = results_and_gradients(weighted, own)
        return None, None, None, *gradients


def _kind(x: Tensor | None) -> Hashable:
    return None if x is None else (x.shape, x.dtype, x.device, x.requires_grad)


RECORDER = Recorder(record_cuda)
