"""A training step of hnclip against the same step with open_clip's own towers.

    HNCLIP_TEST_DATA=DATA python -m tests.bench.train_step [--batch-size 8] [--rounds 3]

ViT-B-32 of random weights, K = 4, COCO captions to which ``hnclip negatives`` gives at least four
negatives, random pixels. Both sides run forward, objective, backward and the same optimizer on
the same batch and weights; theirs encodes whole images and all 77 positions of each text, and
takes the dense objective. Prints one JSON line: samples a second and their ratio (alternated,
medians), and how far loss and gradients are from theirs in float32 and, with a small batch, in
float64.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.models.clip import Clip
from hnclip_cli.models.text import encode_text
from hnclip_cli.models.vision import encode_image
from hnclip_cli.streams.records import Record, parse_record
from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from hnclip_cli.training.optimizer import make_optimizer
from tests.bench.machine import describe
from tests.bench.rounds import alternate, ratio

MODEL = "ViT-B-32"
NUM_SLOTS = 4
BARS = {"ratio": 3.0, "float64": 1e-9, "float32": 1e-5}


def records_with_negatives(count: int) -> list[Record]:
    """COCO captions spread over the file, as ``hnclip negatives`` hands them on, all slots full."""
    source = Path(os.environ["HNCLIP_TEST_DATA"]) / "coco" / "captions.jsonl"
    lines = source.read_bytes().splitlines(keepends=True)
    chosen = b"".join(lines[:: len(lines) // (8 * count)])
    command = [sys.executable, "-m", "hnclip_cli", "negatives"]
    done = subprocess.run(command, input=chosen, stdout=subprocess.PIPE, check=True)
    records = map(parse_record, done.stdout.splitlines())
    return [record for record in records if len(record.negatives) >= NUM_SLOTS][:count]


class Step:
    """A batch, and the two ways to train on it."""

    def __init__(self, clip: Clip, records: list[Record]) -> None:
        self.module = clip.module
        torch.manual_seed(0)
        self.pixels = torch.randn(len(records), 3, 224, 224, dtype=clip.logit_scale.dtype)
        self.mask = torch.zeros(len(records), NUM_SLOTS, dtype=torch.bool)
        negatives = []
        for row, record in enumerate(records):
            every = [negative.caption for negative in record.negatives]
            own = random.Random(record.id).sample(every, min(NUM_SLOTS, len(every)))
            self.mask[row, : len(own)] = True
            negatives += own
        self.tokens = clip.tokenize([*(record.caption for record in records), *negatives])
        # So small a rate leaves the weights where they are, and costs what any rate does.
        self.optimizer = make_optimizer(clip.module.parameters(), 1e-12, 0.1)

    def ours(self) -> Tensor:
        images, texts = (
            encode_image(self.module, self.pixels),
            encode_text(self.module, self.tokens),
        )
        return self._loss(images, texts, "auto")

    def theirs(self) -> Tensor:
        images, texts = self.module.encode_image(self.pixels), self.module.encode_text(self.tokens)
        return self._loss(images, texts, "dense")

    def _loss(self, images: Tensor, texts: Tensor, implementation: Any) -> Tensor:
        images, texts = F.normalize(images, dim=-1), F.normalize(texts, dim=-1)
        negatives = texts.new_zeros(*self.mask.shape, texts.shape[1])
        negatives[self.mask] = texts[len(images) :]
        return hard_negative_objective(
            images, texts[: len(images)], negatives, self.mask, self.module.logit_scale.exp(),
            negative_kinds=torch.zeros_like(self.mask, dtype=torch.int64),
            thresholds=torch.zeros(1), imc_weight=0.3, cmr_weight=0.2,
            implementation=implementation,
        ).loss  # fmt: skip

    def run(self, loss: Callable[[], Tensor]) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss())
        self.optimizer.step()

    def differences(self) -> dict[str, float]:
        """How far ours is from theirs, relative: the loss, all gradients, the worst weight's.

        Gradients that are zero but for rounding (of the keys' biases, say) are measured against a
        thousandth of the largest.
        """
        (loss, mine), (other_loss, other) = map(self._gradients, (self.ours, self.theirs))
        norms = {name: gradient.norm().item() for name, gradient in other.items()}
        far = {name: (mine[name] - other[name]).norm().item() for name in other}
        floor = max(norms.values()) / 1000
        return {
            "loss": abs(loss - other_loss) / abs(other_loss),
            "gradients": math.hypot(*far.values()) / math.hypot(*norms.values()),
            "worst_weight": max(far[name] / max(norms[name], floor) for name in far),
        }

    def _gradients(self, loss: Callable[[], Tensor]) -> tuple[float, dict[str, Tensor]]:
        self.module.zero_grad(set_to_none=True)
        value = loss()
        torch.autograd.backward(value)
        named = self.module.named_parameters()
        return value.item(), {name: p.grad for name, p in named if p.grad is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--exact-batch-size", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    records = records_with_negatives(args.batch_size)
    torch.manual_seed(0)
    module = open_clip.create_model(MODEL).train()
    config = open_clip.get_model_config(MODEL)
    tokenizer = open_clip.get_tokenizer(MODEL)
    clip = Clip(module, torch.nn.Identity(), tokenizer, config, torch.device("cpu"))

    batch = Step(clip, records)
    mine, other = alternate(
        args.rounds, partial(batch.run, batch.ours), partial(batch.run, batch.theirs)
    )
    float32 = batch.differences()
    module.double()
    figure = {
        "benchmark": "train_step",
        "ratio": ratio(mine, other),
        "hnclip": mine.figures(args.batch_size),
        "open_clip": other.figures(args.batch_size),
        "float64": Step(clip, records[: args.exact_batch_size]).differences(),
        "float32": float32,
        "bars": BARS,
        "model": MODEL,
        "batch_size": args.batch_size,
        "texts": len(batch.tokens),
        "threads": torch.get_num_threads(),
        "machine": describe(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
