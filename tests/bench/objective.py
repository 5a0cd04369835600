"""Time of the objective, forward and backward: chunked against dense.

    python -m tests.bench.objective [--size 2048] [--slots 4] [--dim 512] [--valid 1.0]
        [--rounds 5] [--device cpu] [--dtype float32] [--implementations dense chunked]
        [--chunk-sizes N ...] [--no-backward]

Random unit features; the implementations take turns, the median of each counts. With
--chunk-sizes, chunked is also timed at each of them. Prints one JSON line: seconds by the clock
and of the processor, the ratios of each to the first implementation, and useful FLOPs a second:
6·B·(B + V)·D of the contrastive term, V the valid negatives (a third of that with
--no-backward). On a busy machine, trust the processor's seconds of a single thread
(OMP_NUM_THREADS=1).
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from tests.bench.machine import describe

NUM_KINDS = 5


def make_batch(
    size: int, slots: int, dim: int, valid: float, device: str, dtype: torch.dtype
) -> dict[str, Any]:
    """Arguments of the objective, features as leaves."""
    generator = torch.Generator().manual_seed(0)

    def unit(*shape: int) -> torch.Tensor:
        features = F.normalize(torch.randn(*shape, generator=generator), dim=-1)
        return features.to(device, dtype).requires_grad_()

    mask = torch.rand(size, slots, generator=generator) < valid
    kinds = torch.randint(NUM_KINDS, (size, slots), generator=generator)
    return {
        "image_features": unit(size, dim),
        "text_features": unit(size, dim),
        "negative_features": unit(size, slots, dim),
        "negative_mask": mask.to(device),
        "logit_scale": torch.tensor(100.0, device=device, requires_grad=True),
        "negative_kinds": kinds.to(device),
        "thresholds": torch.zeros(NUM_KINDS, device=device),
        "imc_weight": 0.3,
        "cmr_weight": 0.2,
    }


def step(batch: dict[str, Any], backward: bool = True, **options: Any) -> None:
    """Once forward and, normally, backward; gradients are thrown away."""
    if not backward:
        with torch.no_grad():
            hard_negative_objective(**batch, **options)
        return
    for value in batch.values():
        if isinstance(value, torch.Tensor):
            value.grad = None
    torch.autograd.backward(hard_negative_objective(**batch, **options).loss)


def median_times(
    steps: dict[str, Callable[[], None]], rounds: int, device: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of each step by the clock and of the processor, all steps in turn.

    A first round does not count.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    processor: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, run in steps.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            if device == "cuda":
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - started)
            processor[name].append(time.process_time() - used)
    clock, cpu = (
        {name: statistics.median(found[1:]) for name, found in measured.items()}
        for measured in (times, processor)
    )
    return clock, cpu


def ratios(seconds: dict[str, float]) -> dict[str, float]:
    """Each to the first."""
    first = next(iter(seconds.values()))
    return {name: round(value / first, 3) for name, value in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--valid", type=float, default=1.0, help="share of slots in use")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--implementations", nargs="+", default=["dense", "chunked"])
    parser.add_argument("--chunk-sizes", type=int, nargs="*", default=[])
    parser.add_argument("--no-backward", action="store_true")
    options = parser.parse_args()
    dtype = getattr(torch, options.dtype)
    batch = make_batch(
        options.size, options.slots, options.dim, options.valid, options.device, dtype
    )
    run = partial(step, batch, not options.no_backward)
    steps = {name: partial(run, implementation=name) for name in options.implementations}
    for size in options.chunk_sizes:
        steps[f"chunked, {size} rows"] = partial(run, implementation="chunked", chunk_size=size)
    seconds, processor = median_times(steps, options.rounds, options.device)
    num_valid = int(batch["negative_mask"].sum())
    products = 2 if options.no_backward else 6
    flops = products * options.size * (options.size + num_valid) * options.dim
    figures = {
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "ratio": ratios(seconds),
        "processor_ratio": ratios(processor),
        "gflops": {name: round(flops / value / 1e9, 1) for name, value in seconds.items()},
    }
    setting = {"threads": torch.get_num_threads(), **vars(options)}
    print(json.dumps({"benchmark": "objective", **setting, **figures, "machine": describe()}))


if __name__ == "__main__":
    main()
