"""Processor time a record at ten times the records, for each stage.

    python -m tests.bench.per_record CAPTIONS.jsonl [--count 400] [--rounds 3] [--stage S …]

Each stage runs as a real process on N, 10 N and 19 N records made from the captions; what a record
more costs is the difference, so starting and loading do not count: between N and 10 N, and between
10 N and 19 N. The bar is 1.05: the later records cost no more than the earlier ones. N is --count
for negatives and a multiple of it for stages whose records cost less, since starting, which takes
seconds, is not always equally long. Search has one query a record in a gallery of fixed size.
Prints one JSON line: for each stage the median ratio, and that of each round.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import cycle, islice, product
from pathlib import Path
from statistics import median

import numpy as np

WIDTH, GALLERY = 64, 2000
# For each stage, how many records are as much work as one of negatives, or a little less.
RECORDS = {"negatives": 1, "embed": 5, "score": 20, "eval": 60, "search": 20}


def processor_seconds(*arguments: str) -> float:
    process = subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", *arguments], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments} ended with status {status}")
    return usage.ru_utime + usage.ru_stime


def write_inputs(folder: Path, captions: list[str], count: int) -> None:
    rng = np.random.default_rng(0)
    for name in ("images", "captions"):
        np.save(folder / f"{name}-{count}.npy", rng.standard_normal((count, WIDTH), np.float32))
    np.save(folder / "gallery.npy", rng.standard_normal((GALLERY, WIDTH), np.float32))
    with (
        open(folder / f"{count}.jsonl", "w") as plain,
        open(folder / f"{count}.scored", "w") as scored,
    ):
        for number, caption in enumerate(islice(cycle(captions), count)):
            # No two are equal, or later ones would be remembered.
            record = {"id": str(number), "image": f"{number}.jpg", "caption": f"{caption} {number}"}
            plain.write(json.dumps(record) + "\n")
            record |= {"negatives": [{"caption": "a cat", "kind": "replace-noun"}]}
            record["scores"] = [[round(value, 5) for value in rng.random(2).tolist()]]
            scored.write(json.dumps(record) + "\n")


def stages(folder: Path, count: int, model: str) -> dict[str, list[str]]:
    names = f"{count}.jsonl", f"images-{count}.npy", f"captions-{count}.npy"
    records, images, captions = (str(folder / name) for name in names)
    return {
        "negatives": ["negatives", records],
        "embed": ["embed", "--of", "caption", "--model", model, records],
        "score": [
            "score", "--image-embeddings", images, "--caption-embeddings", captions, records,
        ],
        "eval": ["eval", "--bootstrap", "0", str(folder / f"{count}.scored")],
        "search": ["search", captions, str(folder / "gallery.npy")],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", type=Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stage", action="append", choices=list(RECORDS))
    args = parser.parse_args()
    captions = [json.loads(line)["caption"] for line in args.captions.open()]
    chosen = args.stage or list(RECORDS)
    costs: dict[str, list[tuple[float, float]]] = {stage: [] for stage in chosen}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Only now: processes begin with the memory of whoever forks them, and this imports torch.
        from hnclip_cli.models.load import load_clip, save_clip

        save_clip(load_clip("hnclip-tiny", device="cpu", seed=1), str(folder / "model"))
        for _, stage in product(range(args.rounds), chosen):
            seconds = []
            for times in (1, 10, 19):
                count = times * args.count * RECORDS[stage]
                write_inputs(folder, captions, count)
                command = stages(folder, count, str(folder / "model"))[stage]
                seconds.append(processor_seconds(*command))
                for path in folder.glob(f"*{count}.*"):
                    path.unlink()
            first, second, third = seconds
            costs[stage].append((second - first, third - second))
    figures = {}
    for stage, pairs in costs.items():
        ratios = [round(later / earlier, 3) for earlier, later in pairs]
        count = 18 * args.count * RECORDS[stage]
        figures[stage] = {
            "count": args.count * RECORDS[stage],
            "ratio": median(ratios),
            "ratios": ratios,
            "microseconds_a_record": round(1e6 * median(map(sum, pairs)) / count, 1),
        }
    from tests.bench.machine import describe

    figure = {"benchmark": "per_record", "count": args.count, "stages": figures}
    print(json.dumps(figure | {"machine": describe()}))


if __name__ == "__main__":
    main()
