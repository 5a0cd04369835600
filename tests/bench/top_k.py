"""Top-10 of 10,000 queries in 1 M rows of 512, against numpy's matrix product alone.

    python -m tests.bench.top_k [--rows 1000000] [--queries 10000] [--check 64]

Both arrays lie in files. Ours reads them, normalizes, selects and yields the hits. Each time that
it has read a tile of the gallery, the clock is switched to the product of that tile with all
queries into one buffer, so that a busy machine is busy for both. Some queries are compared with
brute force in float64. Prints one JSON line: the ratio of our time to the product's, and by how
much the peak of memory rises (rows that are held included; the files are read part by part).
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from hnclip_cli.scoring.search import Hit, search
from hnclip_cli.streams.nearest import QUERIES_PER_BLOCK, ROWS_PER_TILE
from hnclip_cli.streams.npy import NpyWriter, Rows
from tests.bench.machine import describe

K = 10
BARS = {"time_ratio": 1.3, "gigabytes": 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--check", type=int, default=64, help="Queries compared with brute force.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        queries, gallery = Path(folder) / "queries.npy", Path(folder) / "gallery.npy"
        write_rows(queries, args.queries, args.width, seed=0)
        write_rows(gallery, args.rows, args.width, seed=1)
        before = peak_bytes()
        with open(queries, "rb") as one, open(gallery, "rb") as other:
            alternating = Alternating.from_npy(other, "gallery")
            alternating.queries = np.load(queries)
            start = time.perf_counter()
            hits = list(search(Rows.from_npy(one, "queries"), alternating, K))
            ours = time.perf_counter() - start - alternating.seconds
        peak = peak_bytes()
        figure = {
            "benchmark": "top_k",
            "time_ratio": round(ours / alternating.seconds, 3),
            "gigabytes": round((peak - before) / 1e9, 3),
            "queries_checked": args.check,
            "equal_to_brute_force": is_brute_force(hits[: args.check], queries, gallery),
            "hnclip_seconds": round(ours, 2),
            "product_seconds": round(alternating.seconds, 2),
            "bars": BARS,
            "queries": args.queries,
            "rows": args.rows,
            "width": args.width,
            "machine": describe(),
        }
    print(json.dumps(figure))


def write_rows(path: Path, count: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with open(path, "wb") as stream, NpyWriter(stream, width) as writer:
        for start in range(0, count, ROWS_PER_TILE):
            size = min(ROWS_PER_TILE, count - start)
            writer.write(rng.standard_normal((size, width), np.float32))


class Alternating(Rows):
    """A gallery that multiplies each tile with the queries too, and takes the time of that."""

    queries: np.ndarray
    seconds = 0.0
    buffer = np.ones(QUERIES_PER_BLOCK * ROWS_PER_TILE, np.float32)

    def read(self, start: int, stop: int) -> np.ndarray:
        tile = super().read(start, stop)
        began = time.perf_counter()
        for first in range(0, len(self.queries), QUERIES_PER_BLOCK):
            block = self.queries[first : first + QUERIES_PER_BLOCK]
            out = self.buffer[: len(block) * len(tile)].reshape(len(block), len(tile))
            np.matmul(block, tile.T, out=out)
        self.seconds += time.perf_counter() - began
        return tile


def is_brute_force(hits: list[Hit], queries: Path, gallery: Path) -> bool:
    """Whether the rows found are those of the k largest float32 cosines, equal ones by index."""
    left = np.load(queries, mmap_mode="r")[[hit["query"] for hit in hits]].astype(np.float64)
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    right = np.load(gallery, mmap_mode="r")
    cosines = np.empty((len(hits), len(right)), np.float32)
    for start in range(0, len(right), ROWS_PER_TILE):
        tile = right[start : start + ROWS_PER_TILE].astype(np.float64)
        tile /= np.linalg.norm(tile, axis=1, keepdims=True)
        cosines[:, start : start + len(tile)] = left @ tile.T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :K]
    return [[row for row, _ in hit["top"]] for hit in hits] == order.tolist()


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
