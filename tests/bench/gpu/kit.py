"""What every stage needs: the device, the sizes, timing, and one line of JSON a figure."""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.captured import RECORDER


@dataclass(frozen=True)
class Kit:
    """Where a stage runs, and how large.

    Attributes:
        device: ``cuda`` or ``cpu``.
        small: sizes for a machine without a GPU: they show that the stage runs, and no more.
        data: the bundle's folder of captions, photographs and scenes.
        work: a folder for what the stage writes.
    """

    device: torch.device
    small: bool
    data: Path
    work: Path

    @classmethod
    def from_arguments(cls) -> "Kit":
        parser = argparse.ArgumentParser()
        parser.add_argument("--device", default="cuda")
        parser.add_argument("--data", type=Path, required=True)
        parser.add_argument("--work", type=Path, required=True)
        options = parser.parse_args()
        device = torch.device(options.device)
        return cls(device, device.type == "cpu", options.data, options.work)

    def say(
        self,
        figure: str,
        value: Any,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        **facts: Any,
    ) -> None:
        """Print a figure at once; bars hold on a GPU only."""
        line: dict[str, Any] = {"figure": figure, "value": _rounded(value)}
        bar = at_least if at_least is not None else at_most
        if bar is not None:
            line["bar"] = f"{'≥' if at_least is not None else '≤'} {bar:g}"
            if not self.small:
                line["pass"] = bool(value >= bar if at_least is not None else value <= bar)
        print(json.dumps(line | {name: _rounded(fact) for name, fact in facts.items()}), flush=True)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def milliseconds(self, *functions: Callable[[], object], seconds: float = 1.0) -> list[float]:
        """Median time of each function; they take turns, after two rounds to warm up."""
        for _ in range(1 if self.small else 2):
            for function in functions:
                function()
        self.wait()
        times: list[list[float]] = [[] for _ in functions]
        end = time.perf_counter() + seconds * len(functions)
        while len(times[0]) < 3 or (time.perf_counter() < end and len(times[0]) < 100):
            for function, found in zip(functions, times, strict=True):
                started = time.perf_counter()
                function()
                self.wait()
                found.append(1000 * (time.perf_counter() - started))
            if self.small and len(times[0]) >= 2:
                break
        return [statistics.median(found) for found in times]

    def extra_bytes(self, function: Callable[[], object]) -> int:
        """Largest memory that a call takes beyond what is there before it."""
        if self.device.type != "cuda":
            function()
            return 0
        self.wait()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        self.wait()
        return torch.cuda.max_memory_allocated() - before

    def held_bytes(self, function: Callable[[], object]) -> int:
        """Memory that is still taken after calls that have dropped their results."""
        RECORDER.forget()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved()
        for _ in range(6):
            function()
        self.wait()
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved() - before


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def difference(found: Tensor, expected: Tensor) -> float:
    """Relative, in the Frobenius norm."""
    return float((found.double() - expected.double()).norm() / expected.double().norm())


def captions_of(kit: Kit, count: int) -> list[dict[str, Any]]:
    """Records of COCO captions with four negatives each, repeated where there are too few."""
    with open(kit.data / "negatives.jsonl", "rb") as stream:
        records = [json.loads(line) for line in stream]
    records = [record for record in records if len(record["negatives"]) >= 4]
    return (records * (count // len(records) + 1))[:count]


def texts_of(records: Sequence[dict[str, Any]], slots: int) -> list[str]:
    """The captions, then the negatives of each."""
    captions = [record["caption"] for record in records]
    return captions + [
        negative["caption"] for record in records for negative in record["negatives"][:slots]
    ]


def clip_like_features(
    size: int, slots: int, dim: int, generator: torch.Generator, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Unit features with the cosines of a trained CLIP, float64.

    Of a pair 0.30, of strangers 0.12, of an image and its negative 0.27, of a caption and its
    negative 0.93 (performance figures depend on these little, errors of half precision much).
    """

    def unit(*shape: int) -> Tensor:
        values = torch.randn(*shape, generator=generator, device=device, dtype=torch.float64)
        return F.normalize(values, dim=-1)

    def mix(*parts: tuple[float, Tensor]) -> Tensor:
        left = 1 - sum(weight**2 for weight, _ in parts)
        total = sum(weight * part for weight, part in parts)
        assert isinstance(total, Tensor)
        return F.normalize(total + left**0.5 * unit(*total.shape), dim=-1)

    common, own = unit(dim), unit(size, dim)
    shared = 0.12**0.5
    pair = (0.30 - 0.12) ** 0.5
    images = mix((shared, common.expand(size, dim)), (pair, own))
    texts = mix((shared, common.expand(size, dim)), (pair, own))
    rest = (1 - 0.93**2) ** 0.5
    negatives = F.normalize(
        0.93 * texts[:, None].expand(size, slots, dim) + rest * unit(size, slots, dim), dim=-1
    )
    return images, texts, negatives


def make_model(kit: Kit, name: str) -> Any:
    """An open_clip model of random weights in training mode; a tiny one where the kit is small."""
    torch.manual_seed(0)
    if kit.small:
        vision = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
        text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
        return open_clip.CLIP(32, vision, text).train()
    with torch.device(kit.device):
        return open_clip.create_model(name).to(kit.device).train()


def pixels_of(kit: Kit, module: Any, count: int) -> Tensor:
    """Random pixels of the size that the model takes."""
    size = module.visual.image_size
    side = size[0] if isinstance(size, tuple) else size
    return torch.randn(count, 3, side, side, device=kit.device)


def environment_of(kit: Kit) -> dict[str, str]:
    """For processes that a stage starts."""
    return os.environ | {"CUDA_VISIBLE_DEVICES": "" if kit.device.type == "cpu" else "0"}
