"""Blind accuracy: how often a scorer that sees no image prefers a caption to its negative.

    python -m tests.bench.blind [--every N] [--only default|fitted] [FILE ...]

The scorer is an interpolated word-trigram model (hnclip_cli/language/ngram.py) trained on real
captions of other images, in 5 folds by image; the text of higher total log-probability is taken
for the caption, and a tie is half right. 50 % means that only the image can tell.

Measured are, on coco/captions.jsonl of the test data: what `hnclip negatives --true-captions`
makes without further flags ("default"); with --fitted, from the same captions ("fitted");
with --fitted, from the captions of other images, on a third of the images ("fitted-unseen");
the first two after hnclip refine; and the negatives released by NegCLIP and SugarCrepe. FILEs are
further outputs of `hnclip negatives` whose records have an "image_id". Prints one JSON line.
"""

import argparse
import ast
import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hnclip_cli.language.ngram import TrigramModel
from tests.bench.machine import describe

DATA = Path(os.environ.get("HNCLIP_TEST_DATA", "../shared/data"))
NUM_FOLDS = 5


class Pair(NamedTuple):
    image: int
    caption: str
    negative: str
    kind: str


class BlindScorer:
    """Five models of captions, each without the images of one fold."""

    def __init__(self, records: Iterable[dict[str, Any]]) -> None:
        captions: list[list[str]] = [[] for _ in range(NUM_FOLDS)]
        for record in records:
            captions[fold(record["image_id"])].append(record["caption"])
        self._models = [
            TrigramModel.fit(
                text
                for number, texts in enumerate(captions)
                if number != left_out
                for text in texts
            )
            for left_out in range(NUM_FOLDS)
        ]

    def prefers_caption(self, pair: Pair) -> float:
        """1 for the caption, 0 for the negative, a half for a tie."""
        model = self._models[fold(pair.image)]
        caption = model.log_probability(pair.caption)
        negative = model.log_probability(pair.negative)
        return 0.5 if caption == negative else float(caption > negative)


def fold(image: int) -> int:
    # Not the folds of hnclip refine: it must not be measured by the very models it used.
    return _draw("blind", {"image_id": image}) % NUM_FOLDS


def _draw(purpose: str, record: dict[str, Any]) -> int:
    data = f"{purpose} {record['image_id']}".encode()
    return int.from_bytes(hashlib.sha256(data).digest()[:4], "big")


def measure(scorer: BlindScorer, pairs: Iterable[Pair]) -> dict[str, Any]:
    """Percentages over all pairs and of each kind, and their numbers."""
    found: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        found[pair.kind].append(scorer.prefers_caption(pair))
    whole = [value for values in found.values() for value in values]
    if not whole:
        return {"pairs": 0}
    return {
        "blind_accuracy": _percent(whole),
        "pairs": len(whole),
        "ties": whole.count(0.5),
        "kinds": {kind: [_percent(values), len(values)] for kind, values in sorted(found.items())},
    }


def _percent(values: list[float]) -> float:
    return round(100 * sum(values) / len(values), 1)


def measure_file(scorer: BlindScorer, path: Path, before: dict[str, Any] | None = None) -> Any:
    """The output of `hnclip negatives`, with the captions that have a negative and their kinds."""
    records = read(path)
    kinds = [{negative["kind"] for negative in record["negatives"]} for record in records]
    figures = measure(scorer, pairs_of(records))
    figures["captions_with_negatives"] = round(100 * sum(map(bool, kinds)) / len(kinds), 1)
    figures["mean_kinds"] = round(sum(map(len, kinds)) / len(kinds), 2)
    if before:
        figures["kept"] = round(100 * figures["pairs"] / before["pairs"], 1)
    return figures


def pairs_of(records: Iterable[dict[str, Any]]) -> Iterator[Pair]:
    for record in records:
        for negative in record["negatives"]:
            yield Pair(record["image_id"], record["caption"], negative["caption"], negative["kind"])


def released_negclip() -> Iterator[Pair]:
    with open(DATA / "benchmarks" / "negclip" / "valid_neg_clip.tsv", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            found = re.search(r"_0*(\d+)\.", row["filepath"])
            assert found, row
            for negative in ast.literal_eval(row["neg_caption"]):
                yield Pair(int(found[1]), row["title"], negative, "negclip")


def released_sugarcrepe() -> Iterator[Pair]:
    for path in sorted((DATA / "benchmarks" / "sugarcrepe").glob("*.json")):
        for item in json.loads(path.read_text()).values():
            image = int(Path(item["filename"]).stem)
            yield Pair(image, item["caption"], item["negative_caption"], path.stem)


def read(path: Path) -> list[dict[str, Any]]:
    with open(path) as stream:
        return [json.loads(line) for line in stream]


def write(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def hnclip(*args: object) -> None:
    command = [sys.executable, "-m", "hnclip_cli", *map(str, args)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--every", type=int, default=1, help="negatives for every Nth caption")
    parser.add_argument("--only", choices=["default", "fitted", "fitted-unseen", "files"])
    options = parser.parse_args()
    records = read(DATA / "coco" / "captions.jsonl")
    grouped = [{**record, "group": str(record["image_id"])} for record in records]
    scorer = BlindScorer(records)
    figures: dict[str, Any] = {str(path): measure_file(scorer, path) for path in options.files}
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        truth = write(base / "truth.jsonl", grouped)
        seen = write(base / "captions.jsonl", grouped[:: options.every])
        unseen = write(base / "unseen.jsonl", [r for r in grouped if _draw("unseen", r) % 3 == 0])
        rest = write(base / "rest.jsonl", [r for r in grouped if _draw("unseen", r) % 3])
        hnclip("fit", truth, "-o", base / "fitted.json")
        hnclip("fit", rest, "-o", base / "fitted-rest.json")
        for name, captions, flags in (
            ("default", seen, []),
            ("fitted", seen, ["--fitted", base / "fitted.json"]),
            ("fitted-unseen", unseen, ["--fitted", base / "fitted-rest.json"]),
        ):
            if options.only not in (None, name):
                continue
            made, refined = base / "made.jsonl", base / "refined.jsonl"
            hnclip("negatives", captions, "--true-captions", truth, *flags, "-o", made)
            figures[name] = measure_file(scorer, made)
            if name != "fitted-unseen":
                hnclip("refine", made, "-o", refined)
                figures[f"{name}, refined"] = measure_file(scorer, refined, figures[name])
    figures["NegCLIP, released"] = measure(scorer, released_negclip())
    figures["SugarCrepe, released"] = measure(scorer, released_sugarcrepe())
    print(json.dumps({"benchmark": "blind", **figures, "machine": describe()}))


if __name__ == "__main__":
    main()
