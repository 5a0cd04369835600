"""Runs the stages one after the other, each in a process and a time limit of its own.

    python -m tests.bench.gpu.run [--device cuda] --data FOLDER --output FILE.json [--stages …]

Every figure is written as soon as it is there, so a run that is cut off keeps what it had. At
the end: a table of figure, value and bar, and one JSON file.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import triton

# In order of worth, with seconds that each may take.
STAGES = {
    "correctness": 60,
    "objective": 60,
    "step": 130,
    "profile": 60,
    "memory": 90,
    "embed": 100,
    "endtoend": 150,
    "ranks": 40,
    "scenes": 240,
}
TOTAL_SECONDS = 480  # the last stages are left out where those before took longer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--seconds", type=float, default=TOTAL_SECONDS)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device is there; --device cpu runs the stages small", file=sys.stderr)
        return 1
    report: dict[str, Any] = {"machine": describe(options.device), "stages": {}, "figures": []}
    print(json.dumps(report["machine"]), flush=True)
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as work:
        for stage in options.stages:
            limit = min(STAGES[stage], end - time.monotonic())
            outcome = "no time left"
            started = time.monotonic()
            if limit > 10:
                outcome = run_stage(stage, limit, options, work, report["figures"])
            seconds = round(time.monotonic() - started, 1)
            report["stages"][stage] = {"outcome": outcome, "seconds": seconds}
            print(json.dumps({"stage": stage, **report["stages"][stage]}), flush=True)
            options.output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    print_table(report)
    return int(any(stage["outcome"] != "done" for stage in report["stages"].values()))


def describe(device: str) -> dict[str, Any]:
    on_gpu = device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name() if on_gpu else platform.processor() or "cpu",
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "triton": triton.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def run_stage(
    stage: str, limit: float, options: argparse.Namespace, work: str, figures: list[Any]
) -> str:
    """Run a stage and collect its lines; returns how it ended."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    if options.device == "cpu":
        environment["TRITON_INTERPRET"] = "1"
    command = [
        sys.executable, "-m", f"tests.bench.gpu.{stage}", "--device", options.device,
        "--data", str(options.data.resolve()), "--work", work,
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    timer = threading.Timer(limit, lambda: os.killpg(process.pid, 9))
    timer.start()
    assert process.stdout
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith('{"figure"'):
            figures.append({"stage": stage, **json.loads(line)})
    code = process.wait()
    timer.cancel()
    if code == -9:
        return f"cut off after {limit:.0f} s"
    return "done" if code == 0 else f"failed with exit code {code}"


def print_table(report: dict[str, Any]) -> None:
    print(f"\n{'figure':<88} {'value':>12} {'bar':>10}")
    for figure in report["figures"]:
        if "bar" in figure:
            verdict = {True: "pass", False: "MISS"}.get(figure.get("pass"), "")
            print(f"{figure['figure']:<88} {figure['value']:>12} {figure['bar']:>10} {verdict}")
    for stage, ended in report["stages"].items():
        print(f"{stage}: {ended['outcome']}, {ended['seconds']} s")


if __name__ == "__main__":
    sys.exit(main())
