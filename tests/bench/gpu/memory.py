"""Stage: what `--dry-run` predicts of a step's memory, and how much of it auto sizes use.

Steps are those of `hnclip train`, with its optimizer, on captions and negatives of COCO.
"""

import copy
import gc
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from PIL import Image
from torch import nn

from hnclip_cli.models.clip import Clip
from hnclip_cli.models.load import load_clip
from hnclip_cli.models.meta import Meter, to_meta
from hnclip_cli.streams.records import as_records
from hnclip_cli.training.batches import Sample
from hnclip_cli.training.config import NumSlots, TrainConfig
from hnclip_cli.training.export import adapt
from hnclip_cli.training.memory import COPIES, StepOnMeta, samples_on_meta
from hnclip_cli.training.objectives.captured import RECORDER
from hnclip_cli.training.optimizer import make_optimizer
from hnclip_cli.training.step import forward_backward
from tests.bench.gpu.kit import Kit, captions_of, environment_of

SLOTS = NumSlots(4)
SECONDS = 25  # after which no further case is begun
# Of a model: precision and settings.
CASES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "ViT-B-32": [
        ("bf16", {"batch_size": 512}),
        ("bf16", {"batch_size": 64}),
        ("fp32", {"batch_size": 256}),
        ("bf16", {"batch_size": 512, "micro_batch": 64}),
        ("bf16", {"batch_size": 256, "lora_rank": 8}),
        ("bf16", {"batch_size": 256, "lock": "image"}),
        ("bf16", {"batch_size": 256}),
        ("bf16", {"batch_size": 128}),
        ("bf16", {"batch_size": 256, "objective": "fsc-clip"}),
    ],
    "ViT-L-14": [
        ("bf16", {"batch_size": 96}),
        ("bf16", {"batch_size": 16}),
        ("bf16", {"batch_size": 48}),
    ],
}
SMALL_CASES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "hnclip-tiny-vit": [("fp32", {"batch_size": 8}), ("fp32", {"batch_size": 8, "micro_batch": 2})]
}
# Each batch is another one. From the fourth step on the objective is a CUDA graph.
STEPS = 5


def main() -> None:
    kit, started = Kit.from_arguments(), time.monotonic()
    worst = 0.0
    for model, cases in (SMALL_CASES if kit.small else CASES).items():
        loaded = load_clip(model, device="cpu")
        for precision, settings in cases:
            if time.monotonic() - started < SECONDS:
                RECORDER.forget()
                gc.collect()
                if not kit.small:
                    torch.cuda.empty_cache()
                case = Case.make(kit, loaded, precision, settings)
                worst = max(worst, case.report(f"{model}, {precision}"))
                del case
    kit.say("memory of a step: largest error of the prediction", worst, at_most=0.15)
    if not kit.small:
        gc.collect()
        torch.cuda.empty_cache()
        auto_sizes(kit)


