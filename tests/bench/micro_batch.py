"""Micro-batches of a training step: memory, work, time and gradients; and what --dry-run says.

    HNCLIP_TEST_DATA=DATA python -m tests.bench.micro_batch [--model ViT-B-32] [--batch-size 16]
        [--micro-batch 0 4 1] [--rounds 3]

COCO captions with four negatives each, random pixels and weights, the objective ce-clip and its
optimizer. Memory is taken in a process of its own for each size: the peak (Linux: VmHWM) of the
second step above what was resident before the model was loaded, but once another had been;
blocks over 1 MB are handed back at once. FLOPs are PyTorch's count of a step's matrix products.
Times are medians of alternated rounds, as multiples of the first size's. Prints one JSON line.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from hnclip_cli.models.load import load_clip
from hnclip_cli.streams.records import Record
from hnclip_cli.training.batches import Batch, Sample, collate
from hnclip_cli.training.config import NumSlots, TrainConfig
from hnclip_cli.training.optimizer import make_optimizer
from hnclip_cli.training.plan import estimate
from hnclip_cli.training.step import forward_backward
from tests.bench.machine import describe
from tests.bench.objective_memory import MB, resident
from tests.bench.rounds import alternate, ratio
from tests.bench.train_step import NUM_SLOTS, records_with_negatives


def texts_of(record: Record) -> list[str]:
    """The caption and as many negatives as there are slots."""
    negatives = [negative.caption for negative in record.negatives[:NUM_SLOTS]]
    return [record.caption, *negatives]


class Step:
    """The same batch and model for micro-batches of any size."""

    def __init__(self, options: argparse.Namespace, texts: list[list[str]]) -> None:
        self.options = options
        self.clip = load_clip(options.model, device="cpu")
        self.batch = self._batch(texts)
        self.thresholds = torch.zeros(1)
        # So small a rate leaves the weights where they are, and costs what any rate does.
        self.optimizer = make_optimizer(self.clip.module.train().parameters(), 1e-12, 0.1)

    def _batch(self, texts: list[list[str]]) -> Batch:
        torch.manual_seed(0)
        size = self.clip.module.visual.image_size
        height, width = size if isinstance(size, tuple) else (size, size)
        samples = []
        for row, own in enumerate(texts):
            pixels = torch.randn(3, height, width)
            samples.append(Sample(own, [0] * NUM_SLOTS, row, [pixels], []))
        return collate(samples, NumSlots(NUM_SLOTS), self.clip)

    def __call__(self, micro_batch: int) -> None:
        self._backward(micro_batch)
        self.optimizer.step()

    def _backward(self, micro_batch: int) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        config = settings(self.options, micro_batch)
        forward_backward(self.clip, self.batch, config, self.thresholds)

    def gradients(self, micro_batch: int) -> torch.Tensor:
        self._backward(micro_batch)
        parameters = self.clip.module.parameters()
        return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


def settings(options: argparse.Namespace, micro_batch: int) -> TrainConfig:
    return TrainConfig(steps=1, batch_size=options.batch_size, micro_batch=micro_batch)


def measure_peak(options: argparse.Namespace, texts: list[list[str]], micro_batch: int) -> float:
    """Bytes of weights, gradients, moments and the step itself."""
    Step(options, texts[:2])(0)  # what libraries and tokenizer need is not the step's
    gc.collect()
    before = resident("VmRSS")
    step = Step(options, texts)
    step(micro_batch)
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM := VmRSS
    step(micro_batch)
    return resident("VmHWM") - before


def peak_in_own_process(texts: list[list[str]], micro_batch: int) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.micro_batch", *sys.argv[1:], "--one", str(micro_batch)],
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**20)},
        input=json.dumps(texts).encode(), stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return float(done.stdout)


def figures(
    options: argparse.Namespace, step: Step, texts: list[list[str]], micro_batch: int
) -> dict[str, Any]:
    """Measured, and as --dry-run estimates it."""
    counter = FlopCounterMode(display=False)
    with counter:
        step(micro_batch)
    records = [
        {"image": "-", "caption": own[0], "negatives": [{"caption": text} for text in own[1:]]}
        for own in texts
    ]
    said = estimate(settings(options, micro_batch), options.model, records, precision="fp32")
    whole, parts = step.gradients(0), step.gradients(micro_batch)
    return {
        "peak_mb": round(peak_in_own_process(texts, micro_batch) / MB, 1),
        "estimated_peak_mb": round(said["memory_bytes"]["total"] / MB, 1),
        "gflops": round(counter.get_total_flops() / 1e9, 1),
        "estimated_gflops": round(sum(said["flops_per_step"].values()) / 1e9, 1),
        "gradients_differ_by": float((parts - whole).norm() / whole.norm()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--micro-batch", type=int, nargs="+", default=[0, 4, 1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(measure_peak(options, json.load(sys.stdin), options.one))
        return
    texts = [texts_of(record) for record in records_with_negatives(options.batch_size)]
    step, sizes = Step(options, texts), options.micro_batch
    found = {size: figures(options, step, texts, size) for size in sizes}
    times = alternate(options.rounds, *(partial(step, size) for size in sizes))
    for size, own in zip(sizes, times, strict=True):
        found[size]["time"] = ratio(times[0], own)
    setting = {"model": options.model, "batch_size": options.batch_size}
    line = {"benchmark": "micro_batch", **setting, "micro_batch": found}
    print(json.dumps(line | {"machine": describe()}))


if __name__ == "__main__":
    main()
