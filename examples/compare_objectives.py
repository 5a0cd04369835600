"""Compare objectives at equal time: composition gained against retrieval kept.

    python compare_objectives.py [--objectives clip ce-clip hnclip] [--seeds 0 1 2] [-o FOLDER]
    python compare_objectives.py --train train.jsonl --test test.jsonl \\
        --model ViT-B-32 --pretrained openai --seconds 3600 --batch-size 256 --lr 1e-5

Reads drawn scenes of one and two objects, or records with negatives. For each seed the objective
clip trains a model first (not with --pretrained). Each objective goes on from there for the same
time, as many side by side as --lanes says. Prints each command, then a table, and writes it to
FOLDER/table.md and table.json, with chart.svg; FOLDER has also all records, models and logs.
What lies there already is not made again.

Scenes of the test "held out" show combinations of color and shape that training never shows,
scenes "seen" those that it shows.
"""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from subprocess import CalledProcessError, Popen
from typing import Any

import numpy as np

from hnclip_cli.evaluation.bootstrap import Resampling
from hnclip_cli.evaluation.pages.scatter import Point, scatter_svg
from hnclip_cli.sources.scenes.layout import COMBINATIONS

# Of these that need no more than captions, negatives and units: no negative images, no captions of
# several people, no bias.
PUBLISHED = [
    "clip",
    "negclip",
    "roesch",
    "ce-clip",
    "fsc-clip",
    "rank-clip",
    "svlc",
    "cs-clip",
    "clic",
    "concept-centric",
]
# With one negative of its own, hnclip makes more steps and retrieves better.
SETTINGS = {"hnclip": "hnclip --negatives-per-caption 1"}
KINDS = ["swap-adjective", "swap-noun", "swap-noun-phrase", "flip-relation", "replace-number"]
TEST_KINDS = [*KINDS, "replace-color", "replace-noun", "replace-size", "negate"]

# Each measure is a mean over the kinds of negatives that begin so.
MEASURES = {
    "swaps": ("swap-",),
    "flips": ("flip-",),
    "replaced": ("replace-color", "replace-noun", "replace-size", "replace-adjective"),
    "counts": ("replace-number",),
    "negated": ("negate",),
}
RETRIEVAL = {
    f"{short} {rank}": (direction, rank)
    for short, direction in (("I→T", "image_to_text"), ("T→I", "text_to_image"))
    for rank in ("R@1", "R@5")
}
COMPOSITION, KEPT = "swaps", "retrieval R@1"  # the axes of the chart
# Two-sided 95 % quantiles of Student's t, by number of seeds.
STUDENT_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}

Row = dict[str, float]
Outcomes = list[tuple[int, bool]]  # a test record, and whether a pair of it is right
STARTED = time.monotonic()


