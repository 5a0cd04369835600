"""A run that is killed again and again, and taken up again, against one that is left alone.

    python -m tests.bench.resume [--kills 10] [--seed 0] [-- more flags of hnclip train]

Both use the same command. One is ended by SIGKILL: in its start-up, between two lines of its log,
and while a file of a checkpoint lies half-written; then by SIGTERM and SIGUSR1. At last it may
finish. Prints where the kills fell, as what they left behind tells, and whether weights and state
are the same bytes; exits 1 if they are not.
"""

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.machine import describe
from tests.conftest import environment, to_lines
from tests.factories import make_records

NUM_RECORDS, STEPS, CHECKPOINT_EVERY = 30, 120, 2
FILES = ("open_clip_model.safetensors", "hnclip_state.safetensors")
PHASES = ("start-up", "steps", "writing")


class Run:
    """`hnclip train --resume` in a process."""

    def __init__(self, folder: Path, output: str, more: list[str]) -> None:
        self.output = folder / output
        self._log = folder / "log.jsonl"
        self._stale = set(self.output.glob(".*.tmp"))  # of an earlier kill
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "hnclip_cli", "train", "--model", "hnclip-tiny-vit",
                    "--batch-size", "4", "--lr", "1e-3", "--steps", str(STEPS), "--log-every", "1",
                    "--checkpoint-every", str(CHECKPOINT_EVERY), "--resume", "-q",
                    "-o", output, *more, "r.jsonl",
                ],
                stdout=log, cwd=folder, env=environment(),
            )  # fmt: skip

    def num_lines(self) -> int:
        return self._log.read_bytes().count(b"\n")

    def half_written(self) -> set[Path]:
        return set(self.output.glob(".*.tmp")) - self._stale

    def wait_for(self, lines: int, *, is_writing: bool = False) -> None:
        while self.process.poll() is None:
            if self.num_lines() >= lines and (not is_writing or self.half_written()):
                return
            time.sleep(0.001)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait()

    def kill(self) -> str:
        """End it at once; which phase it was in."""
        self.end(signal.SIGKILL)
        if self.half_written():
            return "writing"
        return "steps" if self.num_lines() else "start-up"


def digests(folder: Path) -> list[str]:
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("more", nargs="*")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = measure(Path(name), args.kills, random.Random(args.seed), args.more)
    print(json.dumps({"bench": "resume"} | result | {"machine": describe()}))
    return 0 if result["identical"] else 1


def measure(folder: Path, num_kills: int, chance: random.Random, more: list[str]) -> dict[str, Any]:
    (folder / "r.jsonl").write_bytes(to_lines(*make_records(folder, NUM_RECORDS)))
    started = time.monotonic()
    reference = Run(folder, "whole", more)
    reference.wait_for(1)
    start_up = time.monotonic() - started
    if reference.process.wait():
        raise SystemExit("the run that is left alone failed")

    kills = dict.fromkeys(PHASES, 0)
    for number in range(num_kills):
        run, aim = Run(folder, "killed", more), PHASES[number % len(PHASES)]
        if aim == "start-up":
            time.sleep(chance.uniform(0, 0.9 * start_up))
        else:
            run.wait_for(chance.randint(1, 6), is_writing=aim == "writing")
            time.sleep(chance.uniform(0, 0.02))
        kills[run.kill()] += 1
    codes = {}
    for stop in (signal.SIGTERM, signal.SIGUSR1):
        run = Run(folder, "killed", more)
        run.wait_for(chance.randint(1, 6))
        codes[stop.name] = run.end(stop)
    last = Run(folder, "killed", more)
    if last.process.wait():
        raise SystemExit("the run that was killed cannot finish")
    return {
        "steps": STEPS,
        "checkpoint_every": CHECKPOINT_EVERY,
        "kills": kills,
        "exit_codes": codes,
        "resumed_after_step": STEPS - last.num_lines(),
        "identical": digests(folder / "whole") == digests(folder / "killed"),
        "half_written_at_the_end": len(last.half_written()),
    }


if __name__ == "__main__":
    raise SystemExit(main())
