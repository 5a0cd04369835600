"""Peak memory of the objective, forward and backward: chunked against dense.

    python -m tests.bench.objective_memory [--size 2048] [--slots 4] [--dim 512] [--valid 1.0]
        [--device cpu] [--dtype float32] [--implementations dense chunked]

Each implementation runs in a process of its own, first on a small batch. What counts is how much
the peak of resident memory lies above what was resident before the step, with the inputs in it
(Linux: VmHWM, reset before the step; on CUDA, what torch's allocator held at most). The
features' gradients, which the step leaves behind, are part of it. glibc keeps much of what is
freed; peak_extra_mb is with blocks over 1 MB handed back at once (MALLOC_MMAP_THRESHOLD_), so
that it is what was in use, glibc_default_mb is without. Also measured is what autograd keeps
between forward and backward, at this size and at twice it. Prints one JSON line.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from tests.bench.machine import describe
from tests.bench.objective import make_batch, step

MB = 1e6


def resident(field: str) -> float:
    """VmRSS or VmHWM of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"no {field} in /proc/self/status")


def peak_extra(options: argparse.Namespace, implementation: str) -> float:
    """Bytes at the peak of one step, above those before it."""
    dtype = getattr(torch, options.dtype)
    shape = (options.slots, options.dim, options.valid, options.device, dtype)
    step(make_batch(64, *shape), implementation=implementation)
    batch = make_batch(options.size, *shape)
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(batch, implementation=implementation)
        return torch.cuda.max_memory_allocated() - before
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM := VmRSS
    before = resident("VmRSS")
    step(batch, implementation=implementation)
    return resident("VmHWM") - before


def saved_bytes(
    implementation: str, size: int, slots: int, dim: int, valid: float, device: str = "cpu"
) -> int:
    """What autograd keeps of the forward pass, inputs left out, each storage counted once."""
    batch = make_batch(size, slots, dim, valid, device, torch.float32)
    given = {
        value.untyped_storage().data_ptr()
        for value in batch.values()
        if isinstance(value, torch.Tensor)
    }
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in given:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = hard_negative_objective(**batch, implementation=implementation).loss
    assert loss.requires_grad  # the graph lives until here, so no storage was counted twice
    return sum(kept.values())


def saved_figures(options: argparse.Namespace, implementation: str) -> dict[str, float]:
    shape = (options.slots, options.dim, options.valid, options.device)
    saved = saved_bytes(implementation, options.size, *shape)
    doubled = saved_bytes(implementation, 2 * options.size, *shape)
    return {
        "saved_mb": round(saved / MB, 1),
        "saved_when_size_doubles": round(doubled / saved, 2),
    }


def in_own_process(implementation: str, **environment: str) -> float:
    """`peak_extra` in MB, as measured by a new process with our arguments."""
    command = [sys.executable, "-m", "tests.bench.objective_memory", *sys.argv[1:]]
    output = subprocess.run(
        [*command, "--one", implementation],
        env=os.environ | environment,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    return round(float(output) / MB, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--valid", type=float, default=1.0, help="share of slots in use")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--implementations", nargs="+", default=["dense", "chunked"])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(peak_extra(options, options.one))
        return
    figures = {
        name: {
            "peak_extra_mb": in_own_process(name, MALLOC_MMAP_THRESHOLD_=str(2**20)),
            "glibc_default_mb": in_own_process(name),
            **saved_figures(options, name),
        }
        for name in options.implementations
    }
    first = next(iter(figures.values()))
    shares = {
        measure: {
            name: round(found[measure] / first[measure], 3) for name, found in figures.items()
        }
        for measure in ("peak_extra_mb", "glibc_default_mb")
    }
    setting = {key: value for key, value in vars(options).items() if key != "one"}
    line = {"benchmark": "objective_memory", **setting, **figures, "share": shares}
    print(json.dumps(line | {"machine": describe()}))


if __name__ == "__main__":
    main()
