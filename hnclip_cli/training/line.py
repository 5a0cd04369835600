"""What the clock says of a run, on a terminal and, where that is asked for, in its log."""

import time
from datetime import UTC, datetime
from typing import Any

from hnclip_cli.streams.pace import Pace


class StepLine:
    """What is said of a step: how many there are, loss, speed, time left, waiting.

    Args:
        pace: of the run.
        seconds: the run's own time, where the clock ends it.
    """

    def __init__(self, pace: Pace, seconds: float | None) -> None:
        self._pace, self._seconds = pace, seconds
        self._first: tuple[int, float] | None = None  # the first step that this process did, when

    def text(self, step: int, num_steps: int | None, loss: float) -> str:
        """The line after a step."""
        now = time.monotonic()
        first_step, started = self._first = self._first or (step, now)
        said = [f"step {step:,}" + (f" of {num_steps:,}" if num_steps else ""), f"loss {loss:.4g}"]
        if step > first_step:
            rate = (now - started) / (step - first_step)
            left = (num_steps - step) * rate if num_steps else (self._seconds or 0) - now + started
            said += [self._pace.speed(), f"{_clock(left)} left"]
            said.append(f"{self._pace.waited:.0%} waiting")
        return " | ".join(said)


def _clock(seconds: float) -> str:
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


class LogTimes:
    """Adds to lines of metrics when they are written, and the speed since the one before."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._before = (0, 0.0)  # items and seconds

    def added(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """The line with ``time`` (ISO 8601, UTC) and, of steps, ``samples_per_second``."""
        now = self._pace.num_items, self._pace.seconds
        items, seconds = (one - before for one, before in zip(now, self._before, strict=True))
        said = metrics | {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        if seconds and "val" not in metrics:
            self._before = now
            said["samples_per_second"] = round(items / seconds, 2)
        return said
