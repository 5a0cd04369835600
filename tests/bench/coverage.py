"""How many captions get negatives, and of how many kinds.

    python -m tests.bench.coverage [CAPTIONS.jsonl]

Makes the default negatives of every caption, without and with the other captions of its image as
true captions, and prints one JSON line: the share of captions that have at least one, the mean
number of different kinds, and the share of captions that each kind has a negative for.
"""

import argparse
import json
import os
from collections import Counter
from pathlib import Path

from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.negatives.choosing.plausibility import Plausible
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.streams.records import Record
from tests.bench.machine import describe
from tests.negatives.makers import by_rules

DATA = Path(os.environ.get("HNCLIP_TEST_DATA", "../shared/data"))
BATCH = 256


def read(path: Path) -> list[Record]:
    """The captions, those of one image in one group."""
    with open(path) as stream:
        rows = [json.loads(line) for line in stream]
    return [
        Record({"id": row["id"], "caption": row["caption"], "group": str(row["image_id"])})
        for row in rows
    ]


def measure(records: list[Record], truth: TrueCaptions | None) -> dict[str, object]:
    """Coverage, mean number of kinds, and the share of captions of each kind."""
    maker = by_rules(preference=Plausible(load_lexicon()), truth=truth)
    counts: Counter[str] = Counter()
    covered = 0
    for first in range(0, len(records), BATCH):
        for negatives in maker.negatives(records[first : first + BATCH]):
            kinds = {negative["kind"] for negative in negatives}
            covered += bool(kinds)
            counts.update(kinds)
    total = len(records)
    return {
        "with_a_negative": round(covered / total, 4),
        "mean_kinds": round(counts.total() / total, 3),
        "kinds": {kind: round(count / total, 4) for kind, count in counts.most_common()},
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("captions", nargs="?", default=DATA / "coco" / "captions.jsonl", type=Path)
    records = read(parser.parse_args().captions)
    result = {
        "captions": len(records),
        "alone": measure(records, None),
        "with_true_captions": measure(records, TrueCaptions(records)),
        "machine": describe(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
