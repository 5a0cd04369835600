"""Further texts of a record, which terms of objectives ask for by name.

A `Source` says which field they come from, how many slots a row has for them, and which of a
record's fill the slots of an epoch. A term names it in its ``needs`` and finds in `View.texts`
what the text tower made of the slots, with a mask. Nothing heavy is imported here.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hnclip_cli.streams.records import Record, shorten
from hnclip_cli.training import joining

# By the name of the slots the texts that fill them; "" leaves a slot empty.
Filled = dict[str, list[str]]

NUM_PHRASES = 6  # of a caption that take part in a step
REBUILT = "paraphrases"  # slots of one text, which a decoder rebuilds, too


@dataclass(frozen=True)
class Source:
    """Texts of one kind.

    Attributes:
        names: of the slots that are filled together: slot k of each belongs together.
        num_slots: of each name and row.
        read: what of a record is kept, as JSON; empty where it has none. Raises `InputError`.
        draw: from what is kept to at most ``num_slots`` texts of each name. It depends on the
            random numbers it is given alone, which are the record's own of this epoch, and on what
            is kept of the record that its image is joined with.
        lacking: what no record has, for a message.
        hint: the command that adds it.
    """

    names: tuple[str, ...]
    num_slots: int
    read: Callable[[Record], Any]
    draw: Callable[[Any, random.Random, Any], Filled]
    lacking: str
    hint: str


def _read_paraphrases(record: Record) -> list[str]:
    if "captions" not in record:
        return []
    return [text for text in record.texts("captions") if text != record.caption]


def _draw_paraphrase(captions: list[str], generator: random.Random, _: Any) -> Filled:
    return {"paraphrases": [generator.choice(captions)]}


NUM_DENSE = 10  # as in DAC


def _draw_dense(captions: list[str], generator: random.Random, _: Any) -> Filled:
    return {"dense": generator.sample(captions, min(NUM_DENSE, len(captions)))}


def _read_units(record: Record) -> list[dict[str, str]]:
    """The ``units`` of a record, checked: see `negatives.units`."""
    found = record.field("units", list) if "units" in record else []
    for position, unit in enumerate(found):
        texts = [unit.get(name) for name in ("text", "kind")] if isinstance(unit, dict) else [None]
        if isinstance(unit, dict) and "foil" in unit:
            texts.append(unit["foil"])
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise record.error(
                f"units[{position}] is no unit",
                got=shorten(unit),
                expected='{"text": …, "kind": "entity" or "relation", "foil": … or none}',
            )
    return found


def _read_foils(record: Record) -> list[dict[str, str]]:
    return [unit for unit in _read_units(record) if "foil" in unit]


def _draw_foils(units: list[dict[str, str]], generator: random.Random, _: Any) -> Filled:
    """First a relation, then an entity; half the time with another one on both sides."""
    relations = [unit for unit in units if unit["kind"] == "relation"]
    entities = [unit for unit in units if unit["kind"] != "relation"]
    chosen = [generator.choice(relations)] if relations else []
    for _slot in range(2 - len(chosen)):
        others = [unit for unit in entities if unit["text"] not in [u["text"] for u in chosen]]
        if others:
            chosen.append(generator.choice(others))
    texts, foils = ([unit[name] for unit in chosen] for name in ("text", "foil"))
    beside = sorted({unit["text"] for unit in entities} - set(texts))
    if beside and chosen[-1]["kind"] != "relation" and generator.random() < 0.5:
        more = generator.choice(beside)
        texts[-1], foils[-1] = f"{texts[-1]} and {more}", f"{foils[-1]} and {more}"
    return {"units": texts, "foils": foils}


def _draw_halves(units: list[dict[str, str]], generator: random.Random, _: Any) -> Filled:
    """A part, and the same with something false: a foil that begins with it, or one beside it.

    For a quarter of the draws only: that teaches as much, and costs a quarter.
    """
    if generator.random() < 0.75:
        return {}
    halves = []
    for part in sorted({unit["text"] for unit in units if unit["kind"] == "entity"}):
        for unit in units:
            if unit["foil"].startswith(f"{part} "):
                halves.append((part, unit["foil"]))
            elif unit["kind"] == "entity" and unit["text"] != part:
                halves.append((part, f"{part} and {unit['foil']}"))
    if not halves:
        return {}
    part, half = generator.choice(halves)
    return {"parts": [part], "halves": [half]}


def _read_phrases(record: Record) -> list[str]:
    phrases = [unit["text"] for unit in _read_units(record) if unit["kind"] == "entity"]
    return list(dict.fromkeys(phrases))


def _draw_phrases(phrases: list[str], generator: random.Random, _: Any) -> Filled:
    return {"phrases": generator.sample(phrases, min(NUM_PHRASES, len(phrases)))}


_UNITS = "hnclip negatives --units before this"
SOURCES: dict[str, Source] = {
    # DAC (Doveh et al., NeurIPS 2023).
    "dense": Source(
        ("dense",), NUM_DENSE, _read_paraphrases, _draw_dense,
        "other captions of the same image", 'records with "captions", a list of true ones',
    ),
    # READ-CLIP (arXiv 2510.16540), and SVLC.
    "paraphrases": Source(
        ("paraphrases",), 1, _read_paraphrases, _draw_paraphrase,
        "other captions of the same image", 'records with "captions", a list of true ones',
    ),
    # CS-CLIP (arXiv 2602.23906).
    "units": Source(("units", "foils"), 2, _read_foils, _draw_foils, "units with a foil", _UNITS),
    # A true part of a caption, and the same with a wrong addition.
    "halves": Source(
        ("parts", "halves"), 1, _read_foils, _draw_halves, "units with a foil", _UNITS
    ),
    # C2LIP (arXiv 2603.25722).
    "phrases": Source(
        ("phrases",), NUM_PHRASES, _read_phrases, _draw_phrases, "units that are entities", _UNITS
    ),
    # CLIC (arXiv 2505.24424).
    "joined": Source(
        ("views", "crossed"), joining.NUM_VIEWS, joining.read, joining.draw, "words", _UNITS
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


def draw_texts(
    record: Record, sources: Iterable[str], chooser: str, partner: Record | None = None
) -> Filled:
    """What fills the slots; the same for the same records, as they were kept, and ``chooser``.

    Args:
        partner: whose image the record's is joined with; by default its own.
    """
    filled: Filled = {}
    for source in sources:
        kept, other = (one.get("texts", {}).get(source) for one in (record, partner or record))
        generator = random.Random(f"{chooser}/{source}")
        drawn = SOURCES[source].draw(kept, generator, other) if kept and other else {}
        filled |= {name: drawn.get(name, []) for name in SOURCES[source].names}
    return filled


def num_slots(sources: Iterable[str]) -> dict[str, int]:
    """The number of slots of each name."""
    return {name: SOURCES[source].num_slots for source in sources for name in SOURCES[source].names}
