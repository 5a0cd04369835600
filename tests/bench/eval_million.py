"""eval of a million scored records with 1,000 bootstrap rounds: time beyond parsing, memory.

    python -m tests.bench.eval_million [--records N] [--rounds R] [--repeats K]

Makes records of one to three negatives, five captions an image, two benchmarks of four subsets,
with pseudo-random scores, in a temporary file. Reading them all, and evaluating them all, are
timed in turn; each figure is the median. Memory is the peak of a process that only evaluates.
Prints one JSON line.
"""

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.records import format_record
from tests.bench.machine import describe

KINDS = ("swap-noun", "replace-color", "replace-noun", "negate", "flip-relation")
PLACES = (
    ("sugarcrepe", "swap_obj"), ("sugarcrepe", "add_att"),
    ("valse", "existence"), ("valse", "plurals"),
)  # fmt: skip


def make(count: int) -> Iterator[bytes]:
    rng = random.Random(0)
    for i in range(count):
        benchmark, subset = PLACES[i * len(PLACES) // count]
        negatives = [
            {
                "caption": "a dog sits on a red mat beside a cat",
                "kind": KINDS[(i + j) % len(KINDS)],
                "edits": [[2, 5, "dog"], [33, 36, "cat"]],
            }
            for j in range(1 + i % 3)
        ]
        yield format_record(
            {
                "id": f"r{i}",
                "image": f"images/{i // 5:08d}.jpg",
                "caption": "a cat sits on a red mat beside a dog",
                "negatives": negatives,
                "benchmark": benchmark,
                "subset": subset,
                "scores": [[round(rng.random(), 6) for _ in range(1 + len(negatives))]],
            }
        )


def parse(path: Path) -> None:
    with path.open("rb") as stream:
        for _ in RecordReader(stream).batches():
            pass


def run(path: Path, rounds: int) -> None:
    with path.open("rb") as stream:
        evaluate(RecordReader(stream), rounds=rounds)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor: on a busy machine they are far apart."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def figures_of(prefix: str, times: list[tuple[float, float]]) -> dict[str, float]:
    columns = {
        "parsing_s": [parsing for parsing, _ in times],
        "eval_s": [whole for _, whole in times],
        "beyond_parsing_s": [whole - parsing for parsing, whole in times],
    }
    return {prefix + name: round(statistics.median(v), 2) for name, v in columns.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only-evaluate", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only_evaluate:
        run(args.only_evaluate, args.rounds)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scored.jsonl"
        with path.open("wb") as stream:
            stream.writelines(make(args.records))
        times = [
            (timed(lambda: parse(path)), timed(lambda: run(path, args.rounds)))
            for _ in range(args.repeats)
        ]
        command = [sys.executable, "-m", "tests.bench.eval_million", "--only-evaluate", str(path)]
        peak = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    figures = {
        "benchmark": "eval_million",
        "records": args.records,
        "rounds": args.rounds,
        **figures_of("", [(first[0], second[0]) for first, second in times]),
        **figures_of("cpu_", [(first[1], second[1]) for first, second in times]),
        "peak_gib": round(float(peak), 2),
        "machine": describe(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
