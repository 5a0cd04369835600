"""Signals that ask a run to stop."""

import contextlib
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from hnclip_cli.errors import Stopped

# What Slurm sends before it takes a machine back (--signal=USR1@60, and TERM at the end).
# SIGHUP comes when a terminal is closed, SIGINT is Ctrl-C.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT)
# Of one Ctrl-C a process hears from its terminal, and from torchrun as well.
TOGETHER_SECONDS = 0.5


def saved_after(step: int) -> Stopped:
    """How a run ends between two steps."""
    return Stopped(f"stopped by a signal after step {step}, with the state saved; --resume goes on")


class StopSignals:
    """While the context lasts, `SIGNALS` are requests to stop, unless ignored.

    Calling the object tells whether one has come. Until `wait_for_steps` there is nothing to
    lose, and one ends the run at once, whatever it waits for. A second Ctrl-C always does.

    Args:
        say: called with a line for who has pressed Ctrl-C and waits.
    """

    def __init__(self, say: Callable[[str], None] = lambda line: None) -> None:
        self._say = say
        self._interrupted: float | None = None  # when
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
        if number == signal.SIGINT:
            self._interrupt()
        elif not self._waits:
            raise Stopped("stopped by a signal before the first step; run it again")

    def _interrupt(self) -> None:
        now = time.monotonic()
        if not self._waits or now - (self._interrupted or now) > TOGETHER_SECONDS:
            raise KeyboardInterrupt
        if self._interrupted is None:
            self._interrupted = now
            with contextlib.suppress(RuntimeError):  # while another line is being written
                self._say("stopping after this step, with the state saved; Ctrl-C leaves at once")
