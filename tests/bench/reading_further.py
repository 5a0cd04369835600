"""A sample of the kinds that are not made by default, to be read by a person, and what was found.

    python -m tests.bench.reading_further [CAPTIONS.jsonl] [--show]

Draws by hash ten negatives of each kind that only ``--kind`` or ``--preset`` brings, made with the
other captions of the image as true captions; of kinds that are rarer, all. The labels are in
``reading_further.tsv``: record, kind, a hash of the negative (no words, which are not ours to
give), whether it is false of the image and whether it is grammatical (y or n), and why, judged as
in tests/bench/reading.py. An order of words that no longer says anything counts as false.
``--show`` prints captions, negatives and labels; always one JSON line says how many of each kind
are false and grammatical.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.records import Record
from tests.bench import reading
from tests.bench.coverage import BATCH, DATA, read
from tests.bench.machine import describe
from tests.negatives.makers import by_rules

LABELS = Path(__file__).with_suffix(".tsv")
SIZE = 10
FURTHER = [name for name, kind in KINDS.items() if not kind.is_default]

Drawn = tuple[Record, dict[str, Any]]


def sample(records: list[Record]) -> dict[str, list[Drawn]]:
    """Of each kind the first records in the order of a hash that get one, with it."""
    order = sorted(records, key=lambda record: reading.draw("record", record.id))
    maker = by_rules(*FURTHER, truth=TrueCaptions(records), seed=reading.SEED)
    found: dict[str, list[Drawn]] = {kind: [] for kind in FURTHER}
    for first in range(0, len(order), BATCH):
        batch = order[first : first + BATCH]
        for record, negatives in zip(batch, maker.negatives(batch), strict=True):
            for negative in negatives:
                if len(found[negative["kind"]]) < SIZE:
                    found[negative["kind"]].append((record, negative))
    return found


def labels() -> dict[str, tuple[str, str, str]]:
    """For the hash of a negative: false, grammatical, why."""
    if not LABELS.exists():
        return {}
    rows = [line.split("\t") for line in LABELS.read_text().splitlines()[1:]]
    return {key: (false, grammatical, why) for _, _, key, false, grammatical, why in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", nargs="?", default=DATA / "coco" / "captions.jsonl", type=Path)
    parser.add_argument("--show", action="store_true", help="what is to be read, on stderr")
    options = parser.parse_args()
    known = labels()
    kinds = {}
    for kind, drawn in sample(read(options.captions)).items():
        found = []
        for record, negative in drawn:
            key = reading.draw(kind, record.id, negative["caption"])
            label = known.get(key, ("?", "?", ""))
            found.append(label)
            if options.show:
                print("\t".join((record.id, kind, key, *label)), file=sys.stderr)
                print(f"  {record.caption}\n  {negative['caption']}", file=sys.stderr)
        kinds[kind] = {
            "sample": len(found),
            "labelled": sum(false != "?" for false, *_ in found),
            "false": sum(false == "y" for false, *_ in found),
            "grammatical": sum(grammatical == "y" for _, grammatical, _ in found),
        }
    print(json.dumps({"benchmark": "reading_further", "kinds": kinds, "machine": describe()}))


if __name__ == "__main__":
    main()
