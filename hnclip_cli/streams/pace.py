"""How fast a model gets through its input, and how long it waits for it."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

# Less says nothing of a longer run.
MIN_SECONDS = 1.0
# Of the time; a model that waits less is not held up by its input.
MUCH = 0.1


class Pace:
    """Counts items and the time in which the model waits, from the end of the first batch on.

    Before that processes start and kernels are compiled.

    Args:
        unit: what is counted, in the plural.
        workers: processes that decode images; None where there is nothing to decode.
    """

    def __init__(self, unit: str, workers: int | None = None) -> None:
        self._unit, self._workers = unit, workers
        self.num_items, self._waited = 0, 0.0  # those behind the first batch
        self._started: float | None = None
        self.seconds = 0.0  # from the first batch to the last one that was done
        self.waited = 0.0  # the share of them in which the model waited, 0 to 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The model waits meanwhile."""
        begun = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begun

    def each(self, batches: Iterable[T]) -> Iterator[T]:
        """The batches; the model waits for each."""
        source = iter(batches)
        while True:
            try:
                with self.waiting():
                    batch = next(source)
            except StopIteration:
                return
            yield batch

    def add(self, num_items: int) -> None:
        """A batch of so many items is done."""
        now = time.perf_counter()
        if self._started is None:
            self._started, self._waited = now, 0.0
            return
        self.num_items += num_items
        self.seconds = now - self._started
        self.waited = self._waited / self.seconds if self.seconds else 0.0

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.num_items / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        return f"{self.speed()}, {self.waited:.0%} waiting"

    def notes(self) -> list[str]:
        """A line on the whole run, with what to raise; none where it was short."""
        if self.seconds < MIN_SECONDS or not self.num_items:
            return []
        waits = f"the model waited for its input in {self.waited:.0%} of the time"
        return [f"{self.speed()}; {waits}{self._advice()}"]

    def speed(self) -> str:
        """The rate in words."""
        rate = f"{self.rate:,.0f}" if self.rate >= 10 else f"{self.rate:.2g}"
        return f"{rate} {self._unit}/s"

    def _advice(self) -> str:
        cores = os.cpu_count() or 1
        if self.waited < MUCH or self._workers is None:
            return ""
        if self._workers < cores:
            return f"; try --workers {min(cores, max(1, 2 * self._workers))}"
        return f": {self._workers} processes decode on {cores} cores"
