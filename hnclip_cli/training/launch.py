"""Joining the processes that torchrun or srun started."""

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from hnclip_cli.errors import HnclipError, Stopped
from hnclip_cli.streams.threads import within
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.place import Place
from hnclip_cli.training.watch import watched

START_SECONDS = 60.0
# Rank 0 may read a slow pipe while the others wait; a process that died is noticed at once.
WAIT = timedelta(hours=2)


def own_device(device: torch.device, place: Place | None) -> torch.device:
    """The GPU of this process, where several share a node and none was named.

    Slurm may show each process all GPUs of the node, or only its own, which then is number 0.
    """
    if place and device.type == "cuda" and device.index is None:
        return torch.device("cuda", place.local_rank % max(1, torch.cuda.device_count()))
    return device


@contextlib.contextmanager
def joined(
    place: Place | None, device: torch.device, lost: Callable[[str], None] = lambda line: None
) -> Iterator[Ranks]:
    """Meet the other processes for a while; without a place, alone.

    After a failure nothing is said to the others: they notice that this process went away.
    ``lost`` is told when one has stopped, and then this process ends; see `watched`.
    `HnclipError` where they do not come within a minute.
    """
    if place is None:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where kernels and NCCL go that are not told
    _meet(place, device)
    stopped = None
    try:
        with watched(place.rank, place.size, place.address, place.port, lost):
            yield Ranks(place.rank, place.size)
    except Stopped as error:
        stopped = error
    dist.destroy_process_group()
    if stopped:
        raise stopped


def _meet(place: Place, device: torch.device) -> None:
    os.environ |= {
        "RANK": str(place.rank),
        "WORLD_SIZE": str(place.size),
        "MASTER_ADDR": place.address,
        "MASTER_PORT": str(place.port),
    }
    try:
        # Elsewhere, because whoever listens at that address may be a stranger who says nothing.
        within(START_SECONDS, partial(_meet_here, place, device))
    except (RuntimeError, ValueError, dist.DistError, TimeoutError) as error:
        reason = (
            str(error).splitlines()[0] if str(error) else f"no answer within {START_SECONDS:g} s"
        )
        raise HnclipError(
            f"rank {place.rank} of {place.size} could not meet the others ({reason})",
            where=f"{place.address}:{place.port}",
            hint="the same MASTER_ADDR and MASTER_PORT on every node",
        ) from None


def _meet_here(place: Place, device: torch.device) -> None:
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    # A little less, so that it can say who did not come.
    meeting = rendezvous("env://", timeout=timedelta(seconds=0.9 * START_SECONDS))
    store, _, _ = next(iter(meeting))
    store.set_timeout(WAIT)
    dist.init_process_group(
        backend, store=store, rank=place.rank, world_size=place.size, timeout=WAIT
    )
