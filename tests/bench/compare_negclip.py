"""The negatives that NegCLIP released beside ours of the same captions.

    python -m tests.bench.compare_negclip [--show]

Of the captions ("title") of benchmarks/negclip/valid_neg_clip.tsv in the test data are measured:
the released negatives; ours of the preset ``negclip``; our default kinds; these with ``--fitted``
from COCO captions of other images; and the default ones after ``hnclip refine``.

Blind accuracy comes from one and the same scorer for all, that of tests/bench/blind.py: trigram
models of COCO captions, each pair scored by one that has seen no caption of its image. Three checks
look for marks of a machine, each in what the negative has and its caption has not:

    article   a or an before a word of the other sound, by the rule that hnclip writes by
    space     a space before . , ; : ! ? or an apostrophe
    case      a lower-case letter at the beginning, where the caption has a capital

``reading_negclip.tsv`` holds a reading of 50 released negatives, 50 of our default kinds and as
many of our preset (fewer, where it makes fewer): whether false of an image that the caption
describes, and whether grammatical (y or n), typing errors of the caption, spaces and capitals not
counted, and what is odd but well formed taken as grammatical. ``--show`` prints them in the order
of a hash, without saying whose they are. The labels that are there were not given blind: most of
the released ones show whose they are by the space before their full stop. A label holds the row of
the file and a hash of caption and negative, no captions. Prints one JSON line.
"""

import argparse
import ast
import csv
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hnclip_cli.lexicon.spelling import article
from tests.bench.blind import DATA, BlindScorer, Pair, hnclip, read, write
from tests.bench.machine import describe

LABELS = Path(__file__).with_name("reading_negclip.tsv")
SIZE = 50
READ = ("released", "preset negclip", "default")


class Row(NamedTuple):
    """A caption of the file, its image, and what the file or we make of it."""

    name: str
    image: int
    caption: str
    negatives: list[str]


def released() -> list[Row]:
    """The rows of the file."""
    path = DATA / "benchmarks" / "negclip" / "valid_neg_clip.tsv"
    found = []
    with open(path, newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            image = re.search(r"_0*(\d+)\.", row["filepath"])
            assert image, row
            negatives = ast.literal_eval(row["neg_caption"])
            found.append(Row(row[""], int(image[1]), row["title"], negatives))
    return found


def has_wrong_article(text: str) -> bool:
    return any(
        article(word.lower()) != said.lower()
        for said, word in re.findall(r"\b(an?) +(\w[\w'-]*)", text, re.IGNORECASE)
    )


def has_space_before_mark(text: str) -> bool:
    return re.search(r"\w\s+(?:[.,;:!?]|n?'[a-z])", text) is not None


def starts_small(text: str) -> bool:
    return text.lstrip()[:1].islower()


CHECKS: dict[str, Callable[[str], bool]] = {
    "article": has_wrong_article,
    "space": has_space_before_mark,
    "case": starts_small,
}


def measure(scorer: BlindScorer, rows: list[Row]) -> dict[str, Any]:
    """Coverage, blind accuracy and the shares of the checks, in percent."""
    pairs = [(row, negative) for row in rows for negative in row.negatives]
    blind = [
        scorer.prefers_caption(Pair(row.image, row.caption, negative, ""))
        for row, negative in pairs
    ]
    figures = {
        "captions_with_negatives": _percent(bool(row.negatives) for row in rows),
        "negatives": len(pairs),
        "negatives_a_caption": round(len(pairs) / len(rows), 2),
        "blind_accuracy": _percent(blind),
    }
    for name, check in CHECKS.items():
        figures[name] = _percent(
            check(negative) and not check(row.caption) for row, negative in pairs
        )
    figures["any_check"] = _percent(
        any(check(negative) and not check(row.caption) for check in CHECKS.values())
        for row, negative in pairs
    )
    return figures


def _percent(values: Iterable[float]) -> float:
    listed = list(values)
    return round(100 * sum(listed) / max(1, len(listed)), 1)


def ours(rows: list[Row], captions: list[dict[str, Any]]) -> dict[str, list[Row]]:
    """What the command makes of the captions of the file, by its flags."""
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        images = {row.image for row in rows}
        source = write(
            base / "captions.jsonl",
            ({"id": row.name, "group": str(row.image), "caption": row.caption} for row in rows),
        )
        others = (record for record in captions if record["image_id"] not in images)
        hnclip("fit", write(base / "others.jsonl", others), "-o", base / "fitted.json")
        made = {
            "preset negclip": ["negatives", source, "--preset", "negclip"],
            "default": ["negatives", source],
            "default, fitted": ["negatives", source, "--fitted", base / "fitted.json"],
            "default, refined": ["refine", base / "default.jsonl"],
        }
        found = {}
        for name, flags in made.items():
            output = base / f"{name.replace(', ', '-').replace(' ', '-')}.jsonl"
            hnclip(*flags, "-o", output)
            found[name] = [
                row._replace(negatives=[negative["caption"] for negative in record["negatives"]])
                for row, record in zip(rows, read(output), strict=True)
            ]
    return found


class Drawn(NamedTuple):
    """A negative to be read; the hash of it and its caption is the key of its label."""

    key: str
    maker: str
    name: str
    caption: str
    negative: str


def sample(sets: dict[str, list[Row]]) -> Iterator[Drawn]:
    """`SIZE` negatives of each of `READ`, by hash, in the order of the hash."""
    drawn: list[Drawn] = []
    for maker in READ:
        found = [
            Drawn(_hash(row.caption, negative), maker, row.name, row.caption, negative)
            for row in sets[maker]
            for negative in row.negatives
        ]
        drawn += sorted(found)[:SIZE]
    yield from sorted(drawn, key=lambda item: _hash("order", item.key))


def _hash(*key: str) -> str:
    return hashlib.blake2b("\0".join(key).encode(), digest_size=6).hexdigest()


def labels() -> dict[str, tuple[str, str, str]]:
    """For the hash of a caption and its negative: false, grammatical, why."""
    if not LABELS.exists():
        return {}
    with open(LABELS) as stream:
        rows = [line.rstrip("\n").split("\t") for line in list(stream)[1:]]
    return {key: (false, grammatical, why) for key, _, false, grammatical, why in rows}


def reading(drawn: list[Drawn]) -> dict[str, Any]:
    """Of each maker: how many were read, the share that is false, grammatical, both."""
    known = labels()
    found = {}
    for maker in READ:
        read_ones = [known[item.key] for item in drawn if item.maker == maker and item.key in known]
        found[maker] = {
            "read": len(read_ones),
            "false": _percent(false == "y" for false, *_ in read_ones),
            "grammatical": _percent(right == "y" for _, right, _ in read_ones),
            "both": _percent(false == right == "y" for false, right, _ in read_ones),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="what is to be read, on stderr")
    options = parser.parse_args()
    captions = read(DATA / "coco" / "captions.jsonl")
    rows = released()
    sets = {"released": rows, **ours(rows, captions)}
    drawn = list(sample(sets))
    if options.show:
        for item in drawn:
            label = "\t".join(labels().get(item.key, ("?", "?", "")))
            print(f"{item.key}\t{item.name}\t{label}", file=sys.stderr)
            print(f"  {item.caption}\n  {item.negative}", file=sys.stderr)
    scorer = BlindScorer(captions)
    figures = {name: measure(scorer, rows) for name, rows in sets.items()}
    result = {"captions": len(rows), **figures, "reading": reading(drawn)}
    print(json.dumps({"benchmark": "compare_negclip", **result, "machine": describe()}))


if __name__ == "__main__":
    main()
