"""Times of functions that take turns, so that a busy machine is busy for all of them."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Times:
    """What each run of a function took, in seconds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def figures(self, count: int) -> dict[str, float]:
        """Items a second by the clock and by processor time, medians, and cores kept busy."""
        wall, cpu = statistics.median(self.wall), statistics.median(self.cpu)
        return {
            "per_second": round(count / wall, 3),
            "per_cpu_second": round(count / cpu, 3),
            "cores_busy": round(sum(self.cpu) / sum(self.wall), 2),
        }


def alternate(rounds: int, *functions: Callable[[], object]) -> list[Times]:
    """Run the functions in turn, after one round to warm up."""
    times = [Times() for _ in functions]
    for number in range(rounds + 1):
        for function, found in zip(functions, times, strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            if number:
                found.wall.append(time.perf_counter() - wall)
                found.cpu.append(time.process_time() - cpu)
    return times


def ratio(ours: Times, theirs: Times, ours_count: int = 1, theirs_count: int = 1) -> float:
    """How many times as many items a second ours handles, by the clock: the median of rounds."""
    pairs = zip(ours.wall, theirs.wall, strict=True)
    return round(
        statistics.median((ours_count / mine) / (theirs_count / other) for mine, other in pairs),
        3,
    )
