"""Stage e: the very `hnclip train`, on photographs and on drawn scenes.

On photographs: time of a step, bf16 against fp32, micro-batches, LoRA, and a run that is stopped by
a signal and taken up again. On scenes: ce-clip against clip for the same time, three seeds.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from examples.side_by_side import measure
from tests.bench.gpu.kit import Kit, environment_of

OBJECTIVES = ("clip", "ce-clip")


def main() -> None:
    kit = Kit.from_arguments()
    photographs(kit)
    scenes(kit)


class Train:
    """Runs of `hnclip train` on the same records."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.model = "hnclip-tiny-vit" if kit.small else "ViT-B-32"
        self.batch = 8 if kit.small else 128

    def start(self, name: str, *flags: str, steps: int = 20) -> subprocess.Popen[bytes]:
        kit = self.kit
        return subprocess.Popen(
            [
                sys.executable, "-m", "hnclip_cli", "train", "--model", self.model,
                "--steps", str(steps), "--batch-size", str(self.batch), "--log-every", "1",
                "--lr", "1e-4", "--workers", "2" if kit.small else "16", "--device",
                str(kit.device), "-q", "-o", str(kit.work / name), "--image-root",
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
    "lora": ("--precision", "bf16", "--lora-rank", "8"),
    "whole": ("--precision", "bf16"),
}


def photographs(kit: Kit) -> None:
    train = Train(kit)
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
    if not kit.small:
        report_speed(kit, train)


def report_speed(kit: Kit, train: Train) -> None:
    """Samples a second between the tenth step and the last of a run on its own."""
    process = train.start("timed", "--precision", "bf16", steps=130)
    assert process.stdout
    for _ in range(30):
        process.stdout.readline()
    started = time.perf_counter()
    for _ in range(90):
        process.stdout.readline()
    seconds = time.perf_counter() - started
    train.finish("timed", process)
    kit.say(
        "train on photographs, ViT-B-32, K=4, bf16: samples/s", 90 * train.batch / seconds,
        batch=train.batch,
    )  # fmt: skip


def load_weights(folder: Path) -> dict[str, Any]:
    found = list(folder.glob("open_clip*.safetensors")) or list(folder.glob("*.safetensors"))
    found = [path for path in found if "state" not in path.name]
    return load_file(found[0]) if found else {}


def scenes(kit: Kit) -> None:
    """The quickstart's setting: a short first phase of clip, then each objective from there."""
    seeds = [0] if kit.small else [0, 1, 2]
    first, each = (1, 2) if kit.small else (15, 60)
    folder = kit.work / "scenes"
    folder.mkdir(exist_ok=True)

    def all_of(commands: list[list[str]], outputs: list[str]) -> None:
        running = []
        for command, output in zip(commands, outputs, strict=True):
            with open(folder / output, "wb") as stream:
                running.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "hnclip_cli", *command],
                        stdout=stream,
                        cwd=folder,
                        env=environment_of(kit) | {"OMP_NUM_THREADS": "2"},
                    )
                )
        for process in running:
            if process.wait():
                raise SystemExit(f"{process.args} failed")

    size = ["-n", "60"] if kit.small else ["-n", "6000"]
    tests = ["-n", "20"] if kit.small else ["-n", "600"]
    common = ["--max-objects", "2", "--seed", "0"]
    all_of(
        [
            ["data", "scenes", "train", *size, *common],
            ["data", "scenes", "test", *tests, *common, "--split", "test"],
        ],
        ["drawn-train.jsonl", "drawn-test.jsonl"],
    )
    for name, count in (("train", size[1]), ("test", tests[1])):
        lines = (kit.data / f"scenes-{name}.jsonl").read_bytes().splitlines(keepends=True)
        (folder / f"{name}.jsonl").write_bytes(b"".join(lines[: int(count)]))

    def train(model: str, objective: str, seconds: int, seed: int, output: str) -> list[str]:
        return [
            "train", "--model", model, "--objective", objective, "--seconds", str(seconds),
            "--seed", str(seed), "--lr", "1e-3", "--warmup-steps", "20", "--batch-size", "32",
            "--negatives-per-caption", "2", "--workers", "1", "--device", str(kit.device),
            "-q", "-o", output, "train.jsonl",
        ]  # fmt: skip

    all_of(
        [train("hnclip-tiny", "clip", first, seed, f"first-{seed}") for seed in seeds],
        [f"first-{seed}.log.jsonl" for seed in seeds],
    )
    objectives = OBJECTIVES[-1:] if kit.small else OBJECTIVES
    names = [f"{objective}-{seed}" for seed in seeds for objective in objectives]
    all_of(
        [train(f"first-{n[-1]}", n[:-2], each, int(n[-1]), n) for n in names],
        [f"{name}.log.jsonl" for name in names],
    )
    parts = ("image", "caption", "negatives")
    all_of(
        [["embed", "--of", of, "--model", name, "test.jsonl"] for name in names for of in parts],
        [f"{name}.{of}.npy" for name in names for of in parts],
    )
    arrays = {
        name: [f"--image-embeddings={name}.image.npy", f"--caption-embeddings={name}.caption.npy"]
        for name in names
    }
    all_of(
        [
            ["score", *arrays[name], f"--negative-embeddings={name}.negatives.npy", "test.jsonl"]
            for name in names
        ],
        [f"{name}.scored.jsonl" for name in names],
    )
    all_of(
        [["eval", *arrays[name], f"{name}.scored.jsonl"] for name in names],
        [f"{name}.report.json" for name in names],
    )
    reports = {n: measure(json.loads((folder / f"{n}.report.json").read_text())) for n in names}
    for measured in reports[names[0]]:
        if measured.startswith("  ") and kit.small:
            continue
        values = {o: [reports[f"{o}-{seed}"][measured] for seed in seeds] for o in objectives}
        kit.say(
            f"scenes, {each} s each: {measured.strip()}",
            {objective: sum(found) / len(found) for objective, found in values.items()},
            seeds=values,
        )  # fmt: skip
    for name in names:
        last = (folder / f"{name}.log.jsonl").read_bytes().splitlines()[-1]
        kit.say(f"scenes, {name}: steps", json.loads(last)["step"])


if __name__ == "__main__":
    main()
