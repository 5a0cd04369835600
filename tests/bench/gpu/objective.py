"""Stage b: time and memory of the objective, by the rate of a plain matrix product."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.captured import RECORDER
from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from tests.bench.gpu.kit import Kit

SLOTS = 4


def main() -> None:
    kit = Kit.from_arguments()
    rate = matmul_rate(kit)
    kit.say("matrix product, fp16, TFLOP/s", rate / 1e12)
    sizes = [(32, 16)] if kit.small else [(4096, 768), (32768, 768), (4096, 512), (32768, 512)]
    for size, dim in sizes:
        batch = make_batch(kit, size, dim)
        names = ["triton", "chunked", "dense"] if size <= 4096 else ["triton"]
        steps = [partial(step, batch, name) for name in names]
        times = kit.milliseconds(*steps, seconds=1.5)
        for name, run, took in zip(names, steps, times, strict=True):
            report(kit, size, dim, name, took, rate, kit.extra_bytes(run))
        if kit.device.type != "cuda":
            continue
        if size > 4096:
            report_chunks(kit, size, dim, batch)
        else:
            report_repeats(kit, size, dim, steps[0])
            report_graph(kit, size, dim, partial(step, batch, "triton"), rate)


def report(kit: Kit, size: int, dim: int, name: str, took: float, rate: float, extra: int) -> None:
    """The bars hold for the Triton path."""
    share = 30 * size**2 * dim / (took / 1000) / rate
    is_large, is_bar = size > 4096, name == "triton" and dim == 768
    kit.say(
        f"objective {name}, B={size}, D={dim}: share of the matrix product's rate", share,
        at_least=0.55 if is_bar and is_large else None, milliseconds=took,
    )  # fmt: skip
    kit.say(
        f"objective {name}, B={size}, D={dim}: milliseconds", took,
        at_most=2.0 if is_bar and not is_large else None,
    )  # fmt: skip
    kit.say(
        f"objective {name}, B={size}, D={dim}: extra memory, GB", extra / 1e9,
        at_most=2.2 if is_bar and is_large else None,
    )  # fmt: skip


def report_chunks(kit: Kit, size: int, dim: int, batch: dict[str, Any]) -> None:
    """Other sizes of chunks than the default."""
    sizes = (2048, 4096)
    steps = [partial(step, batch | {"chunk_size": rows}, "triton") for rows in sizes]
    for rows, run, took in zip(sizes, steps, kit.milliseconds(*steps), strict=True):
        name = f"objective triton, B={size}, D={dim}, chunks of {rows} rows"
        kit.say(f"{name}: milliseconds", took, extra_gb=kit.extra_bytes(run) / 1e9)


def report_repeats(kit: Kit, size: int, dim: int, run: Callable[[], None]) -> None:
    """The graph that repeated calls become."""
    name = f"objective triton, B={size}, D={dim}"
    held = kit.held_bytes(run)
    kit.say(f"{name}: memory that its graph holds, GB", held / 1e9)
    for recording in RECORDER.kept.values():
        kit.say(f"{name}: its graph alone, milliseconds", *kit.milliseconds(recording.repeat))
    times = []
    for _ in range(20):
        started = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - started))
        kit.wait()
    kit.say(f"{name}: milliseconds until the host goes on", statistics.median(times))


def report_graph(kit: Kit, size: int, dim: int, run: Callable[[], None], rate: float) -> None:
    """The same step captured as a CUDA graph, where it can be."""
    stream = torch.cuda.Stream()
    try:
        with torch.cuda.stream(stream):
            for _ in range(3):
                run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
    except (RuntimeError, ValueError) as error:
        kit.say(f"objective triton, B={size}, D={dim}: captured", False, error=str(error)[:200])
        return
    (took,) = kit.milliseconds(graph.replay)
    report(kit, size, dim, "triton as a graph", took, rate, 0)


def matmul_rate(kit: Kit) -> float:
    """FLOP/s of one large product on random data."""
    size = 256 if kit.small else 8192
    dtype = torch.float32 if kit.small else torch.float16
    left, right = (torch.randn(size, size, device=kit.device, dtype=dtype) for _ in range(2))
    (took,) = kit.milliseconds(lambda: left @ right)
    return 2 * size**3 / (took / 1000)


def make_batch(kit: Kit, size: int, dim: int) -> dict[str, Any]:
    """Arguments of the objective: random unit features, a quarter of the slots empty."""
    generator = torch.Generator(kit.device).manual_seed(0)
    dtype = torch.float32 if kit.small else torch.float16

    def unit(*shape: int) -> Tensor:
        values = torch.randn(*shape, generator=generator, device=kit.device)
        return F.normalize(values, dim=-1).to(dtype).requires_grad_()

    mask = torch.rand(size, SLOTS, generator=generator, device=kit.device) < 0.75
    return {
        "image_features": unit(size, dim),
        "text_features": unit(size, dim),
        "negative_features": unit(size, SLOTS, dim),
        "negative_mask": mask,
        "logit_scale": torch.tensor(100.0, device=kit.device, requires_grad=True),
        "negative_kinds": torch.zeros_like(mask, dtype=torch.int64),
        "thresholds": torch.zeros(1, device=kit.device),
        "imc_weight": 0.3,
        "cmr_weight": 0.2,
    }


def step(batch: dict[str, Any], implementation: Any) -> None:
    """Forward and backward; gradients are thrown away."""
    loss = hard_negative_objective(**batch, implementation=implementation).loss
    leaves = [x for x in batch.values() if isinstance(x, Tensor) and x.requires_grad]
    torch.autograd.grad(loss, leaves)


if __name__ == "__main__":
    main()
