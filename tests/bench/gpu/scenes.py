"""Stage g: hnclip against clip on drawn scenes, for the same wall-clock time, three seeds."""

import json
import subprocess
import sys
from typing import Any

from tests.bench.gpu.kit import Kit, environment_of

OBJECTIVES = ("clip", "hnclip")


def measure(report: dict[str, Any]) -> dict[str, float]:
    """Percent right by kind of negative, and retrieval in both directions."""
    rows = {kind: 100 * found["pair"]["value"] for kind, found in report["by"]["kind"].items()}
    for direction in ("image_to_text", "text_to_image"):
        for rank in ("R@1", "R@5"):
            rows[f"{direction} {rank}"] = 100 * report["retrieval"][direction][rank]
    return rows


def main() -> None:
    scenes(Kit.from_arguments())


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

    size = ["-n", "60"] if kit.small else ["-n", "12000"]
    tests = ["-n", "20"] if kit.small else ["-n", "600"]
    common = ["--max-objects", "2", "--image-size", "32", "--seed", "0"]
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
            "--seed", str(seed), "--lr", "1e-3", "--warmup-steps", "20",
            "--batch-size", "32" if kit.small else "128",
            "--negatives-per-caption", "2", "--workers", "1", "--device", str(kit.device),
            "-q", "-o", output, "train.jsonl",
        ]  # fmt: skip

    all_of(
        [train("hnclip-demo", "clip", first, seed, f"first-{seed}") for seed in seeds],
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
    flags = ("--image-embeddings", "--caption-embeddings", "--negative-embeddings")
    arrays = {
        name: [f"{flag}={name}.{of}.npy" for flag, of in zip(flags, parts, strict=True)]
        for name in names
    }
    all_of(
        [["score", *arrays[name], "test.jsonl"] for name in names],
        [f"{name}.scored.jsonl" for name in names],
    )
    all_of(
        [
            [
                "eval",
                "--embeddings",
                f"{name}.image.npy",
                f"{name}.caption.npy",
                f"{name}.scored.jsonl",
            ]
            for name in names
        ],
        [f"{name}.report.json" for name in names],
    )
    reports = {n: measure(json.loads((folder / f"{n}.report.json").read_text())) for n in names}
    for measured in reports[names[0]]:
        values = {o: [reports[f"{o}-{seed}"][measured] for seed in seeds] for o in objectives}
        kit.say(
            f"scenes, {each} s each: {measured}",
            {objective: sum(found) / len(found) for objective, found in values.items()},
            seeds=values,
        )  # fmt: skip
    for name in names:
        last = (folder / f"{name}.log.jsonl").read_bytes().splitlines()[-1]
        kit.say(f"scenes, {name}: steps", json.loads(last)["step"])


if __name__ == "__main__":
    main()