class Comparison:
    """One seed: a folder with its records, the first model, and what each objective made of it."""

    def __init__(self, options: argparse.Namespace, seed: int) -> None:
        self.options, self.seed = options, seed
        self.folder: Path = options.output / f"seed-{seed}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.parts = ["test", "half"] if options.train else ["test", "seen", "half"]

    def hnclip(self, command: str, output: str, threads: int = 1) -> None:
        """Run a command in the folder; its stdout becomes a file once it has ended well.

        Raises:
            CalledProcessError: the command failed. What it said is in ``output``.err.
        """
        path = self.folder / output
        if path.exists():
            return
        print(f"{time.monotonic() - STARTED:4.0f} s  hnclip {command} > {output}", flush=True)
        part, errors = path.with_name(f"{output}.part"), path.with_name(f"{output}.err")
        words = [*shlex.split(self.options.hnclip), *shlex.split(command)]
        with part.open("w") as stdout, errors.open("w") as stderr:
            environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
            process = Popen(words, cwd=self.folder, env=environment, stdout=stdout, stderr=stderr)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.stderr.write(errors.read_text())
            raise CalledProcessError(process.returncode, words)
        used = {"MB": usage.ru_maxrss / 1024, "seconds": usage.ru_utime + usage.ru_stime}
        path.with_name(f"{output}.used").write_text(json.dumps(used))
        part.rename(path)

    def used(self, output: str) -> dict[str, float]:
        """Memory and processor seconds of the command that wrote a file."""
        found: dict[str, float] = json.loads((self.folder / f"{output}.used").read_text())
        return found

    def join(self, names: Iterable[str], output: str) -> None:
        (self.folder / output).write_bytes(
            b"".join((self.folder / name).read_bytes() for name in names)
        )

    def make_data(self, lanes: ThreadPoolExecutor) -> None:
        """train.jsonl, test.jsonl and half.jsonl; of scenes also first.jsonl and seen.jsonl."""
        options = self.options
        if options.train:
            self.join([options.train.resolve()], "train.jsonl")
            self.join([options.test.resolve()], "test.jsonl")
        else:
            made = [
                lanes.submit(self.make_scenes, *which)
                for which in (
                    ("drawn", "train", options.scenes, KINDS, "--units"),
                    ("test", "test", options.test_scenes, TEST_KINDS, ""),
                    ("seen", "train", options.test_scenes, TEST_KINDS, ""),
                )
            ]
            made.append(lanes.submit(self.make_first))
            for future in made:
                future.result()
            self.keep_held_out()
        self.hnclip("data half-truths test.jsonl", "half.jsonl")
        self.join([f"{part}.jsonl" for part in self.parts], "all.jsonl")

    def keep_held_out(self) -> None:
        """From drawn.jsonl train.jsonl, in which no text names a combination of the test split,
        not even a false one.
        """
        held_out = [f"{color} {shape}" for color, shape in COMBINATIONS["test"]]

        def is_seen(text: str) -> bool:
            return not any(name in text.lower() for name in held_out)

        drawn, kept = self.folder / "drawn.jsonl", self.folder / "train.jsonl"
        with drawn.open() as lines, kept.open("w") as out:
            for record in map(json.loads, lines):
                record["negatives"] = [n for n in record["negatives"] if is_seen(n["caption"])]
                record["units"] = [u for u in record["units"] if is_seen(u.get("foil", ""))]
                out.write(f"{json.dumps(record)}\n")

    def make_first(self) -> None:
        """Scenes of one object for the first phase, none of them in train.jsonl."""
        options = self.options
        self.hnclip(
            f"data scenes one -n {options.first_scenes} --max-objects 1 --split train "
            f"--image-size {options.image_size} --seed {self.seed + 2000}",
            "first.jsonl",
        )

    def make_scenes(self, name: str, split: str, number: int, kinds: list[str], more: str) -> None:
        """Scenes of one and two objects, and a tenth of alike things, with their negatives."""
        seed = self.seed if name == "drawn" else self.seed + 1000
        size = f"--image-size {self.options.image_size} --split {split} --seed {seed}"
        self.hnclip(f"data scenes {name} -n {number} --max-objects 2 {size}", f"{name}-2.jsonl")
        self.hnclip(
            f"data scenes {name} -n {int(number * self.options.alike_share)} --alike {size}",
            f"{name}-alike.jsonl",
        )
        self.join([f"{name}-2.jsonl", f"{name}-alike.jsonl"], f"{name}-scenes.jsonl")
        wanted = " ".join(f"--kind {kind}" for kind in kinds)
        workers = self.options.lanes if name == "drawn" else 1
        self.hnclip(
            f"negatives {more} {wanted} --workers {workers} {name}-scenes.jsonl", f"{name}.jsonl"
        )

    def train(
        self, name: str, start: str, flags: str, threads: int, records: str = "train.jsonl"
    ) -> None:
        """The flags of the comparison, but for those that are given."""
        options = self.options
        defaults = {
            "--lr": options.lr, "--seconds": options.seconds, "--batch-size": options.batch_size,
            "--negatives-per-caption": 2, "--warmup-steps": 20, "--workers": options.workers,
        }  # fmt: skip
        given = shlex.split(flags)
        if "--steps" in given:
            del defaults["--seconds"]
        rest = " ".join(f"{flag} {value}" for flag, value in defaults.items() if flag not in given)
        self.hnclip(
            f"train --overwrite --seed {self.seed} {start} {flags} {rest} -o {name} {records}",
            f"{name}.log.jsonl",
            threads,
        )

    def train_first(self) -> None:
        """The model that all objectives start from; of scenes, it has seen those of one object."""
        options = self.options
        length = f"--seconds {options.first_seconds}"
        if options.steps:
            length = f"--steps {options.steps // 2}"
        flags = f"--objective clip {length}"
        records = "train.jsonl" if options.train else "first.jsonl"
        threads = options.threads * options.lanes
        self.train("first", f"--model {options.model}", flags, threads, records)

    def how(self, name: str) -> tuple[str, str]:
        """Where an objective starts, and its flags."""
        options = self.options
        objective, _, flags = options.settings.get(name, name).partition(" ")
        start = "--model first"
        if options.pretrained:
            start = f"--model {options.model} --pretrained {options.pretrained}"
        return start, f"--objective {objective} {flags}"

    def take_few(self) -> None:
        """few.jsonl: records enough to time steps with, whose images are soon in memory."""
        with (self.folder / "train.jsonl").open("rb") as lines:
            few = islice(lines, 16 * self.options.batch_size)
            (self.folder / "few.jsonl").write_bytes(b"".join(few))

    def time_step(self, name: str) -> float:
        """Processor seconds of a step: what 100 more of them take, with images read before."""
        start, flags = self.how(name)
        used = []
        for steps in (20, 120):
            run = f"{name}-{steps}-steps"
            self.train(run, start, f"{flags} --steps {steps}", self.options.threads, "few.jsonl")
            used.append(self.used(f"{run}.log.jsonl")["seconds"])
        return (used[1] - used[0]) / 100

    def train_and_score(self, name: str) -> None:
        start, flags = self.how(name)
        if self.options.steps:
            flags += f" --steps {self.options.steps_of[name]}"
        self.train(name, start, flags, self.options.threads)
        self.hnclip(f"score --workers 0 --model {name} all.jsonl", f"{name}.all.jsonl")
        scored = iter((self.folder / f"{name}.all.jsonl").read_text().splitlines(keepends=True))
        for part in self.parts:
            size = len((self.folder / f"{part}.jsonl").read_text().splitlines())
            (self.folder / f"{name}.{part}.jsonl").write_text("".join(islice(scored, size)))
            if part != "test":
                self.hnclip(f"eval {name}.{part}.jsonl", f"{name}.{part}.json")
        for of in ("image", "caption"):
            target = f"{name}.{of}.npy"
            self.hnclip(f"embed --workers 0 --of {of} --model {name} test.jsonl", target)
        arrays = f"{name}.image.npy {name}.caption.npy"
        self.hnclip(f"eval --embeddings {arrays} {name}.test.jsonl", f"{name}.test.json")

    def measure(self, name: str) -> Row:
        """Each measure in percent, of one objective; then seconds a step, and MB."""
        reports = {
            part: json.loads(path.read_text())
            for part in self.parts
            if (path := self.folder / f"{name}.{part}.json").exists()
        }
        row: Row = {}
        for part, ending in (("test", ""), ("seen", ", seen")):
            kinds = reports[part]["by"]["kind"] if part in reports else {}
            for measure, beginnings in MEASURES.items():
                found = [v["pair"]["value"] for k, v in kinds.items() if k.startswith(beginnings)]
                if found:
                    row[measure + ending] = 100 * float(np.mean(found))
            row |= {
                kind + ending: 100 * found["pair"]["value"]
                for kind, found in kinds.items()
                if kind.startswith("swap-")
            }
        if "half_truth" in reports["half"]["matching"]:
            row["half-truths"] = 100 * reports["half"]["matching"]["half_truth"]["value"]
        for measure, (direction, rank) in RETRIEVAL.items():
            row[measure] = 100 * reports["test"]["retrieval"][direction][rank]
        row[KEPT] = (row["I→T R@1"] + row["T→I R@1"]) / 2
        log = self.folder / f"{name}.log.jsonl"
        steps = json.loads(log.read_text().splitlines()[-1])["step"]
        row["steps"] = steps
        used = self.used(log.name)
        row |= {"processor s": used["seconds"], "s/step": used["seconds"] / steps, "MB": used["MB"]}
        return row

    def outcomes(self, name: str) -> dict[str, Outcomes]:
        """By measure, of each pair the test record that it is of, and whether it is right."""
        lines = (self.folder / f"{name}.test.jsonl").read_text().splitlines()
        found: dict[str, Outcomes] = {measure: [] for measure in MEASURES}
        for scene, record in enumerate(map(json.loads, lines)):
            true, *others = record["scores"][0]
            for negative, score in zip(record["negatives"], others, strict=True):
                for measure, beginnings in MEASURES.items():
                    if negative["kind"].startswith(beginnings):
                        found[measure].append((scene, true > score))
        return found


