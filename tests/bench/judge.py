"""A blind reading of negatives against their photographs, with SugarCrepe's as control.

    python -m tests.bench.judge draw NEGATIVES.jsonl FOLDER [--mix real|kinds] [--ours N]
    python -m tests.bench.judge table KEY LABELS [LABELS ...] [--text]
    python -m tests.bench.judge keep KEY LABELS > tests/bench/judge_NAME.tsv

``draw`` takes what `hnclip negatives` made of captions with photographs (coco/pairs.jsonl of the
test data) and, as control, the negatives that SugarCrepe released. It fills FOLDER: ``page.html``
for people, ``items.tsv`` and ``images/`` for other readers, and ``key.tsv``, which says whose each
negative is and which readers do not get. No image is in more than two items. The order is shuffled,
and all captions get the capital and full stop that would betray SugarCrepe's. The draw is by hash,
so what two versions of hnclip both make is mostly drawn from both.

A reader writes LABELS, a TSV with the columns number, truth, form, sense and, if they like, note.
``table`` gives percentages with 95 % Wilson intervals of each reader and of all pooled (an item
counts as one in the interval, however many read it), and Cohen's kappa of each two readers.
A negative is useful if it is false, natural, and only the image can reject it.

``keep`` joins a key and the labels of a reader; the file is key and labels at once (`table A.tsv
A.tsv B.tsv`). It holds no captions, which are not ours to give (COCO's are CC BY 4.0, SugarCrepe's
MIT), but a hash of each negative.
"""

import argparse
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.judge_draw import draw, read_control, read_ours, write_folder
from tests.bench.judge_questions import QUESTIONS, instructions

DATA = Path(os.environ.get("HNCLIP_TEST_DATA", "../shared/data"))
KEY_COLUMNS = ("number", "source", "kind", "record", "negative")
FIGURES = (*(answer for question in QUESTIONS.values() for answer in question.answers), "useful")
FIGURES_OF_KINDS = ("useful", "natural", "true")


class Label(NamedTuple):
    """What a reader says of an item."""

    truth: str
    form: str
    sense: str
    note: str

    @property
    def useful(self) -> str:
        return "useful" if self[:3] == ("false", "natural", "image") else "useless"


Labels = dict[int, Label]


def read_tsv(path: Path, *columns: str) -> dict[int, dict[str, str]]:
    """Rows by their number, and in each the number of its line."""
    rows: dict[int, dict[str, str]] = {}
    with open(path) as stream:
        names = stream.readline().rstrip("\r\n").split("\t")
        if missing := {"number", *columns} - set(names):
            raise SystemExit(f"{path}:1: no column {', '.join(sorted(missing))}")
        for line, text in enumerate(stream, start=2):
            if not text.strip():
                continue
            row = dict(zip(names, map(str.strip, text.split("\t")), strict=False))
            number = row.get("number", "")
            if not number.isdecimal() or int(number) in rows:
                raise SystemExit(f"{path}:{line}: no number, or one of an earlier line: {number!r}")
            rows[int(number)] = row | {"line": str(line)}
    return rows


def read_labels(path: Path, key: Iterable[int]) -> Labels:
    """What a reader says of the items of a key; items without all three answers are left out."""
    known = set(key)
    labels = {}
    for number, row in read_tsv(path, *QUESTIONS).items():
        place = f"{path}:{row['line']}"
        if number not in known:
            raise SystemExit(f"{place}: the key has no number {number}")
        label = Label(*(row.get(name, "") for name in Label._fields))
        for (name, question), answer in zip(QUESTIONS.items(), label[:3], strict=True):
            if answer and answer not in question.answers:
                allowed = ", ".join(question.answers)
                raise SystemExit(f"{place}: unknown {name}: {answer!r}, expected {allowed}")
        if all(label[:3]):
            labels[number] = label
    return labels


def table(key: dict[int, dict[str, str]], readers: dict[str, Labels]) -> dict[str, Any]:
    """Figures of each reader and pooled by source and kind, agreement, and what is unlabeled."""
    groups = {name: [labels] for name, labels in readers.items()}
    if len(readers) > 1:
        groups["pooled"] = list(readers.values())
    by_kind = {number: (row["source"], row["kind"]) for number, row in key.items()}
    by_source = {number: (row["source"],) for number, row in key.items()}
    return {
        "items": len(key),
        "unlabeled": {name: sorted(key.keys() - labels.keys()) for name, labels in readers.items()},
        "sources": {name: figures(group, by_source, FIGURES) for name, group in groups.items()},
        "kinds": {
            name: figures(group, by_kind, FIGURES_OF_KINDS) for name, group in groups.items()
        },
        "agreement": {
            f"{one} and {other}": agreement(readers[one], readers[other])
            for one, other in combinations(readers, 2)
        },
    }


def figures(
    readings: Sequence[Labels], groups: Mapping[int, tuple[str, ...]], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """For each group of items their number, and percentages with the ends of their intervals."""
    found: dict[str, dict[str, Any]] = {}
    for group in sorted(set(groups.values())):
        numbers = {number for number in groups if groups[number] == group}
        labels = [labels[number] for labels in readings for number in numbers & labels.keys()]
        count = len({number for labels in readings for number in numbers & labels.keys()})
        if count:
            answers = Counter(word for label in labels for word in (*label[:3], label.useful))
            shares = {name: answers[name] / len(labels) for name in names}
            found[" ".join(group)] = {"n": count} | {
                name: [round(100 * x, 1) for x in (share, *wilson(share, count))]
                for name, share in shares.items()
            }
    return found


def wilson(share: float, count: int, z: float = 1.959964) -> tuple[float, float]:
    """The ends of the 95 % interval of a share of ``count`` items (Wilson, 1927)."""
    center = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    scale = 1 + z * z / count
    return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)


