"""Further texts of a record, which terms of objectives ask for by name.

A `Source` says which field they come from, how many slots a row has for them, and which of a
record's fill the slots of an epoch. A term names it in its ``needs`` and finds in `View.texts`
what the text tower made of the slots, with a mask. Nothing heavy is imported here.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hnclip_cli.streams.records import Record

# By the name of the slots the texts that fill them; "" leaves a slot empty.
Filled = dict[str, list[str]]


@dataclass(frozen=True)
class Source:
    """Texts of one kind.

    Attributes:
        names: of the slots that are filled together: slot k of each belongs together.
        num_slots: of each name and row.
        read: what of a record is kept, as JSON; empty where it has none. Raises `InputError`.
        draw: from what is kept to at most ``num_slots`` texts of each name. It depends on the
            random numbers it is given alone, which are the record's own of this epoch.
        lacking: what no record has, for the message of an error.
        hint: the command that adds it.
    """

    names: tuple[str, ...]
    num_slots: int
    read: Callable[[Record], Any]
    draw: Callable[[Any, random.Random], Filled]
    lacking: str
    hint: str


def _read_paraphrases(record: Record) -> list[str]:
    if "captions" not in record:
        return []
    return [text for text in record.texts("captions") if text != record.caption]


def _draw_paraphrase(captions: list[str], generator: random.Random) -> Filled:
    return {"paraphrases": [generator.choice(captions)]}


NUM_DENSE = 10  # as in DAC


def _draw_dense(captions: list[str], generator: random.Random) -> Filled:
    return {"dense": generator.sample(captions, min(NUM_DENSE, len(captions)))}


SOURCES: dict[str, Source] = {
    "dense": Source(
        ("dense",), NUM_DENSE, _read_paraphrases, _draw_dense,
        "other captions of the same image", 'records with "captions", a list of true ones',
    ),
    "paraphrases": Source(
        ("paraphrases",), 1, _read_paraphrases, _draw_paraphrase,
        "other captions of the same image", 'records with "captions", a list of true ones',
    ),
}  # fmt: skip


def read_texts(record: Record, sources: Iterable[str]) -> dict[str, Any]:
    """What is kept of a record for these sources, of those that it has something for."""
    found = {source: SOURCES[source].read(record) for source in sources}
    return {source: kept for source, kept in found.items() if kept}


def with_texts(record: Record, sources: Iterable[str]) -> Record:
    """A record as it is kept for `draw_texts`."""
    texts = {"texts": read_texts(record, sources)}
    return Record(record | texts, record.source, record.line, record.index)


def draw_texts(record: Record, sources: Iterable[str], chooser: str) -> Filled:
    """What fills the slots; the same for the same record, as it was kept, and ``chooser``."""
    filled: Filled = {}
    for source in sources:
        kept = record.get("texts", {}).get(source)
        drawn = SOURCES[source].draw(kept, random.Random(f"{chooser}/{source}")) if kept else {}
        filled |= {name: drawn.get(name, []) for name in SOURCES[source].names}
    return filled


def num_slots(sources: Iterable[str]) -> dict[str, int]:
    """The number of slots of each name."""
    return {name: SOURCES[source].num_slots for source in sources for name in SOURCES[source].names}
