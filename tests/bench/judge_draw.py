"""Drawing negatives for tests/bench/judge.py, and the folder that readers get."""

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.judge_questions import QUESTIONS, RULES

PAGE = Path(__file__).with_name("judge_page.html")
PER_IMAGE = 2


class Item(NamedTuple):
    """A negative to read; ``record`` is the id of its record or of SugarCrepe's case."""

    source: str
    kind: str
    record: str
    image: str
    caption: str
    negative: str


def read_ours(path: Path) -> Iterator[Item]:
    """What `hnclip negatives` wrote."""
    with open(path) as stream:
        for record in map(json.loads, stream):
            image = Path(record["image"]).name
            for negative in record["negatives"]:
                yield Item(
                    "hnclip", negative["kind"], str(record["id"]), image,
                    record["caption"], negative["caption"],
                )  # fmt: skip


def read_control(folder: Path) -> Iterator[Item]:
    """SugarCrepe's official files."""
    for path in sorted(folder.glob("*.json")):
        for key, case in json.loads(path.read_text()).items():
            yield Item(
                "sugarcrepe", path.stem, f"{path.stem}/{key}", case["filename"],
                case["caption"], case["negative_caption"],
            )  # fmt: skip


def draw(
    ours: Iterable[Item], control: Iterable[Item], sizes: tuple[int, int], mix: str, seed: int
) -> list[Item]:
    """So many of ours and of the control, in the order in which they are read.

    With mix "real" each negative of ours is as likely as any other; with "kinds" each kind is as
    frequent as the others, as far as there are enough of it.
    """
    kinds: dict[str, list[Item]] = {}
    for item in sorted(ours, key=lambda item: _hash("draw", seed, *item)):
        kinds.setdefault(item.kind if mix == "kinds" else "all", []).append(item)
    theirs = sorted(control, key=lambda item: _hash("draw", seed, *item))
    taken: Counter[str] = Counter()
    drawn = _take([theirs], sizes[1], taken)
    # Rare kinds come first: others would use up their images.
    drawn += _take(sorted(kinds.values(), key=len), sizes[0], taken)
    return sorted(drawn, key=lambda item: _hash("shuffle", seed, *item))


def _take(queues: list[list[Item]], size: int, taken: Counter[str]) -> list[Item]:
    """Equal shares of the queues; what one lacks, later ones give. Counts the images in taken."""
    drawn: list[Item] = []
    for position, queue in enumerate(queues):
        end = len(drawn) + math.ceil((size - len(drawn)) / (len(queues) - position))
        for item in queue:
            if len(drawn) < end and taken[item.image] < PER_IMAGE:
                drawn.append(item)
                taken[item.image] += 1
    return drawn


def _hash(*key: object) -> bytes:
    return hashlib.blake2b("\0".join(map(str, key)).encode(), digest_size=8).digest()


def write_folder(folder: Path, items: Sequence[Item], images: Path) -> None:
    """The page, the items, their photographs and the key."""
    (folder / "images").mkdir(parents=True)
    key = [("number", "source", "kind", "record", "negative")]
    shown = [("number", "image", "caption", "negative")]
    for number, item in enumerate(items, start=1):
        image = f"images/{item.image}"
        shutil.copyfile(images / item.image, folder / image)
        shown.append((str(number), image, as_sentence(item.caption), as_sentence(item.negative)))
        digest = _hash(item.negative).hex()
        key.append((str(number), item.source, item.kind, item.record, digest))
    (folder / "items.tsv").write_text("".join(map(_tsv, shown)))
    (folder / "key.tsv").write_text("".join(map(_tsv, key)))
    data = {
        # By this a page takes up again what was answered on it, not on the page of another draw.
        "draw": _hash(*shown).hex(),
        "rules": RULES,
        "questions": {name: question._asdict() for name, question in QUESTIONS.items()},
        "items": shown[1:],
    }
    in_script = json.dumps(data).replace("<", "\\u003c")
    (folder / "page.html").write_text(PAGE.read_text().replace("{{DATA}}", in_script))


def as_sentence(text: str) -> str:
    """With a capital and a full stop, single spaces between words."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _tsv(cells: Iterable[str]) -> str:
    return "\t".join(cells) + "\n"