def agreement(one: Labels, other: Labels) -> dict[str, Any]:
    """Of each question and of useful: Cohen's kappa, and the percentage of equal answers."""
    both = sorted(one.keys() & other.keys())
    found: dict[str, Any] = {"n": len(both)}
    for name in (*QUESTIONS, "useful"):
        pairs = [(getattr(one[number], name), getattr(other[number], name)) for number in both]
        equal = sum(a == b for a, b in pairs) / len(pairs) if pairs else 0.0
        found[name] = {"kappa": kappa(pairs), "equal": round(100 * equal, 1)}
    return found


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa (1960); None where both give one and the same answer throughout."""
    count = len(pairs)
    ones, others = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(ones[answer] * others[answer] for answer in ones)
    if by_chance == count * count:
        return None
    observed = count * sum(a == b for a, b in pairs)
    return round((observed - by_chance) / (count * count - by_chance), 3)


def format_table(result: dict[str, Any]) -> str:
    """The same in columns for people."""
    rows: list[list[str]] = []
    for reader, sources in result["sources"].items():
        rows += [[reader, *sources], ["n", *(str(row["n"]) for row in sources.values())]]
        rows += [[f"{name} %", *(_cell(row[name]) for row in sources.values())] for name in FIGURES]
        rows.append([])
    for reader, kinds in result["kinds"].items():
        rows.append([reader, "n", *(f"{name} %" for name in FIGURES_OF_KINDS)])
        for kind, row in kinds.items():
            rows.append([kind, str(row["n"]), *(_cell(row[name]) for name in FIGURES_OF_KINDS)])
        rows.append([])
    lines = [_aligned(row) for row in rows]
    for readers, row in result["agreement"].items():
        lines.append(f"{readers}: {row['n']} items")
        for name in (*QUESTIONS, "useful"):
            lines.append("  {}: kappa {kappa}, equal {equal} %".format(name, **row[name]))
    for reader, numbers in result["unlabeled"].items():
        lines.append(f"unlabeled, {reader}: {len(numbers)} of {result['items']} {numbers or ''}")
    return "\n".join(lines)


def _aligned(row: Sequence[str]) -> str:
    return "".join(cell.rjust(20) if place else cell.ljust(32) for place, cell in enumerate(row))


def _cell(interval: Sequence[float]) -> str:
    return "{:.1f} ({:.1f}-{:.1f})".format(*interval)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw", help="fill a folder for readers")
    drawing.add_argument("negatives", type=Path, help="what hnclip negatives wrote")
    drawing.add_argument("folder", type=Path, help="a new folder")
    drawing.add_argument("--images", type=Path, default=DATA / "coco" / "images")
    drawing.add_argument("--control", type=Path, default=DATA / "benchmarks" / "sugarcrepe")
    drawing.add_argument("--ours", type=int, default=240, metavar="N", help="negatives of hnclip")
    drawing.add_argument("--theirs", type=int, default=60, metavar="M", help="of the control")
    drawing.add_argument("--mix", choices=["real", "kinds"], default="real")
    drawing.add_argument("--seed", type=int, default=0)
    tabling = commands.add_parser("table", help="figures of one reader or more")
    tabling.add_argument("key", type=Path)
    tabling.add_argument("labels", type=Path, nargs="+")
    tabling.add_argument("--text", action="store_true", help="columns instead of JSON")
    keeping = commands.add_parser("keep", help="key and labels as one TSV")
    keeping.add_argument("key", type=Path)
    keeping.add_argument("labels", type=Path)
    options = parser.parse_args()
    {"draw": run_draw, "table": run_table, "keep": run_keep}[options.command](options)


def run_draw(options: argparse.Namespace) -> None:
    if options.folder.exists():
        raise SystemExit(f"{options.folder}: there is one already; its labels need its key")
    there = {path.name for path in options.images.iterdir()}
    ours = (item for item in read_ours(options.negatives) if item.image in there)
    control = (item for item in read_control(options.control) if item.image in there)
    items = draw(ours, control, (options.ours, options.theirs), options.mix, options.seed)
    write_folder(options.folder, items, options.images)
    print(instructions(), file=sys.stderr)
    drawn = Counter(item.source for item in items)
    result = {"folder": str(options.folder), "mix": options.mix, "seed": options.seed, **drawn}
    print(json.dumps({"benchmark": "judge", **result}))


def run_table(options: argparse.Namespace) -> None:
    key = read_tsv(options.key, *KEY_COLUMNS)
    readers = {str(path): read_labels(path, key) for path in options.labels}
    result = table(key, readers)
    print(format_table(result) if options.text else json.dumps({"benchmark": "judge", **result}))


def run_keep(options: argparse.Namespace) -> None:
    key = read_tsv(options.key, *KEY_COLUMNS)
    print(*KEY_COLUMNS, *Label._fields, sep="\t")
    labels = read_labels(options.labels, key)
    unlabeled = Label(*[""] * len(Label._fields))
    for number, row in key.items():
        print(*(row[name] for name in KEY_COLUMNS), *labels.get(number, unlabeled), sep="\t")


if __name__ == "__main__":
    main()
