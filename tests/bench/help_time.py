"""How long --help takes, for hnclip, each command and each subcommand.

    python -m tests.bench.help_time [--rounds N]

Prints one JSON line: medians in ms of the installed command, and beside it of Python importing
nothing and importing click alone, by the clock and in processor time. On a busy machine only the
latter, and what a command takes beyond click, mean something.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.machine import describe
from tests.test_imports import COMMANDS

BAR_MS = 150


def milliseconds(command: list[str]) -> tuple[float, float]:
    """Of one run: by the clock, and of processor time."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * took, 1000 * processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    hnclip = shutil.which("hnclip", path=str(Path(sys.executable).parent))
    assert hnclip, "hnclip is not installed beside this Python"
    commands = {" ".join(["hnclip", *names]): [hnclip, *names, "--help"] for names in COMMANDS}
    bare = {
        f"python -c '{code}'": [sys.executable, "-c", code] for code in ("pass", "import click")
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands | bare}
    for _ in range(rounds):  # alternating, so that all meet the same noise
        for name, command in (commands | bare).items():
            times[name].append(milliseconds(command))
    clock, processor = (
        {
            name: round(statistics.median(pair[i] for pair in pairs), 1)
            for name, pairs in times.items()
        }
        for i in (0, 1)
    )
    figure = {
        "benchmark": "help_time",
        "slowest_median_ms": max(clock[name] for name in commands),
        "slowest_processor_ms": max(processor[name] for name in commands),
        "bar_ms": BAR_MS,
        "medians_ms": clock,
        "processor_ms": processor,
        "rounds": rounds,
        "machine": describe(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
