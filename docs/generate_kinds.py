"""Write docs/kinds.md: what each kind of `hnclip negatives` makes of five real captions.

HNCLIP_TEST_DATA=DATA python docs/generate_kinds.py

Reads DATA/coco/captions.jsonl. Nobody chooses the captions: they come in the order of a hash, and
of each kind the first five are shown for which the kind has a negative and that no kind before it
has shown.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.negatives.generators.registry import LEXICON, make_maker
from hnclip_cli.negatives.kinds.registry import KINDS, Kind
from hnclip_cli.streams.records import Record

PAGE = Path(__file__).parent / "kinds.md"
SHOWN = 5
BATCH = 256

Shown = tuple[Record, dict[str, Any]]


def read(path: Path) -> list[Record]:
    """The captions in the order of a hash, those of one image in one group."""
    rows = map(json.loads, path.read_text().splitlines())
    records = [Record({**row, "group": str(row["image_id"])}) for row in rows]
    return sorted(records, key=lambda record: hashlib.sha256(record.id.encode()).digest())


def examples(kind: str, records: list[Record], truth: TrueCaptions) -> Iterator[Shown]:
    """The records that get a negative of this kind, each with it, in order."""
    maker = make_maker(LEXICON, Choosing((kind,), truth=truth))
    for first in range(0, len(records), BATCH):
        batch = records[first : first + BATCH]
        for record, negatives in zip(batch, maker.negatives(batch), strict=True):
            for negative in negatives:
                yield record, negative


def marked(caption: str, edits: Iterable[list[Any]]) -> tuple[str, str]:
    """Caption and negative as Markdown, what differs in bold; nothing else of them is markup."""
    old, new, stop = "", "", 0
    for start, end, text in edits:
        between = _plain(caption[stop:start])
        old += between + _bold(caption[start:end])
        new += between + _bold(text)
        stop = end
    rest = _plain(caption[stop:]).rstrip()
    # Neighbors that all change are one change to the eye.
    return (old + rest).replace("** **", " "), (new + rest).replace("** **", " ")


def _bold(text: str) -> str:
    return f"**{_plain(text)}**" if text.strip() else text


def _plain(text: str) -> str:
    return escape(text, quote=False).replace("|", "&#124;").replace("*", "&#42;")


def section(name: str, kind: Kind, shown: list[Shown], total: int) -> str:
    """A heading, how it is asked for, and a table."""
    asked = "by default" if kind.is_default else f"with `--kind {name}`"
    few = "" if len(shown) == SHOWN else f" All that {total:,} captions give."
    rows = [
        "| {} | {} |".format(*marked(record.caption, negative["edits"]))
        for record, negative in shown
    ]
    table = "\n".join(["| caption | negative |", "|---|---|", *rows])
    return f"## {name}\n\n{kind.source}; made {asked}.{few}\n\n{table}\n"


def render(records: list[Record]) -> str:
    """The whole page."""
    truth = TrueCaptions(records)
    used: set[str] = set()
    sections = []
    for name, kind in KINDS.items():
        shown: list[Shown] = []
        for record, negative in examples(name, records, truth):
            if record.id not in used and len(shown) < SHOWN:
                shown.append((record, negative))
                used.add(record.id)
            if len(shown) == SHOWN:
                break
        sections.append(section(name, kind, shown, len(records)))
    head = f"""# Every kind on real captions

What `hnclip negatives --true-captions` makes, with the edit in bold, unretouched. Nobody chose the
captions: {len(records):,} captions of COCO stand in the order of a hash, and each kind shows the
first {SHOWN} that give a negative of it and that no kind before it has shown. What is odd here is
odd in the output.

This page is written by `HNCLIP_TEST_DATA=… python docs/generate_kinds.py`. The captions are from
the [COCO](https://cocodataset.org) caption annotations (Lin et al. 2014, Chen et al. 2015; COCO
Consortium, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)): as they are on the left, and
changed, as shown, on the right. What each kind is for, and what keeps it false and fluent, says
[negatives.md](negatives.md).
"""
    return "\n".join([head, *sections])


def main() -> None:
    data = Path(os.environ.get("HNCLIP_TEST_DATA", "../shared/data"))
    PAGE.write_text(render(read(data / "coco" / "captions.jsonl")))


if __name__ == "__main__":
    main()
