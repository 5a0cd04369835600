"""Whether hnclip negatives gives the same bytes however the work is divided.

    python -m tests.bench.negatives_identity CAPTIONS.jsonl [--count 4000] [--kind K …]

Compares one run with: three shards joined, 2 and 3 workers, and shuffled input sorted back.
Prints one JSON line, and fails where anything differs.
"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

from tests.bench.machine import describe


def run(lines: list[bytes], *flags: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "hnclip_cli", "negatives", *flags],
        input=b"".join(line + b"\n" for line in lines),
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", type=Path)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--kind", action="append", default=[])
    options = parser.parse_args()
    lines = options.captions.read_bytes().splitlines()[: options.count]
    flags = [word for kind in options.kind for word in ("--kind", kind)]
    one = run(lines, *flags)

    order = list(range(len(lines)))
    random.Random(0).shuffle(order)
    shuffled = run([lines[index] for index in order], *flags).splitlines(keepends=True)
    sorted_back = [line for _, line in sorted(zip(order, shuffled, strict=True))]
    outputs = {
        "shards": b"".join(run(lines, *flags, "--shard", f"{index}/3") for index in range(3)),
        "two workers": run(lines, *flags, "--workers", "2"),
        "three workers": run(lines, *flags, "--workers", "3"),
        "shuffled": b"".join(sorted_back),
    }
    same = {name: output == one for name, output in outputs.items()}
    figure = {"captions": len(lines), "bytes": len(one), "same": same}
    figure["sha256"] = hashlib.sha256(one).hexdigest()
    print(json.dumps(figure | {"machine": describe()}))
    if not all(same.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
