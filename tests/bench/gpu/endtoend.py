"""Stage e: the very `hnclip train` on photographs.

Time of a step, bf16 against fp32, micro-batches, LoRA, and a run that is stopped by a signal and
taken up again.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tests.bench.gpu.kit import Kit, environment_of


def main() -> None:
    kit = Kit.from_arguments()
    photographs(kit)


class Train:
    """Runs of `hnclip train` on the same records."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.model = "hnclip-tiny-vit" if kit.small else "ViT-B-32"
        self.batch = 8 if kit.small else 128

    def start(
        self, name: str, *flags: str, steps: int = 20, log_every: int = 1, quiet: bool = True
    ) -> subprocess.Popen[bytes]:
        kit = self.kit
        return subprocess.Popen(
            [
                sys.executable, "-m", "hnclip_cli", "train", "--model", self.model,
                "--steps", str(steps), "--batch-size", str(self.batch),
                "--log-every", str(log_every), "--lr", "1e-4",
                "--workers", "2" if kit.small else "16", "--device", str(kit.device),
                *["-q"] * quiet, "-o", str(kit.work / name), "--image-root",
                str(kit.data / "images"), *flags, str(kit.data / "pairs.jsonl"),
            ],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment_of(kit),
        )  # fmt: skip

    def finish(self, name: str, process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
        """The log; empty where the run failed, which is said."""
        output, errors = process.communicate()
        if process.returncode:
            self.kit.say(f"train {name}: failed", process.returncode, error=errors.decode()[-300:])
            return []
        return [json.loads(line) for line in output.splitlines()]


VARIANTS = {
    "bf16": ("--precision", "bf16"),
    "fp32": ("--precision", "fp32"),
    "micro-batches": ("--precision", "fp32", "--micro-batch", "2"),
    "lora": ("--precision", "bf16", "--set", "lora_rank", "8"),
    "whole": ("--precision", "bf16"),
}


def photographs(kit: Kit) -> None:
    train = Train(kit)
    if not kit.small:
        report_speed(kit, train)
    steps = 4 if kit.small else 20
    variants = dict(VARIANTS)
    if not kit.small:
        variants["micro-batches"] = (*VARIANTS["micro-batches"][:3], "32")
    running = {name: train.start(name, *flags, steps=steps) for name, flags in variants.items()}
    stopped = train.start("stopped", "--precision", "bf16", steps=steps)
    assert stopped.stdout
    for _ in range(steps // 2):
        stopped.stdout.readline()
    stopped.send_signal(signal.SIGTERM)
    stopped.communicate()
    kit.say("train stopped by SIGTERM: exit code", stopped.returncode)
    running["resumed"] = train.start("stopped", "--precision", "bf16", "--resume", steps=steps)
    logs = {name: train.finish(name, process) for name, process in running.items()}
    for name, log in logs.items():
        if log:
            losses = [log[0]["loss"], log[-1]["loss"]]
            kit.say(f"train {name}: loss of the first and the last step", losses)
    for name, other, bar in (("bf16", "fp32", 2e-2), ("micro-batches", "fp32", 1e-3)):
        if logs[name] and logs[other]:
            pairs = zip(logs[name], logs[other], strict=True)
            far = max(abs(a["loss"] - b["loss"]) / abs(b["loss"]) for a, b in pairs)
            kit.say(f"train {name}: largest difference of the loss from {other}", far, at_most=bar)
    weights = [load_weights(kit.work / name) for name in ("whole", "stopped")]
    if all(weights):
        whole, resumed = weights
        far = max(float((whole[name] - resumed[name]).abs().max()) for name in whole)
        kit.say("train resumed: largest difference of a weight from one run's", far, at_most=1e-3)


def report_speed(kit: Kit, train: Train) -> None:
    """Samples a second of runs on their own, and what they say of their waiting."""
    usual = train.batch
    for batch, steps in ((usual, 150), (4 * usual, 50)):
        train.batch = batch
        process = train.start(f"timed-{batch}", steps=steps, log_every=10, quiet=False)
        assert process.stdout
        for _ in range(3):
            process.stdout.readline()
        started = time.perf_counter()
        for _ in range(steps // 10 - 3):
            process.stdout.readline()
        seconds = time.perf_counter() - started
        _, errors = process.communicate()
        said = [line for line in errors.decode().splitlines() if "samples/s" in line]
        kit.say(
            f"train on photographs, ViT-B-32, K=4, bf16, B={batch}, 16 workers: samples/s",
            (steps - 30) * batch / seconds, said=said, exit=process.returncode,
        )  # fmt: skip
    train.batch = usual


def load_weights(folder: Path) -> dict[str, Any]:
    found = list(folder.glob("open_clip*.safetensors")) or list(folder.glob("*.safetensors"))
    found = [path for path in found if "state" not in path.name]
    return load_file(found[0]) if found else {}


if __name__ == "__main__":
    main()