def auto_sizes(kit: Kit) -> None:
    """The very `hnclip train`, whose use of the GPU is watched from here."""
    Image.effect_noise((224, 224), 64).convert("RGB").save(kit.work / "noise.png")
    records = [record | {"image": "noise.png"} for record in captions_of(kit, 6000)]
    (kit.work / "noise.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    for flags in (["--batch-size", "auto"], ["--batch-size", "4096", "--micro-batch", "auto"]):
        name = f"train, ViT-B-32, {' '.join(flags)}"
        process = subprocess.Popen(
            [
                sys.executable, "-m", "hnclip_cli", "train", "--model", "ViT-B-32",
                "--from-scratch", "--steps", "9", "--log-every", "1", "--workers",
                "16", *flags, "--overwrite", "-o",
                str(kit.work / "auto"), str(kit.work / "noise.jsonl"),
            ],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment_of(kit),
        )  # fmt: skip
        free, _ = torch.cuda.mem_get_info()
        assert process.stdout and process.stderr
        steps = [line for line in islice(process.stdout, 4) if line.strip()]
        left, _ = torch.cuda.mem_get_info()  # the allocator keeps what a step has taken
        process.kill()  # in place of two gigabytes of state to write
        lines = process.stderr.read().splitlines()
        process.wait()
        said = next((line for line in lines if " auto: " in line), lines[-1:])
        kit.say(f"{name}: steps without an error", len(steps), at_least=4, note=said)
        kit.say(f"{name}: share of the free memory that is used", 1 - left / free, at_least=0.85)


@dataclass
class Case:
    """A model to be trained, and batches for it."""

    kit: Kit
    clip: Clip
    config: TrainConfig
    batches: list[list[Sample]]

    @classmethod
    def make(cls, kit: Kit, loaded: Clip, precision: str, settings: dict[str, Any]) -> "Case":
        config = TrainConfig(steps=1, **settings)
        module = copy.deepcopy(loaded.module)
        adapt(module, config)
        clip = replace(loaded, module=module.to(kit.device).train(), device=kit.device)
        clip.precision = precision
        records = captions_of(kit, STEPS * config.batch_size)
        records = [record | {"image": "-"} for record in records]
        samples = list(samples_on_meta(as_records(records), SLOTS, config))
        size = config.batch_size
        parts = [samples[start : start + size] for start in range(0, STEPS * size, size)]
        return cls(kit, clip, config, parts)

    def report(self, name: str) -> float:
        """Say what was predicted and measured; returns the relative difference."""
        meta = replace(self.clip, module=to_meta(self.clip.module), device=torch.device("meta"))
        started = time.perf_counter()
        step = StepOnMeta(meta, self.config, SLOTS)
        predicted = step.measure(self.batches[-1])
        seconds = time.perf_counter() - started
        # The batch that is used; none is made ahead here.
        expected = predicted.total - predicted.images * (COPIES - 1) // COPIES
        measured, facts = self.measure(step)
        error = abs(expected / measured - 1)
        settings = ", ".join(f"{k} {v}" for k, v in vars(self.config).items() if k in SHOWN and v)
        self.kit.say(
            f"{name}, {settings}: memory predicted by measured", expected / measured,
            predicted_mib=expected / 2**20, measured_mib=measured / 2**20, seconds=seconds, **facts,
        )  # fmt: skip
        return error

    def measure(self, step: StepOnMeta) -> tuple[int, dict[str, float]]:
        """The peak of the last of some steps, and what was reserved for it."""
        optimizer = make_optimizer(self.clip.module.parameters(), 1e-12, 0.1)
        for samples in self.batches:
            if not self.kit.small:
                torch.cuda.reset_peak_memory_stats()
            meter = Meter(self.kit.device.type)
            if self.kit.small:
                meter.count(self.clip.module.parameters())
                meter.count(x for state in optimizer.state.values() for x in state.values())
                with meter:
                    self.run(step, samples, optimizer)
            else:
                self.run(step, samples, optimizer)
        if self.kit.small:
            return meter.peak, {}
        self.kit.wait()
        reserved = torch.cuda.max_memory_reserved()
        return torch.cuda.max_memory_allocated(), {"reserved_mib": reserved / 2**20}

    def run(
        self, step: StepOnMeta, samples: Sequence[Sample], optimizer: torch.optim.Optimizer
    ) -> None:
        batch, device = step.batch(samples), self.kit.device
        pixels = torch.zeros(batch.pixels.shape, dtype=batch.pixels.dtype, device=device)
        batch = replace(batch, pixels=pixels, negative_pixels=pixels[:0])
        optimizer.zero_grad(set_to_none=True)
        forward_backward(self.clip, batch, self.config, torch.zeros(1, device=device))
        nn.utils.clip_grad_norm_(self.clip.module.parameters(), 1.0)
        optimizer.step()


SHOWN = {"objective", "batch_size", "micro_batch", "lora_rank", "lock"}


if __name__ == "__main__":
    main()
