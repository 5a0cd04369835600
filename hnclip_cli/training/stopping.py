"""Signals that ask a run to stop, obeyed between two steps."""

import signal
from types import FrameType, TracebackType
from typing import Any

# What Slurm sends before it takes a machine back (--signal=USR1@60, and TERM at the end).
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopSignals:
    """While the context lasts, notes SIGTERM and SIGUSR1 instead of dying of them.

    Calling the object tells whether one has come.
    """

    def __init__(self) -> None:
        self._received = False
        self._previous: list[Any] = []

    def __call__(self) -> bool:
        return self._received

    def __enter__(self) -> "StopSignals":
        self._previous = [signal.signal(number, self._note) for number in SIGNALS]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in zip(SIGNALS, self._previous, strict=True):
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received = True
