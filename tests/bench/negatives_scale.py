"""Rate and memory of hnclip negatives along millions of captions, in shards side by side.

    python -m tests.bench.negatives_scale CAPTIONS.jsonl… [--count 5000000] [--shards 2]
        [--minutes M] [--kind K …] [--log FILE]

The captions are repeated with other ids until there are so many. Every few seconds each process
is asked for its memory and its processor time, which counts on a machine that others use as well;
what it writes is counted and dropped. After M minutes the processes are ended, and the figures are
of what was done by then. Prints one JSON line, for each shard: captions a processor second in the
first and the last tenth of the time, and the median and the most of memory in each tenth. Memory
rises and falls by some 40 MB within each batch, so medians tell whether it grows. What counts is
behind the first 1 % of the shard, or of what was done where that is less than twice as much. A
process cannot be taken up again, but each minute the figures so far go to FILE, a line each.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
SECONDS = 0.5  # between two samples
Sample = tuple[int, float, float]  # captions done, processor seconds, MB


def make(sources: list[Path], count: int, path: Path) -> None:
    captions = [json.loads(line)["caption"] for source in sources for line in source.open()]
    with path.open("w") as stream:
        for number, caption in enumerate(islice(cycle(captions), count)):
            stream.write(json.dumps({"id": str(number), "caption": caption}) + "\n")


class Shard:
    """A process on a part of the captions, and what was seen of it."""

    def __init__(self, path: Path, part: str, flags: list[str]) -> None:
        command = [sys.executable, "-m", "hnclip_cli", "negatives", "--shard", part, *flags, path]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._num_lines = 0
        self.samples: list[Sample] = []
        self._counter = threading.Thread(target=self._count)
        self._counter.start()

    def _count(self) -> None:
        assert self._process.stdout
        while data := os.read(self._process.stdout.fileno(), 1 << 16):
            self._num_lines += data.count(b"\n")

    def look(self) -> bool:
        """Take a sample; False where the process has ended."""
        if self._process.poll() is not None:
            if self._process.returncode:
                raise SystemExit(f"a shard ended with status {self._process.returncode}")
            return False
        place = Path(f"/proc/{self._process.pid}")
        times = (place / "stat").read_text().rpartition(")")[2].split()[11:13]
        pages = int((place / "statm").read_text().split()[1])
        megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        if self._num_lines:
            self.samples.append((self._num_lines, sum(map(int, times)) / TICKS, megabytes))
        return True

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        self._counter.join()

    def figures(self, length: int) -> dict[str, Any]:
        done = self.samples[-1][0]
        begin = (length if done >= length / 50 else done) / 100
        behind = [sample for sample in self.samples if sample[0] >= begin]
        if len(behind) < 20:
            raise SystemExit("it ended too soon for figures; try a larger --count")
        size = len(behind) / 10
        tenths = [behind[round(n * size) : round((n + 1) * size)] for n in range(10)]
        medians = [round(median(mb for *_, mb in tenth), 1) for tenth in tenths]
        first, last = _rate(tenths[0]), _rate(tenths[-1])
        return {
            "done": done,
            "per_cpu_second": {"first_tenth": first, "last_tenth": last},
            "ratio": round(last / first, 3) if first else None,
            "memory_ratio": round(medians[-1] / medians[0], 3),
            "mb_by_tenth": medians,
            "mb_peak_by_tenth": [round(max(mb for *_, mb in tenth), 1) for tenth in tenths],
        }


def _rate(samples: list[Sample]) -> float:
    (begun, earlier, _), *_, (ended, later, _) = samples
    return round((ended - begun) / (later - earlier), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=5_000_000)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    flags = [word for kind in options.kind for word in ("--kind", kind)]

    def figure() -> dict[str, Any]:
        return {
            "benchmark": "negatives_scale",
            "captions": options.count,
            "flags": flags,
            "minutes": round((time.monotonic() - started) / 60, 1),
            "shards": [shard.figures(options.count // options.shards) for shard in shards],
        }

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions.jsonl"
        make(options.captions, options.count, path)
        started = said = time.monotonic()
        numbers = range(options.shards)
        shards = [Shard(path, f"{number}/{options.shards}", flags) for number in numbers]
        try:
            while any([shard.look() for shard in shards]):
                now = time.monotonic()
                if now - started > 60 * options.minutes:
                    break
                if options.log and now - said > 60 and all(len(s.samples) > 1000 for s in shards):
                    said = now
                    with options.log.open("a") as log:
                        log.write(json.dumps(figure()) + "\n")
                time.sleep(SECONDS)
        finally:
            for shard in shards:
                shard.end()
    # Only now: a child's memory begins as that of whoever forks it, and this imports torch.
    from tests.bench.machine import describe

    print(json.dumps(figure() | {"machine": describe()}))


if __name__ == "__main__":
    main()
