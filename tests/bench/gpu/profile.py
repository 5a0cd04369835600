"""Stage f: launches and host synchronizations of a step, and the kernels that take most of it."""

import cProfile
import pstats
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from tests.bench.gpu import objective
from tests.bench.gpu.kit import Kit, make_model
from tests.bench.gpu.step import Step


def main() -> None:
    kit = Kit.from_arguments()
    for size in (32,) if kit.small else (4096, 32768):
        batch = objective.make_batch(kit, size, 16 if kit.small else 768)
        run = partial(objective.step, batch, "triton")
        run()
        say_kernels(kit, f"objective, B={size}", _profile(kit, run), most=12)
        del batch, run
    if kit.device.type == "cuda":
        torch.cuda.empty_cache()
    for model, size in (("ViT-L-14", 96), ("ViT-B-32", 512)):
        step = Step(kit, make_model(kit, model), 4 if kit.small else size)
        profile_step(kit, model, step)


def profile_step(kit: Kit, model: str, step: Step) -> None:
    """Synchronizations, launches, kernels and the time that Python takes, ours and open_clip's."""
    launches = {}
    for side, function in (("hnclip", step.ours), ("open_clip", step.theirs)):
        name, run = f"{model}, {side}", partial(step.run, function)
        run()
        kit.wait()
        kit.say(f"{name}: host synchronizations a step", *_syncs(kit, run))
        launches[side] = say_kernels(kit, name, _profile(kit, run), most=15)
        say_host(kit, name, run)
    if launches["open_clip"]:
        kit.say(
            f"{model}: kernel launches by open_clip's", launches["hnclip"] / launches["open_clip"],
            at_most=1.5,
        )  # fmt: skip


def say_host(kit: Kit, name: str, run: Callable[[], object]) -> None:
    """How long Python takes to start all of a step, and the functions that take most of that."""
    profiler = cProfile.Profile()
    run()
    for how, call in (("", run), (", in one thread", run), ("", partial(profiler.runcall, run))):
        kit.wait()
        # A profiler of Python sees one thread, and autograd has its own.
        with torch.autograd.set_multithreading_enabled(not how and call is run):
            started = time.perf_counter()
            call()
            taken = 1000 * (time.perf_counter() - started)
        if call is run:
            kit.say(f"{name}: milliseconds to start a step{how}", taken)
    found = pstats.Stats(profiler).get_stats_profile().func_profiles.items()
    slowest = sorted(found, key=lambda item: item[1].tottime, reverse=True)
    for function, times in slowest[: 3 if kit.small else 20]:
        place = f"{times.file_name.rsplit('/', 1)[-1]}:{times.line_number} {function}"
        kit.say(f"{name}: Python {place[:90]}", 1000 * times.tottime, count=times.ncalls)


def say_kernels(kit: Kit, name: str, events: list[Any], most: int) -> int:
    """The kernels that take most of the time, in milliseconds; returns the number of launches."""
    launches = sum(event.count for event in events if _is_launch(event.key))
    busy = sum(map(_device_time, events)) / 1000
    kit.say(f"{name}: kernel launches a step", launches, kernel_milliseconds=busy)
    for event in sorted(events, key=_device_time, reverse=True)[: 3 if kit.small else most]:
        kit.say(f"{name}: kernel {event.key[:110]}", _device_time(event) / 1000, count=event.count)
    return launches


def _syncs(kit: Kit, run: Callable[[], object]) -> tuple[int]:
    """How often the host waits for the device in one call."""
    if kit.device.type != "cuda":
        run()
        return (0,)
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    torch.cuda.set_sync_debug_mode("default")
    found = [str(w.message) for w in caught if "synchroniz" in str(w.message)]
    places = {f"{w.filename.rsplit('/', 2)[-2:]}:{w.lineno}" for w in caught}
    print({"syncs at": sorted(places)}, flush=True)
    return (len(found),)


def _profile(kit: Kit, run: Callable[[], object]) -> list[Any]:
    activities = [torch.profiler.ProfilerActivity.CPU]
    if kit.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        run()
        kit.wait()
    return list(profiler.key_averages())


def _device_time(event: Any) -> float:
    is_kernel = "cuda" in str(event.device_type).lower() and "Optimizer." not in event.key
    return float(event.self_device_time_total) if is_kernel else 0.0


def _is_launch(name: str) -> bool:
    return name.startswith(("cudaLaunchKernel", "cuLaunchKernel"))


if __name__ == "__main__":
    main()