def over_seeds(values: list[float]) -> dict[str, Any]:
    """Mean, and its 95 % interval by Student's t."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"mean": mean, "interval": None, "values": values}
    spread = STUDENT_95[len(values)] * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return {"mean": mean, "interval": [mean - spread, mean + spread], "values": values}


def over_items(pairs: list[tuple[Outcomes, Outcomes]]) -> list[float] | None:
    """95 % interval of a difference in percent, by drawing test records anew, as `compare` does.

    Args:
        pairs: of each seed the outcomes of two models on the same records; seeds count alike.
    """
    drawn = [
        ((seed, scene), seed, 1 + int(a) - int(b))
        for seed, (one, other) in enumerate(pairs)
        for (scene, a), (_, b) in zip(one, other, strict=True)
    ]
    records, seeds, above = zip(*drawn, strict=True)
    _, clusters = np.unique(records, axis=0, return_inverse=True)
    interval = Resampling().interval(clusters.reshape(-1), np.array(seeds), np.array(above))
    return interval and [100 * (bound - 1) for bound in interval]


def summary(options: argparse.Namespace, seeds: list[Comparison]) -> dict[str, Any]:
    """What table.json holds: each objective's measures, and what they are above the first's."""
    rows = {name: [seed.measure(name) for seed in seeds] for name in options.names}
    first = options.names[0]
    found = {}
    for name, measured in rows.items():
        found[name] = {m: over_seeds([row[m] for row in measured]) for m in measured[0]}
        for measure, cell in found[name].items():
            cell["above_first"] = over_seeds(
                [
                    row[measure] - base[measure]
                    for row, base in zip(measured, rows[first], strict=True)
                ]
            )
    baseline = [seed.outcomes(first) for seed in seeds]
    for name in options.names[1:]:
        own = [seed.outcomes(name) for seed in seeds]
        for measure in MEASURES:
            if measure in found[name]:
                found[name][measure]["above_first"]["interval_over_items"] = over_items(
                    [(a[measure], b[measure]) for a, b in zip(own, baseline, strict=True)]
                )
    return {"seeds": options.seeds, "seconds": options.seconds, "first": first, "objectives": found}


def cell_of(cell: dict[str, Any], digits: int) -> str:
    """84.2, with several seeds 84.2 ± 1.9."""
    if cell["interval"] is None:
        return f"{cell['mean']:.{digits}f}"
    return f"{cell['mean']:.{digits}f} ± {cell['interval'][1] - cell['mean']:.{digits}f}"


def table(found: dict[str, Any]) -> str:
    """Markdown; of few objectives a column each, which fits a terminal, else a row each."""
    objectives = found["objectives"]
    is_wide = len(objectives) > 4
    measures = [
        measure
        for measure in next(iter(objectives.values()))
        if measure not in ("steps", KEPT) and not (is_wide and measure.startswith("swap-"))
    ]
    lines = [["% right", *measures]]
    for name, row in objectives.items():
        digits = {m: {"s/step": 3, "processor s": 0, "MB": 0}.get(m, 1) for m in measures}
        lines.append([name] + [cell_of(row[m], digits[m]) for m in measures])
    if not is_wide:
        lines = [list(column) for column in zip(*lines, strict=True)]
    return markdown(lines)


def markdown(lines: list[list[str]]) -> str:
    """A table whose first line is its head, with columns of one width."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in ruled
    )


