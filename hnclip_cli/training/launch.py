"""Joining the processes that torchrun or srun started."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from hnclip_cli.errors import HnclipError, Stopped
from hnclip_cli.streams.threads import within
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.watch import watched

START_SECONDS = 60.0
# Rank 0 may read a slow pipe while the others wait; a process that died is noticed at once.
WAIT = timedelta(hours=2)


@dataclass(frozen=True)
class Place:
    """Where a process stands among those of its run."""

    rank: int  # of all processes, from 0
    size: int  # how many there are
    local_rank: int  # of the processes of this node, from 0; it chooses the GPU
    address: str  # host of rank 0
    port: int  # where rank 0 listens


def find_place(environment: Mapping[str, str]) -> Place | None:
    """torchrun's variables, else those of a Slurm step; `HnclipError` where some are missing.

    None for a single process, as outside of ``srun`` in a job, whatever its tasks.
    """
    if "WORLD_SIZE" in environment or "RANK" in environment:
        size = _number(environment, "WORLD_SIZE")
        rank = _number(environment, "RANK")
        if size == 1:
            return None
        port, address = _port(environment), _text(environment, "MASTER_ADDR")
        return Place(rank, size, _number(environment, "LOCAL_RANK"), address, port)
    size = _number(environment, "SLURM_STEP_NUM_TASKS", "1")
    if size == 1:
        return None
    address = environment.get("MASTER_ADDR") or _first_host(
        _text(environment, "SLURM_STEP_NODELIST")
    )
    # The same on every node, and another one for another job on the same node.
    default = str(20000 + _number(environment, "SLURM_JOB_ID") % 20000)
    rank, local_rank = (_number(environment, f"SLURM_{name}") for name in ("PROCID", "LOCALID"))
    return Place(rank, size, local_rank, address, _port(environment, default))


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


def _text(environment: Mapping[str, str], name: str, default: str | None = None) -> str:
    text = environment.get(name, default)
    if text is None:
        raise HnclipError(f"{name} is not set", expected="what torchrun or srun sets")
    return text


def _port(environment: Mapping[str, str], default: str | None = None) -> int:
    port = _number(environment, "MASTER_PORT", default)
    if not 0 < port < 1 << 16:
        raise HnclipError("MASTER_PORT is no port", got=str(port), expected="1 to 65535")
    return port


def _number(environment: Mapping[str, str], name: str, default: str | None = None) -> int:
    text = _text(environment, name, default)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise HnclipError(f"{name} is no number", got=repr(text), expected="at most nine digits")
    return int(text)


def _first_host(nodes: str) -> str:
    """The first host of a Slurm node list: ``gpu[07-09,12],login1`` gives ``gpu07``."""
    match = re.match(r"([^,\[]+)(?:\[([^\]]+)\]([^,\[]*))?", nodes)
    if not match:
        raise HnclipError("SLURM_STEP_NODELIST is no list of hosts", got=repr(nodes))
    prefix, numbers, suffix = match.groups()
    return prefix + (re.split("[-,]", numbers)[0] + suffix if numbers else "")
