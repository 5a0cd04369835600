"""Planted pairs among random rows: are they found, in what time and memory?

    python -m tests.bench.blind_pairs [--rows 200000] [--width 512] [--planted 500]

Both arrays lie in files. Some rows of the first are copies of others with a little noise (cosine
about 0.98); those of the second are all random. Prints one JSON line.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from hnclip_cli.negatives.blind_pairs import blind_pairs
from tests.bench.machine import describe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--planted", type=int, default=500)
    args = parser.parse_args()
    random = np.random.default_rng(0)
    shape = args.rows, args.width
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder) / name) for name in ("one.npy", "other.npy")]
        one, other = (np.lib.format.open_memmap(name, "w+", np.float32, shape) for name in names)
        for rows in (one, other):
            for start in range(0, args.rows, 10_000):
                part = rows[start : start + 10_000]
                part[:] = random.standard_normal(part.shape, np.float32)
        pairs = np.sort(random.permutation(args.rows)[: 2 * args.planted].reshape(-1, 2), axis=1)
        noise = random.standard_normal((args.planted, args.width), np.float32)
        one[pairs[:, 1]] = one[pairs[:, 0]] + 0.2 * noise
        del one, other
        records = ({"id": str(n), "image": f"{n}.jpg"} for n in range(args.rows))
        before, start_time = peak_bytes(), time.perf_counter()
        found = [tuple(map(int, item["ids"])) for item in blind_pairs(records, *names)]
        seconds = time.perf_counter() - start_time
        figure = {
            "benchmark": "blind_pairs",
            "seconds": round(seconds, 1),
            "gigabytes": round((peak_bytes() - before) / 1e9, 3),
            "all_found": found == sorted(map(tuple, pairs.tolist())),
            **vars(args),
            "machine": describe(),
        }
    print(json.dumps(figure))


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
