"""How long --help takes, for hnclip and each command.

    python -m tests.bench.help_time

Prints one JSON line: the median of the installed command in ms, and of a bare Python beside it.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.machine import describe
from tests.test_imports import COMMANDS

ROUNDS = 15
BAR_MS = 150


def milliseconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    hnclip = shutil.which("hnclip", path=str(Path(sys.executable).parent))
    assert hnclip, "hnclip is not installed beside this Python"
    commands = {" ".join(["hnclip", *names]): [hnclip, *names, "--help"] for names in COMMANDS}
    commands["python -c pass"] = [sys.executable, "-c", "pass"]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):  # alternating, so that all meet the same noise
        for name, command in commands.items():
            times[name].append(milliseconds(command))
    medians = {name: round(statistics.median(values), 1) for name, values in times.items()}
    bare = medians.pop("python -c pass")
    figure = {
        "benchmark": "help_time",
        "slowest_median_ms": max(medians.values()),
        "bar_ms": BAR_MS,
        "medians_ms": medians,
        "bare_python_ms": bare,
        "machine": describe(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
