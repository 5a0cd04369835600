"""Signals that ask a run to stop."""

import signal
from types import FrameType
from typing import Any

from hnclip_cli.errors import Stopped

# What Slurm sends before it takes a machine back (--signal=USR1@60, and TERM at the end).
# SIGHUP comes when a terminal is closed.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


class StopSignals:
    """While the context lasts, SIGTERM, SIGUSR1 and SIGHUP are requests to stop, unless ignored.

    Calling the object tells whether one has come. Until `wait_for_steps` there is nothing to
    lose, and one ends the run at once, whatever it waits for.
    """

    def __init__(self) -> None:
        self._received = False
        self._waits = False
        self._previous: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self._received

    def request(self) -> None:
        """Ask for what the signals ask for."""
        self._received = True

    def wait_for_steps(self) -> None:
        """From now on, whoever asks this object between two steps does the stopping."""
        self._waits = True

    def __enter__(self) -> "StopSignals":
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants SIGHUP to be
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *details: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.request()
        if not self._waits:
            raise Stopped("stopped by a signal before the first step; run it again")
