"""The processes of a run, and what they tell each other."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """The processes that share a batch; one process by default, which talks to nobody.

    Every rank must make the same calls in the same order. Ranks may hold different numbers of
    rows, none too. Nothing here carries gradients: objectives form theirs by hand.

    Attributes:
        rank: this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def counts(self, num_rows: int, device: torch.device) -> list[int]:
        """How many rows each rank holds, in the order of the ranks."""
        if self.size == 1:
            return [num_rows]
        own = torch.tensor([num_rows], device=device)
        every = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(every, own)
        return [int(count) for count in torch.cat(every)]

    def gather(self, rows: Tensor, counts: list[int]) -> Tensor:
        """The rows of all ranks, in the order of the ranks: (b, …) to (sum of counts, …)."""
        rows = rows.detach().contiguous()
        if self.size == 1 or not any(counts):
            return rows
        # Collectives want equal shapes, so shorter ranks pad.
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        every = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(every, padded)
        return torch.cat([part[:count] for part, count in zip(every, counts, strict=True)])

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over the ranks."""
        return self._reduce(tensor, dist.ReduceOp.SUM)

    def max(self, tensor: Tensor) -> Tensor:
        """The maximum over the ranks, by element."""
        return self._reduce(tensor, dist.ReduceOp.MAX)

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
        dist.all_reduce(reduced, operation)
        return reduced
