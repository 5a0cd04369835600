"""Metrics to the dashboards of others: TensorBoard, and Weights & Biases.

Each is written to by a thread of its own, so that one that hangs or fails never holds up a run.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from queue import Full, Queue
from threading import Thread
from typing import Any, NamedTuple

from hnclip_cli.errors import HnclipError

LAST_SECONDS = 10.0  # that a run waits for a tracker at its end
MAX_WAITING = 10_000  # lines


class Tracker(NamedTuple):
    """How one is written to."""

    log: Callable[[dict[str, float], int], None]  # numbers by name, and their step
    finish: Callable[[], None]


class Tracking:
    """Hands metrics to a tracker, which is opened with the first of them; a context.

    Args:
        name: of the tracker, for messages.
        start: opens it.
        note: called with a line where it fails, or does not end in time; the run goes on.
    """

    def __init__(
        self, name: str, start: Callable[[], Tracker], note: Callable[[str], None]
    ) -> None:
        self._name, self._start, self._note = name, start, note
        self._lines: Queue[Mapping[str, Any] | None] = Queue(MAX_WAITING)
        self._thread: Thread | None = None
        self._num_lost = 0

    def __enter__(self) -> "Tracking":
        return self

    def __exit__(self, *details: object) -> None:
        if self._thread is None:
            return
        self.put(None)
        self._thread.join(LAST_SECONDS)
        if self._thread.is_alive():
            self._num_lost += self._lines.qsize()
            self._note(f"{self._name} did not end within {LAST_SECONDS:g} s, and is left behind")
        if self._num_lost:
            self._note(f"{self._name} has not got {self._num_lost} lines, which the log has")

    def put(self, metrics: Mapping[str, Any] | None) -> None:
        """Hand on a line of the log; None is the end. It never waits."""
        if self._thread is None:
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()
        try:
            self._lines.put_nowait(metrics)
        except Full:
            self._num_lost += 1

    def _work(self) -> None:
        try:
            tracker = self._start()
            while (metrics := self._lines.get()) is not None:
                tracker.log(dict(numbers(metrics)), metrics["step"])
            tracker.finish()
        except Exception as error:
            self._note(f"{self._name} failed, and the run goes on without it: {error}")
            while self._lines.get() is not None:
                self._num_lost += 1


def numbers(metrics: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """All numbers of a line but its step, named as paths: ``val/accuracy/pair``."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from numbers(value, f"{path}{name}/")
        elif isinstance(value, (int, float)) and (path or name != "step"):
            yield f"{path}{name}", value


def check_installed(package: str) -> None:
    """Raises HnclipError where a tracker's package is not there."""
    if find_spec(package) is None:
        raise HnclipError(
            f"--{package} needs the package {package}", hint=f"pip install 'hnclip[{package}]'"
        )


def tensorboard(folder: str) -> Tracker:
    """An event file in a folder."""
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(folder)

    def log(found: dict[str, float], step: int) -> None:
        for name, value in found.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return Tracker(log, writer.close)


def wandb(output: str, config: Mapping[str, Any]) -> Tracker:
    """A run in a folder ``wandb`` of the output, sent where ``WANDB_MODE`` is online."""
    import wandb as package

    os.makedirs(output, exist_ok=True)
    run = package.init(
        project=os.environ.get("WANDB_PROJECT", "hnclip"),
        name=os.environ.get("WANDB_NAME", os.path.basename(os.path.abspath(output))),
        dir=output, config=dict(config), mode=os.environ.get("WANDB_MODE", "offline"),
        settings=package.Settings(silent=True, console="off"),
    )  # fmt: skip
    return Tracker(lambda found, step: run.log(found, step=step), run.finish)
