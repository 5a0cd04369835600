"""Stage c: a training step of ours against open_clip's, bf16, on the same captions and negatives.

Theirs is open_clip's two towers and its dense loss with the same negatives, as it is and with
compiled blocks; the faster counts. Ours has nothing to compile.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.models import text
from hnclip_cli.models.text import encode_text
from hnclip_cli.models.vision import encode_image
from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from hnclip_cli.training.optimizer import make_optimizer
from tests.bench.gpu.correctness import LAYOUTS
from tests.bench.gpu.kit import Kit, captions_of, make_model, pixels_of, texts_of

SLOTS = 4
# Batch sizes that open_clip's step has memory for: on 80 GB, and on 140.
MODELS = {"ViT-B-32": ((512, 1024), 2.5), "ViT-L-14": ((96, 192), 1.8)}


def main() -> None:
    kit = Kit.from_arguments()
    for name, (sizes, bar) in MODELS.items():
        size = 4
        if not kit.small:
            size = sizes[torch.cuda.get_device_properties(0).total_memory > 100e9]
        measure(kit, name, size, bar)
        if kit.device.type == "cuda":
            torch.cuda.empty_cache()
    convolutions(kit)


def convolutions(kit: Kit) -> None:
    """An image tower of convolutions, forward and backward, by the layout of its tensors."""
    module, size = make_model(kit, "RN50"), 4 if kit.small else 256
    pixels = {"contiguous": pixels_of(kit, module, size)}
    pixels["channels last"] = pixels["contiguous"].contiguous(memory_format=torch.channels_last)
    for layout, images in pixels.items():

        def run(images: Tensor = images) -> None:
            module.zero_grad(set_to_none=True)
            with torch.autocast(kit.device.type, torch.bfloat16):
                features = module.encode_image(images)
            features.float().square().sum().backward()

        (took,) = kit.milliseconds(run)
        kit.say(f"RN50, image tower forward and backward, B={size}, {layout}: milliseconds", took)


def measure(kit: Kit, name: str, size: int, bar: float) -> None:
    step = Step(kit, make_model(kit, name), size)
    if name == "ViT-B-32":
        layouts(kit, step)
    runs = {"hnclip": partial(step.run, step.ours), "open_clip": partial(step.run, step.theirs)}
    times = dict(zip(runs, kit.milliseconds(*runs.values(), seconds=2), strict=True))
    memory = {run: kit.extra_bytes(function) / 1e9 for run, function in runs.items()}
    if not kit.small:
        started = time.perf_counter()
        step.compile_theirs()
        runs["open_clip"]()
        seconds = time.perf_counter() - started
        again, compiled = kit.milliseconds(*runs.values(), seconds=2)
        times |= {"hnclip, again": again, "open_clip, compiled": compiled}
        kit.say(f"{name}: seconds to compile open_clip's", seconds)
    for run, took in times.items():
        kit.say(f"{name}, {run}: samples/s", 1000 * size / took, milliseconds=took)
    for run, used in memory.items():
        kit.say(f"{name}, {run}: memory of a step, GB", used)
    best = {side: min(took for run, took in times.items() if run.startswith(side)) for side in runs}
    kit.say(
        f"{name}, B={size}, K={SLOTS}, bf16: samples/s by open_clip's",
        best["open_clip"] / best["hnclip"], at_least=bar,
    )  # fmt: skip


def layouts(kit: Kit, step: "Step") -> None:
    """The text tower alone, forward and backward, by each layout, and open_clip's."""
    chosen = text.layout_for
    runs: dict[str, Callable[[], object]] = {"open_clip": lambda: step.towers(step.their_texts)}
    for name, layout in LAYOUTS.items():
        if kit.small and layout.attention != "groups":
            continue

        def run(layout: Any = layout) -> None:
            text.layout_for = lambda *args, **options: layout
            step.towers(step.our_texts)
            text.layout_for = chosen

        runs[name] = run
    runs["images, open_clip"] = lambda: step.towers(step.their_images)
    runs["images, hnclip"] = lambda: step.towers(step.our_images)
    for name, took in zip(runs, kit.milliseconds(*runs.values(), seconds=0.5), strict=True):
        kit.say(f"ViT-B-32, tower forward and backward, {name}: milliseconds", took)
    kit.say("tokens of a batch, by open_clip's", step.share_of_tokens)


class Step:
    """A batch, and the two ways to train on it."""

    def __init__(self, kit: Kit, module: Any, size: int) -> None:
        self.module, self.device = module, kit.device
        self.pixels = pixels_of(kit, module, size)
        records = captions_of(kit, size)
        self.tokens = open_clip.get_tokenizer("ViT-B-32")(texts_of(records, SLOTS))
        self.on_device = self.tokens.to(kit.device)
        self.mask = torch.ones(size, SLOTS, dtype=torch.bool, device=kit.device)
        self.optimizer = make_optimizer(module.parameters(), 1e-12, 0.1)
        self.share_of_tokens = float((self.tokens != 0).float().mean())

    def compile_theirs(self) -> None:
        """Compile the blocks of both towers."""
        for tower in (self.module, self.module.visual):
            for block in tower.transformer.resblocks:
                block.compile()

    def our_images(self) -> Tensor:
        return encode_image(self.module, self.pixels)

    def our_texts(self) -> Tensor:
        return encode_text(self.module, self.tokens)

    def their_images(self) -> Tensor:
        return self.module.encode_image(self.pixels)

    def their_texts(self) -> Tensor:
        return self.module.encode_text(self.on_device)

    def towers(self, encode: Callable[[], Tensor]) -> None:
        """One tower, forward and backward."""
        self.module.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16):
            features = encode()
        features.float().square().sum().backward()

    def ours(self) -> None:
        """As `hnclip_cli.training.step.forward_backward`: a tower at a time, images first."""
        with torch.autocast(self.device.type, torch.bfloat16):
            found = self.our_images(), self.our_texts()
        leaves = [features.detach().requires_grad_() for features in found]
        self._loss(*leaves, "auto").backward()
        for features, leaf in zip(found, leaves, strict=True):
            features.backward(leaf.grad)

    def theirs(self) -> None:
        with torch.autocast(self.device.type, torch.bfloat16):
            images, texts = self.their_images(), self.their_texts()
        self._loss(images, texts, "dense").backward()

    def _loss(self, images: Tensor, texts: Tensor, implementation: Any) -> Tensor:
        images, texts = F.normalize(images.float(), dim=-1), F.normalize(texts.float(), dim=-1)
        negatives = texts[len(images) :].view(len(images), SLOTS, -1)
        return hard_negative_objective(
            images, texts[: len(images)], negatives, self.mask, self.module.logit_scale.exp(),
            negative_kinds=torch.zeros_like(self.mask, dtype=torch.int64),
            thresholds=torch.zeros(1, device=self.device), imc_weight=0.3, cmr_weight=0.2,
            implementation=implementation,
        ).loss  # fmt: skip

    def run(self, forward_backward: Callable[[], None]) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        forward_backward()
        self.optimizer.step()


if __name__ == "__main__":
    main()
