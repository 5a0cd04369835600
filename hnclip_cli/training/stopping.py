"""Signals that ask a run to stop."""

import signal
from types import FrameType
from typing import Any

from hnclip_cli.errors import Stopped

# What Slurm sends before it takes a machine back (--signal=USR1@60, and TERM at the end).
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopSignals:
    """While the context lasts, SIGTERM and SIGUSR1 are requests to stop.

    Calling the object tells whether one has come. Until `wait_for_steps` there is nothing to
    lose, and one ends the run at once, whatever it waits for.
    """

    def __init__(self) -> None:
        self._received = False
        self._waits = False
        self._previous: list[Any] = []

    def __call__(self) -> bool:
        return self._received

    def request(self) -> None:
        """Ask for what the signals ask for."""
        self._received = True

    def wait_for_steps(self) -> None:
        """From now on, whoever asks this object between two steps does the stopping."""
        self._waits = True

    def __enter__(self) -> "StopSignals":
        self._previous = [signal.signal(number, self._note) for number in SIGNALS]
        return self

    def __exit__(self, *details: object) -> None:
        for number, handler in zip(SIGNALS, self._previous, strict=True):
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.request()
        if not self._waits:
            raise Stopped("stopped by a signal before the first step; run it again")
