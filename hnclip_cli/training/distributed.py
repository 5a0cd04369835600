"""The processes of a run, and what they tell each other."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from hnclip_cli.errors import HnclipError, Stopped

T = TypeVar("T")

# Held while rank 0 writes or measures, which must not be ended in the middle.
WRITING = threading.Lock()


@contextlib.contextmanager
def _talking() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # gloo: "[file:line] Connection closed by peer [address]. Advice"
        reason = re.sub(r"^\[[^\]]*\] *", "", str(error).splitlines()[0]).split(". ")[0]
        raise HnclipError(
            f"another process of this run ended ({reason})",
            hint="reading the message of that process",
        ) from error


@dataclass(frozen=True)
class Ranks:
    """The processes that share a batch; one process by default, which talks to nobody.

    Every rank must make the same calls in the same order. Ranks may hold different numbers of
    rows, none too. Nothing here carries gradients: objectives form theirs by hand.
    """

    rank: int = 0  # this process
    size: int = 1  # how many there are

    def counts(self, num_rows: int) -> list[int]:
        """How many rows each rank holds, in the order of the ranks."""
        if self.size == 1:
            return [num_rows]
        own = torch.tensor([num_rows])  # on the CPU, where nothing waits for the device
        return [int(count) for count in self.gather(own, [1] * self.size)]

    def gather(self, rows: Tensor, counts: list[int]) -> Tensor:
        """The rows of all ranks, in the order of the ranks: (b, …) to (sum of counts, …)."""
        rows = rows.detach().contiguous()
        if self.size == 1 or not any(counts):
            return rows
        # Collectives want equal shapes, so shorter ranks pad.
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        every = [torch.empty_like(padded) for _ in range(self.size)]
        with _talking():
            dist.all_gather(every, padded)
        return torch.cat([part[:count] for part, count in zip(every, counts, strict=True)])

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over the ranks."""
        return self._reduce(tensor, dist.ReduceOp.SUM)

    def begin_sum(self, tensor: Tensor) -> Callable[[], None]:
        """Begin to replace a tensor by its sum over the ranks; what is returned waits for it.

        A GPU goes on meanwhile, and waits itself.
        """
        with _talking():
            work = dist.all_reduce(tensor, async_op=True)

        def wait() -> None:
            with _talking():
                work.wait()

        return wait

    def max(self, tensor: Tensor) -> Tensor:
        """The maximum over the ranks, by element."""
        return self._reduce(tensor, dist.ReduceOp.MAX)

    def broadcast(self, facts: T) -> T:
        """What rank 0 gives, on every rank."""
        shared = [facts]
        if self.size > 1:
            with _talking():
                dist.broadcast_object_list(shared, 0, device=torch.device("cpu"))
        return shared[0]

    def first(self, action: Callable[[], T]) -> T | None:
        """What rank 0 does while the others wait; they get None, or an error where it fails."""
        result: T | None = None
        failure: Exception | Stopped | None = None
        if self.rank == 0:
            try:
                with WRITING:
                    result = action()
            except (Exception, Stopped) as error:  # the others wait for an answer
                failure = error
        failed, stopped = self.broadcast((failure is not None, isinstance(failure, Stopped)))
        if failure:
            raise failure
        if stopped:
            raise Stopped("stopped together with rank 0")
        if failed:
            raise HnclipError(
                "rank 0 of this run failed", hint="reading the message of that process"
            )
        return result

    def own(self, rows: Tensor, counts: list[int]) -> Tensor:
        """This rank's part of rows that `gather` has put together."""
        start = sum(counts[: self.rank])
        return rows[start : start + counts[self.rank]]

    def scatter_sum(self, rows: Tensor, counts: list[int]) -> Tensor:
        """This rank's part of the sum over the ranks: the transpose of `gather`."""
        if self.size == 1:
            return rows.detach()
        # All-reduce moves twice what reduce-scatter would, but gloo has no reduce-scatter of
        # uneven parts. The copy lets go of the other ranks' parts.
        return self.own(self.sum(rows), counts).clone()

    def _reduce(self, tensor: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        if self.size == 1:
            return tensor.detach()
        reduced = tensor.detach().clone(memory_format=torch.contiguous_format)
        with _talking():
            dist.all_reduce(reduced, operation)
        return reduced
