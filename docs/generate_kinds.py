"""Write docs/kinds.md: what each kind of `hnclip negatives` makes of five real captions.

HNCLIP_TEST_DATA=DATA python docs/generate_kinds.py

Reads DATA/coco/captions.jsonl. The captions are not chosen by hand: they come in the order of a
hash. Each kind shows the first five that have a negative of it and that no earlier kind shows.
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
from hnclip_cli.negatives.kinds.presets import PRESETS
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
    """A heading, what the kind does, whose it is, how it is asked for, and a table."""
    purpose = (kind.candidates.__doc__ or "").split("\n")[0]
    asked = "Made by default" if kind.is_default else f"Made with `--kind {name}`"
    few = "" if len(shown) == SHOWN else f" The {total:,} captions give no more."
    rows = [
        "| {} | {} |".format(*marked(record.caption, negative["edits"]))
        for record, negative in shown
    ]
    table = "\n".join(["| caption | negative |", "|---|---|", *rows])
    return f"## {name}\n\n{purpose} {asked}. After: {kind.source}.{few}\n\n{table}\n"


def presets() -> str:
    """A heading, and a table of the presets; a slot of several kinds takes one of them."""
    rows = [
        f"| `{name}` | {preset.paper} | {preset.slots.number} "
        f"| {', '.join(' or '.join(slot) for slot in preset.slots.each)} |"
        for name, preset in PRESETS.items()
    ]
    return "\n".join(
        [
            "## Presets",
            "",
            "| `--preset` | after | negatives | kinds |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


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
    head = f"""# Kinds of negatives

*Reference.* Each kind of [`hnclip negatives`](negatives.md): what it does, and five examples. At
the end: the [presets](#presets).

The examples are the output of `hnclip negatives --true-captions` for COCO captions. They are not
chosen by hand, so they show mistakes too. The {len(records):,} captions are in the order of a
hash. Each kind shows the first {SHOWN} captions that have a negative of it and that no earlier
kind shows. Bold marks the edit.

`HNCLIP_TEST_DATA=… python docs/generate_kinds.py` writes this page. The captions on the left are
from the [COCO](https://cocodataset.org) annotations (Lin et al. 2014, Chen et al. 2015; COCO
Consortium, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)). Those on the right are
changed.
"""
    return "\n".join([head, *sections, presets()])


def main() -> None:
    data = Path(os.environ.get("HNCLIP_TEST_DATA", "../shared/data"))
    PAGE.write_text(render(read(data / "coco" / "captions.jsonl")))


if __name__ == "__main__":
    main()
