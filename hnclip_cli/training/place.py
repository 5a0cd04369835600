"""Where a process stands among those that torchrun or srun started; no torch is imported."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hnclip_cli.errors import HnclipError


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
