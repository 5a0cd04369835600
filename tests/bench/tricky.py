"""Negatives of captions as strangers' data have them, and which of them a strict reader found bad.

    python -m tests.bench.tricky [--kind KIND …] [--unread]

``tricky.jsonl`` holds 355 captions that were written for this: products, headlines, titles of
works, hashtags, keywords, adverts of houses, recipes, descriptions of several sentences, negations,
HTML, capitals, typing errors; from number 201 prompts, scripts, figures, memes, museum labels,
scores, classified adverts, notes, quizzes, verses, file names, other languages.
``tricky.tsv`` holds the labels: the caption's id, kind, negative, ok or bad, and why. A negative is
bad if its grammar is broken where its caption's is not, if things do
not go together, if it is true or arguably true of what the caption describes, or if it changes a
name, a title, an idiom, what is denied, or what no image shows.

Makes the negatives anew, of the default kinds or of those named, and prints one JSON line: the
share of bad ones among those that were read, how many were not read (other rules make other
negatives), and how many a caption has. ``--unread`` prints these as lines for the labels on stderr.
"""

import argparse
import csv
import json
import sys
from collections import Counter
from pathlib import Path

from hnclip_cli import make_negatives
from tests.bench.machine import describe

CAPTIONS = Path(__file__).with_suffix(".jsonl")
LABELS = Path(__file__).with_suffix(".tsv")


def labels() -> dict[tuple[str, str], str]:
    """By a caption's id and a negative: ok or bad."""
    with open(LABELS, newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {(row["id"], row["negative"]): row["label"] for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", action="append")
    parser.add_argument("--unread", action="store_true", help="what is to be read, on stderr")
    options = parser.parse_args()
    known = labels()
    found: dict[str, Counter[str]] = {}
    num_captions = num_with = 0
    records = map(json.loads, CAPTIONS.read_text().splitlines())
    for record in make_negatives(records, options.kind, workers=0):
        num_captions += 1
        num_with += bool(record["negatives"])
        for negative in record["negatives"]:
            kind, text = negative["kind"], negative["caption"]
            label = known.get((record["id"], text), "unread")
            found.setdefault(kind, Counter())[label] += 1
            if options.unread and label == "unread":
                print(record["id"], kind, text, sep="\t", file=sys.stderr)
    total = sum(found.values(), Counter())
    num_read = total["ok"] + total["bad"]
    result = {
        "benchmark": "tricky",
        "captions": num_captions,
        "with_a_negative": round(num_with / num_captions, 3),
        "negatives_a_caption": round(total.total() / num_captions, 3),
        "read": num_read,
        "bad": round(total["bad"] / max(1, num_read), 4),
        "unread": total["unread"],
        "kinds": {kind: dict(count) for kind, count in sorted(found.items())},
        "machine": describe(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
