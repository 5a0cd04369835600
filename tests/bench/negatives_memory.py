"""Peak memory of hnclip negatives by the length of its input, which comes through a pipe.

    python -m tests.bench.negatives_memory CAPTIONS.jsonl [--counts 10000 1000000] [--kind K …]
        [--workers N]

The captions are repeated as often as needed, each time with a number appended, so that no two
are equal. Prints one JSON line: the peak of each run in MB (with workers, the largest of its
processes), and the ratio of the last to the first. A million captions with tagger kinds take
about half an hour.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
from pathlib import Path


def peak_of(count: int, captions: list[str], flags: list[str]) -> float:
    process = subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", "negatives", *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )

    def produce() -> None:
        assert process.stdin
        for number in range(count):
            caption = captions[number % len(captions)]
            turn = number // len(captions)
            record = {"id": str(number), "caption": f"{caption} number{turn}" if turn else caption}
            process.stdin.write(json.dumps(record).encode() + b"\n")
        process.stdin.close()

    producer = threading.Thread(target=produce)
    producer.start()
    _, status, usage = os.wait4(process.pid, 0)
    producer.join()
    if status:
        raise SystemExit(f"it ended with status {status}")
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    captions = [json.loads(line)["caption"] for line in options.captions.open()]
    flags = [word for kind in options.kind for word in ("--kind", kind)]
    flags += ["--workers", str(options.workers)]
    peaks = {count: round(peak_of(count, captions, flags), 1) for count in options.counts}
    first, *_, last = peaks.values()
    # Only now: a child's peak counts from the size of whoever forks it, and this imports torch.
    from tests.bench.machine import describe

    figure = {"flags": flags, "peak_mb": peaks, "ratio": round(last / first, 3)}
    print(json.dumps(figure | {"machine": describe()}))


if __name__ == "__main__":
    main()
