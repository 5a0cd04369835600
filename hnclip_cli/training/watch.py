"""Watching the other processes of a run: one that is stopped answers nobody and fails nowhere."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import torch.distributed as dist

from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.threads import within
from hnclip_cli.training.distributed import WRITING

BEAT_SECONDS = 5.0
SILENT_SECONDS = 50.0


@contextlib.contextmanager
def watched(
    rank: int, size: int, address: str, port: int, lost: Callable[[str], None]
) -> Iterator[None]:
    """Tell the other ranks that this one lives, and look whether they do.

    Rank 0 looks at all, the others at rank 0. What waits for a silent one waits in C++, where no
    exception and no signal reaches it. So ``lost`` gets the line to say, and the process ends with
    exit code 1, but not while rank 0 writes.
    """
    over = threading.Event()
    place = rank, size, address, port
    threading.Thread(target=_watch, args=(*place, lost, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch(
    rank: int,
    size: int,
    address: str,
    port: int,
    lost: Callable[[str], None],
    over: threading.Event,
) -> None:
    others = range(1, size) if rank == 0 else range(1)
    beats, heard = dict.fromkeys(others, 0), dict.fromkeys(others, time.monotonic())
    store: Any = None
    while True:
        slept = time.monotonic()
        if over.wait(BEAT_SECONDS):
            return
        if time.monotonic() - slept > 2 * BEAT_SECONDS:  # this process was stopped, maybe all were
            heard = dict.fromkeys(others, time.monotonic())
        try:  # who holds the store may be the silent one
            store = store or within(BEAT_SECONDS, partial(_connected, address, port))
            counts = within(BEAT_SECONDS, partial(_beat, store, rank, others))
        except (RuntimeError, TimeoutError):
            store, counts = None, beats
        for other in others:
            if beats[other] != counts[other]:
                beats[other], heard[other] = counts[other], time.monotonic()
            if time.monotonic() - heard[other] > SILENT_SECONDS and not over.is_set():
                with WRITING:
                    lost(
                        f"{address}:{port}: rank {other} of {size} has not been heard of for "
                        f"{SILENT_SECONDS:g} seconds; try looking whether it was stopped"
                    )
                    os._exit(ExitCode.FAILED)


def _connected(address: str, port: int) -> Any:
    timeout = timedelta(seconds=BEAT_SECONDS)
    return dist.TCPStore(address, port, is_master=False, timeout=timeout)  # type: ignore[attr-defined]


def _beat(store: Any, rank: int, others: Iterable[int]) -> dict[int, int]:
    """One more beat of this rank; how many the others have had."""
    store.add(f"hnclip-beats/{rank}", 1)
    return {other: store.add(f"hnclip-beats/{other}", 0) for other in others}
