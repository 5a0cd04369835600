"""Captions a second of hnclip negatives against spaCy alone, and of two workers against one.

    python -m tests.bench.negatives_speed CAPTIONS.jsonl [--count 1024] [--rounds 5]
        [--kind K …] [--workers-count 6000]

Prints one JSON line. ``tagger``: the kinds (default: the default ones), from records to lines of
output in one process, against a bare ``nlp.pipe`` of its tagger, as spaCy loads it. By
name: the kinds that need no tagger, against a bare tagger, and all of these together. All in CPU
seconds of one process, alternated, medians; the ratio is what counts. ``workers``: wall-clock of
whole runs of the command with one and with two workers, alternated, medians, without what both need
to start (a run of one caption).
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hnclip_cli.language.caption import TEXT
from hnclip_cli.language.parser import load_pipeline
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.negatives.making import Made, make_negatives
from hnclip_cli.streams.records import Record, format_record, parse_record
from tests.bench.machine import describe


def medians(rounds: int, *functions: Callable[[], object]) -> list[float]:
    """The median CPU seconds of each, after one run to warm up."""
    seconds: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(rounds):
        for function, found in zip(functions, seconds, strict=True):
            start = time.process_time()
            function()
            found.append(time.process_time() - start)
    return [statistics.median(found) for found in seconds]


def drain(nlp: Any, texts: list[str]) -> None:
    for _ in nlp.pipe(texts):
        pass


def answer_all(made: Made) -> None:
    for record in made:
        format_record(record)


class _Records:
    """The records of lines, parsed each time that they are asked for."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[Record]:
        return map(parse_record, self._lines)


def compare(kinds: list[str], lines: list[bytes], rounds: int) -> dict[str, Any]:
    """Captions a second of the kinds, and of spaCy's tagger as it is.

    Args:
        kinds: those to be measured together; none for the default ones.
        lines: records.
        rounds: how often both are run.
    """
    made = make_negatives(_Records(lines), kinds)
    nlp = load_pipeline()
    texts = [json.loads(line)["caption"] for line in lines]
    bare, ours = medians(rounds, partial(drain, nlp, texts), partial(answer_all, made))
    return {
        "components": nlp.pipe_names,
        "bare_per_s": round(len(lines) / bare),
        "ours_per_s": round(len(lines) / ours),
        "ratio": round(bare / ours, 3),
    }


def run_command(workers: int, kinds: list[str], lines: list[bytes]) -> float:
    flags = [word for kind in kinds for word in ("--kind", kind)]
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "hnclip_cli", "negatives", "--workers", str(workers), *flags],
        input=b"".join(line + b"\n" for line in lines), stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return time.perf_counter() - start


def scaling(kinds: list[str], lines: list[bytes], rounds: int) -> dict[str, Any]:
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, seconds in found.items():
            seconds.append(
                run_command(workers, kinds, lines) - run_command(workers, kinds, lines[:1])
            )
    one, two = (statistics.median(seconds) for seconds in found.values())
    return {"one_s": round(one, 2), "two_s": round(two, 2), "ratio": round(one / two, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", type=Path)
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--workers-count", type=int, default=6000)
    parser.add_argument("--workers-rounds", type=int, default=3)
    options = parser.parse_args()
    lines = options.captions.read_bytes().splitlines()
    few = lines[: options.count]
    words = [name for name, kind in KINDS.items() if kind.level == TEXT]
    figure: dict[str, Any] = {"captions": len(few), "kinds": options.kind or "default"}
    figure["tagger"] = compare(options.kind, few, options.rounds)
    for name in words:
        figure[name] = compare([name], few, options.rounds)
    figure["all of these"] = compare(words, few, options.rounds)
    if options.workers_count:
        figure["workers"] = scaling(
            options.kind, lines[: options.workers_count], options.workers_rounds
        )
    print(json.dumps(figure | {"machine": describe()}))


if __name__ == "__main__":
    main()