def chart(found: dict[str, Any]) -> str:
    """SVG: up is composition, to the right is retrieval."""
    points = []
    for name, row in found["objectives"].items():
        x, y = row[KEPT], row[COMPOSITION]
        points.append(Point(name, x["mean"], y["mean"], x["interval"], y["interval"]))
    return scatter_svg(points, f"{KEPT}, mean of both directions, %", f"{COMPOSITION}, % right")


def gains(found: dict[str, Any]) -> str:
    """What the last objective gains over the first, and what it costs."""
    name, first = list(found["objectives"])[-1], found["first"]
    row, base = found["objectives"][name], found["objectives"][first]
    points = [
        f"{measure} {row[measure]['above_first']['mean']:+.1f}"
        for measure in ("swaps", "flips", "half-truths", *RETRIEVAL)
        if measure in row
    ]
    longer = row["s/step"]["mean"] / base["s/step"]["mean"]
    return (
        f"{name} against {first}, in points: {', '.join(points)}. A step takes {longer:.2f} times "
        "as long, so it made fewer of them."
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--objectives", nargs="*", default=[*PUBLISHED, "hnclip"], metavar="NAME")
    add("--setting", action="append", default=[], metavar="NAME=OBJECTIVE FLAGS",
        help="call an objective with flags of hnclip train NAME; repeatable")  # fmt: skip
    add("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], metavar="SEED")
    add("--seconds", type=float, default=100, help="of each objective")
    add(
        "--steps",
        type=int,
        metavar="N",
        help="in place of --seconds, on a machine that others use: "
        "N steps of the first objective, and what takes as many processor seconds of the others",
    )
    add("--first-seconds", type=float, default=20, help="of clip, before")
    add("--train", type=Path, metavar="FILE", help="records in place of scenes, with negatives")
    add("--test", type=Path, metavar="FILE", help="others, to test")
    add("--scenes", type=int, default=30_000, help="to train with")
    add("--first-scenes", type=int, default=20_000, help="of one object, for the first phase")
    add("--test-scenes", type=int, default=600)
    add("--alike-share", type=float, default=0.1, help="of scenes to count, beside the others")
    add("--image-size", type=int, default=32, help="of the scenes")
    add("--model", default="hnclip-demo")
    add("--pretrained", metavar="TAG|FILE", help="where the objectives start, in place of clip")
    add("--batch-size", type=int, default=128)
    add("--lr", type=float, default=2e-3)
    add("--workers", type=int, default=0, help="processes that decode images")
    add("--lanes", type=int, default=os.cpu_count(), help="objectives side by side (1 for a GPU)")
    add("--hnclip", default=str(Path(sys.executable).with_name("hnclip")), help="the command")
    add("-o", "--output", type=Path, default=Path("compare-run"), metavar="FOLDER")
    options = parser.parse_args()
    if bool(options.train) != bool(options.test):
        parser.error("--train and --test go together")
    options.output = options.output.resolve()
    options.threads = max(1, (os.cpu_count() or 1) // options.lanes)
    given = dict(setting.split("=", 1) for setting in options.setting)
    options.settings = SETTINGS | given
    options.names = [*options.objectives, *given]
    return options


def main() -> None:
    options = parse()
    seeds = [Comparison(options, seed) for seed in options.seeds]
    with ThreadPoolExecutor(options.lanes) as lanes:
        for seed in seeds:
            seed.make_data(lanes)
            if not options.pretrained:
                seed.train_first()
            if options.steps and seed is seeds[0]:
                seed.take_few()  # before the lanes, which all read it
                costs = dict(
                    zip(options.names, lanes.map(seed.time_step, options.names), strict=True)
                )
                options.steps_of = {
                    name: round(options.steps * costs[options.names[0]] / cost)
                    for name, cost in costs.items()
                }
                options.seconds = options.steps * costs[options.names[0]]
            for done in [lanes.submit(seed.train_and_score, name) for name in options.names]:
                done.result()
    found = summary(options, seeds)
    (options.output / "table.json").write_text(json.dumps(found, indent=1))
    (options.output / "table.md").write_text(f"{table(found)}\n")
    (options.output / "chart.svg").write_text(chart(found))
    print(f"\n{table(found)}\n\n{gains(found)}")
    print(f"Records, models, table.json and chart.svg are in {options.output}")


if __name__ == "__main__":
    main()
