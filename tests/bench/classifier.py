"""Learned accuracy: how often a classifier trained on pairs tells a caption from its negative.

    python -m tests.bench.classifier [--refined] [--captions FILE] [--count N] [FILE ...]

Logistic regression learns from the pairs of four fifths of the images which one of two texts is the
caption, and is asked about the rest, in 5 folds by image: by single words, two and three in a row,
two with any between, any two of a text, and which word stands for which. It knows nothing of a
language beyond these pairs. A tie is half right; 50 % means that only the image can tell.

Measured are FILEs, outputs of `hnclip negatives` whose records have an "image_id"; without any,
what it makes of the captions of COCO in the test data (--captions: of another file; --count: of so
many of its first), all with --true-captions. With --refined also what hnclip refine keeps of it.
Prints one JSON line.
"""

import argparse
import json
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from hnclip_cli.language.ngram import tokenize
from tests.bench.blind import DATA, NUM_FOLDS, Pair, fold, hnclip, pairs_of, read, write
from tests.bench.machine import describe

Array = np.ndarray[Any, Any]
NUM_FEATURES = 1 << 20


def preferences(pairs: Sequence[Pair], steps: int = 50, penalty: float = 4.0) -> Array:
    """How much the classifier prefers each caption, by Adagrad over all pairs."""
    folds = np.array([fold(pair.image) for pair in pairs])
    entries = [
        (row, zlib.crc32(feature.encode()) % NUM_FEATURES, sign)
        for row, pair in enumerate(pairs)
        for feature, sign in differences(tokenize(pair.caption), tokenize(pair.negative))
    ]
    rows, columns, signs = (np.array(values) for values in zip(*entries, strict=True))
    found = np.zeros(len(pairs))
    for number in range(NUM_FOLDS):
        is_judged = folds == number
        of = ~is_judged[rows]
        row, column, sign = rows[of], columns[of], signs[of]
        weights, squares = np.zeros(NUM_FEATURES), np.full(NUM_FEATURES, 0.01)
        for _ in range(steps):
            surprise = 1 / (1 + np.exp(np.bincount(row, sign * weights[column], len(pairs))))
            gradient = penalty * weights
            gradient -= np.bincount(column, sign * surprise[row], NUM_FEATURES)
            squares += gradient**2
            weights -= 0.5 * gradient / np.sqrt(squares)
        scores = np.bincount(rows, signs * weights[columns], len(pairs))
        found[is_judged] = scores[is_judged]
    return found


def differences(caption: list[str], negative: list[str]) -> Iterator[tuple[str, int]]:
    one, other = set(features(caption)), set(features(negative))
    yield from ((feature, 1) for feature in sorted(one - other))
    yield from ((feature, -1) for feature in sorted(other - one))
    for old in set(caption) - set(negative):
        for new in set(negative) - set(caption):
            yield f"{min(old, new)} > {max(old, new)}", 1 if old < new else -1


def features(words: list[str]) -> Iterator[str]:
    words = ["<s>", *words, "</s>"]
    for i, word in enumerate(words):
        yield from (" ".join(words[i : i + size]) for size in (1, 2, 3))
        if i + 2 < len(words):
            yield f"{word} * {words[i + 2]}"
    yield from (f"{one} & {other}" for one, other in combinations(sorted(set(words)), 2))


def measure(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Percentages over all pairs and of each kind, and their numbers."""
    right = np.heaviside(preferences(pairs), 0.5)
    kinds = np.array([pair.kind for pair in pairs])
    return {
        "learned_accuracy": _percent(right),
        "pairs": len(pairs),
        "kinds": {
            str(kind): [_percent(right[kinds == kind]), int((kinds == kind).sum())]
            for kind in np.unique(kinds)
        },
    }


def _percent(values: Array) -> float:
    return round(100 * float(values.mean()), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--captions", type=Path, default=DATA / "coco" / "captions.jsonl")
    parser.add_argument("--count", type=int)
    parser.add_argument("--refined", action="store_true")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        made = {str(path): path for path in options.files}
        if not made:
            records = read(options.captions)[: options.count]
            grouped = [{**record, "group": str(record["image_id"])} for record in records]
            captions = write(Path(scratch) / "captions.jsonl", grouped)
            made = {options.captions.name: Path(scratch) / "made.jsonl"}
            hnclip("negatives", captions, "--true-captions", captions, "-o", *made.values())
        for name, path in made.items():
            figures[name] = measure(list(pairs_of(read(path))))
            if options.refined:
                refined = Path(scratch) / "refined.jsonl"
                hnclip("refine", path, "-o", refined)
                left = list(pairs_of(read(refined)))
                kept = round(100 * len(left) / figures[name]["pairs"], 1)
                figures[f"{name}, refined"] = {**measure(left), "kept": kept}
    print(json.dumps({"benchmark": "classifier", **figures, "machine": describe()}))


if __name__ == "__main__":
    main()
