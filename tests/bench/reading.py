"""A sample of negatives to be read by a person, and what was found in them.

    python -m tests.bench.reading [CAPTIONS.jsonl] [--show]

Draws 200 captions by hash, and of each one of its default negatives, made with the other captions
of its image as true captions. ``reading.tsv`` holds the labels: record, kind, what was put in,
whether the negative is false of the image and whether it is grammatical (y or n), and why. False is
judged against the caption, not the photograph; grammatical without counting typing errors that the
caption has already; what is odd but well formed is grammatical. It
holds no captions, which are not ours to give. ``--show`` prints captions, negatives and labels;
always one JSON line says how many are false and grammatical, and how many of the sample are
labelled at all: other negatives than those that were read count as unlabelled.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.streams.records import Record
from tests.bench.coverage import DATA, read
from tests.bench.machine import describe
from tests.negatives.makers import by_rules

LABELS = Path(__file__).with_suffix(".tsv")
SIZE = 200
SEED = 7

Label = tuple[str, str, str]


def sample(records: list[Record]) -> list[tuple[Record, dict[str, Any]]]:
    """Records in the order of a hash, each with one of its negatives."""
    chosen = sorted(records, key=lambda record: draw("record", record.id))[: SIZE + 50]
    maker = by_rules(truth=TrueCaptions(records), seed=SEED)
    found = []
    for record, negatives in zip(chosen, maker.negatives(chosen), strict=True):
        if negatives:
            found.append((record, min(negatives, key=lambda n: draw(record.id, n["kind"]))))
    return found[:SIZE]


def replacement(negative: dict[str, Any]) -> str:
    """What the edits put in."""
    return " | ".join(text for _, _, text in negative["edits"])


def labels() -> dict[tuple[str, str, str], Label]:
    """For a record, a kind and a replacement: false, grammatical, why."""
    found = {}
    with open(LABELS) as stream:
        next(stream)
        for line in stream:
            name, kind, text, false, grammatical, why = line.rstrip("\n").split("\t")
            found[name, kind, text] = (false, grammatical, why)
    return found


def draw(*key: str) -> str:
    """The hash by which all is drawn."""
    return hashlib.blake2b("\0".join((str(SEED), *key)).encode(), digest_size=8).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("captions", nargs="?", default=DATA / "coco" / "captions.jsonl", type=Path)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    known = labels()
    read_ones: list[Label] = []
    drawn = sample(read(arguments.captions))
    for record, negative in drawn:
        key = (record.id, negative["kind"], replacement(negative))
        label = known.get(key)
        if label:
            read_ones.append(label)
        if arguments.show:
            shown = "\t".join((*key, *(label or ("?", "?", ""))))
            print(f"{shown}\n  {record.caption}\n  {negative['caption']}", file=sys.stderr)
    count = max(1, len(read_ones))
    result = {
        "sample": len(drawn),
        "labelled": len(read_ones),
        "false": round(sum(label[0] == "y" for label in read_ones) / count, 4),
        "grammatical": round(sum(label[1] == "y" for label in read_ones) / count, 4),
        "machine": describe(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
