"""Memory and time of the terms that work through the batch in chunks of rows.

    python -m tests.bench.terms [--pairs N] [--local-pairs N] [--rounds N]

Prints one JSON line: for each term, forward and backward, the peak memory beyond the inputs in
MB and the seconds, with the chunks that it chooses itself and with one chunk of all rows, and
the ratios. Each memory figure is of a process of its own; times alternate in one process.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.table import TERMS
from hnclip_cli.training.objectives.view import Features, Slots, View
from tests.bench.machine import describe

DIM, NEGATIVES, PATCHES, WORDS = 512, 4, 49, 16
MEASURED = ["contrastive_both", "mirror", "distractor", "rank", "focal_local"]


def run(term: str, given: tuple[Features, Slots], chunk_size: int | None) -> None:
    """Forward and backward, in chunks of this many rows."""
    scale = torch.tensor(100.0, requires_grad=True)
    view = View.of_captions(*given, scale, torch.zeros(2), chunk_size=chunk_size)
    torch.autograd.backward(TERMS[term].function(view))


def make_batch(pairs: int, with_tokens: bool) -> tuple[Features, Slots]:
    torch.manual_seed(0)

    def unit(*shape: int) -> Tensor:
        return F.normalize(torch.randn(*shape), dim=-1).requires_grad_()

    slots = NEGATIVES if with_tokens else 1
    features = Features(unit(pairs, DIM), unit(pairs, DIM), unit(pairs, slots, DIM))
    if with_tokens:
        tokens = unit(pairs, 1 + slots, WORDS, DIM)
        words = torch.ones(tokens.shape[:3], dtype=torch.bool)
        parts = [features.images, features.texts, features.negatives, None]
        features = Features(*parts, unit(pairs, PATCHES, DIM), tokens, words)
    else:
        parts = [features.images, features.texts, features.negatives, unit(pairs, 1, DIM)]
        features = Features(*parts)
    mask = torch.ones(pairs, slots, dtype=torch.bool)
    where = Slots(mask, torch.zeros_like(mask, dtype=torch.long), image_mask=mask[:, :1])
    return features, where


def in_status(field: str) -> float:
    """MB, of this process."""
    text = Path("/proc/self/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", text)
    if not found:
        raise SystemExit(f"no {field} in /proc/self/status")
    return int(found[1]) / 1024


def memory(term: str, pairs: int, chunk_size: int) -> float:
    """Peak beyond the inputs in MB; a small batch before has loaded what the first use loads."""
    run(term, make_batch(4, term == "focal_local"), None)
    batch = make_batch(pairs, term == "focal_local")
    before = in_status("VmRSS")
    run(term, batch, chunk_size or None)
    return in_status("VmHWM") - before


def measured(term: str, pairs: int, rounds: int) -> dict[str, object]:
    peaks = []
    for chunk_size in (0, pairs):
        command = [sys.executable, "-m", "tests.bench.terms", "--memory", term]
        command += ["--pairs", str(pairs), "--chunk-size", str(chunk_size)]
        peaks.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    times: tuple[list[float], list[float]] = ([], [])
    batch = make_batch(pairs, term == "focal_local")
    for _ in range(rounds):
        for chunk_size, found in zip((None, pairs), times, strict=True):
            started = time.perf_counter()
            run(term, batch, chunk_size)
            found.append(time.perf_counter() - started)
    chunked, whole = (statistics.median(found) for found in times)
    return {
        "pairs": pairs,
        "peak_mb": round(peaks[0], 1),
        "one_chunk_peak_mb": round(peaks[1], 1),
        "peak_ratio": round(peaks[0] / peaks[1], 3),
        "seconds": round(chunked, 3),
        "one_chunk_seconds": round(whole, 3),
        "time_ratio": round(chunked / whole, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2048)
    parser.add_argument("--local-pairs", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", choices=MEASURED, help=argparse.SUPPRESS)
    parser.add_argument("--chunk-size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(memory(options.memory, options.pairs, options.chunk_size))
        return
    figures = {
        term: measured(
            term, options.local_pairs if term == "focal_local" else options.pairs, options.rounds
        )
        for term in MEASURED
    }
    print(json.dumps({"benchmark": "terms", **figures, "machine": describe()}))


if __name__ == "__main__":
    main()
