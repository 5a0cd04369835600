"""The parts that a caption is made of: its things and relations, each with a foil, and its words.

A unit is an entity, which is a noun phrase, or a relation, which is a subject, what links it,
and an object. Its foil is what a negative of the caption makes of it: so foils are as plausible,
and as surely false, as negatives. Source: CS-CLIP (arXiv
2602.23906), whose units a language model lists.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from hnclip_cli.language.caption import Caption
from hnclip_cli.language.links import NOUN, PATIENT, PREPOSITION, VERB, Unit, links, units
from hnclip_cli.negatives.analysis.doubts import doubted
from hnclip_cli.negatives.analysis.scope import denied
from hnclip_cli.negatives.choosing.choice import Choice, Choosing, Offers, drawn_order
from hnclip_cli.negatives.choosing.maker import Propose
from hnclip_cli.negatives.choosing.truth import normalized
from hnclip_cli.streams.edits import Edit, apply_edits
from hnclip_cli.streams.records import Record

ENTITY, RELATION = "entity", "relation"
# What may become of a relation, best first; else of a thing in it.
_OF_RELATIONS = (
    "flip-relation", "swap-noun-phrase", "swap-noun", "replace-relation", "replace-verb",
)  # fmt: skip
# An exchange of attributes is false of each of the two things.
_OF_ENTITIES = (
    "swap-adjective", "replace-color", "replace-material", "replace-state", "replace-number",
    "replace-noun", "replace-subject", "replace-object", "replace-location",
)  # fmt: skip
UNIT_KINDS = (*_OF_RELATIONS, *_OF_ENTITIES)

FOILS = 2  # of a unit at most, of kinds of their own
MOST = 12  # candidates of a kind that are looked at

# Words that CLIC exchanges, by what their Penn tags begin with; auxiliaries and determiners stay.
_CLASSES = {"NN": "noun", "VB": "verb", "JJ": "adjective", "RB": "adverb", "CD": "number"}
_NO_VERBS = {
    *("is", "are", "was", "were", "be", "been", "being", "'s", "'re", "am", "'m"),
    *("has", "have", "had", "having", "do", "does", "did", "can", "could", "will", "would"),
}
_NO_THINGS = {
    *("front", "side", "top", "left", "right", "middle", "center", "bottom", "back", "edge", "end"),
    *("background", "foreground", "view", "photo", "picture", "image", "shot", "corner", "others"),
    *("group", "couple", "pair", "bunch", "row", "number", "lot", "variety", "other", "one"),
}
_PARTING = {",", ".", ";", ":", "and", "or", "&"}


class _Part(NamedTuple):
    """A unit in its caption: the characters [start, end) of its pieces, joined by spaces."""

    kind: str
    spans: tuple[tuple[int, int], ...]

    def text(self, caption: str, edits: Iterable[Edit] = ()) -> str:
        edits = list(edits)
        return " ".join(
            apply_edits(
                caption[start:end],
                [(e[0] - start, e[1] - start, e[2]) for e in edits if _is_in(e, start, end)],
            )
            for start, end in self.spans
        )

    def holds(self, edit: Edit) -> bool:
        return any(_is_in(edit, *span) for span in self.spans)


def parts_of(
    choosing: Choosing, propose: Propose, record: Record, caption: Caption | None
) -> dict[str, Any]:
    """``units`` and ``words``; a caption that is None has none.

    Args:
        propose: offers what `UNIT_KINDS` make.
    """
    if caption is None:
        return {"units": [], "words": []}
    return {"units": _units(choosing, propose, record, caption), "words": _words(caption)}


def _words(caption: Caption) -> list[list[Any]]:
    """[start, end, class] of each noun, verb, adjective, adverb and number."""
    return [
        [word.start, word.end, _CLASSES[word.tag[:2]]]
        for word in caption.words
        if word.tag[:2] in _CLASSES and word.lower not in _NO_VERBS and word.text.isalnum()
    ]


def _units(
    choosing: Choosing, propose: Propose, record: Record, caption: Caption
) -> list[dict[str, str]]:
    """Relations first: of each {"text", "kind"}, and a "foil" where there is one.

    A unit with several foils is there once for each.
    """
    parts = list(dict.fromkeys([*_relations(caption), *_entities(caption)]))
    if not parts:
        return []
    said = {normalized(text) for text in (caption.text, *record.get("captions", ()))}
    true = {normalized(part.text(caption.text)) for part in parts}
    foils: dict[_Part, list[str]] = {part: [] for part in parts}
    choice = Choice(choosing, record, caption)
    offers: Offers = next(iter(next(iter(propose([caption])))), {})
    of_kinds = {kind: islice(choice.accepted(kind, offers[kind]), MOST) for kind in offers}
    for kind in sorted(of_kinds, key=_order(caption)):
        wanted = [part for part in parts if len(foils[part]) < FOILS]
        for negative in of_kinds[kind] if wanted else ():
            edits = [tuple(edit) for edit in negative["edits"]]
            for part in list(wanted):
                foil = _foil(part, caption, kind, edits)
                letters = normalized(foil)
                if foil and letters not in true and not any(letters in text for text in said):
                    foils[part].append(foil)
                    wanted.remove(part)
    return [
        {"text": part.text(caption.text), "kind": part.kind} | foil
        for part in parts
        for foil in ([{"foil": foil} for foil in foils[part]] or [{}])
    ]


def _order(caption: Caption) -> Any:
    """Kinds of relations as they stand, then those of things in an order of the record's own."""
    numbers = drawn_order(caption.draw, "units", range(len(_OF_ENTITIES)))
    places = {_OF_ENTITIES[number]: place for place, number in enumerate(numbers)}
    return lambda kind: (kind in places, places.get(kind, UNIT_KINDS.index(kind)))


def _foil(part: _Part, caption: Caption, kind: str, edits: Sequence[Edit]) -> str:
    """What edits make of a unit, or "" where they do not make it false."""
    inside = [edit for edit in edits if part.holds(edit)]
    is_of_unit = part.kind == RELATION or kind not in _OF_RELATIONS
    is_whole = len(inside) == len(edits) or (part.kind == ENTITY and kind == "swap-adjective")
    if not inside or not is_of_unit or not is_whole:
        return ""
    foil, text = part.text(caption.text, inside), part.text(caption.text)
    return foil if normalized(foil) != normalized(text) else ""


def _entities(caption: Caption) -> Iterator[_Part]:
    for unit in units(caption):
        if _is_thing(caption, unit):
            yield _Part(ENTITY, (_span(caption, unit.first, unit.stop),))


def _relations(caption: Caption) -> Iterator[_Part]:
    """A thing, what links it to another one, and that one."""
    found = units(caption)
    things = {unit.head: unit for unit in found if _is_thing(caption, unit)}
    linked = {
        (link.at, link.to)
        for link in links(caption)
        if link.relation == PATIENT or link.relation.startswith("noun ")
    }
    for thing in things.values():
        before, is_near = _before(caption, found, thing)
        subjects = [unit for unit in things.values() if (unit.head, thing.head) in linked]
        if before and before in things.values() and not is_near:
            subjects = [before]
        for subject in subjects:
            if before is None or before.stop < subject.stop:
                continue
            spans = [(subject.first, subject.stop), (before.stop, thing.stop)]
            if before == subject:
                spans = [(subject.first, thing.stop)]
            part = _Part(RELATION, tuple(_span(caption, *span) for span in spans))
            if not _is_open(caption, part.spans[0][0], part.spans[-1][1]):
                yield part


def _before(caption: Caption, found: Sequence[Unit], thing: Unit) -> tuple[Unit | None, bool]:
    """The thing before another one, with words between that link them; whether it is the nearest
    noun. "To the left of" holds a noun that is no thing.
    """
    is_near, kinds = True, set[int]()
    for unit in reversed(found[: found.index(thing)]):
        if unit.kind == NOUN:
            if caption.lower(unit.head) not in _NO_THINGS:
                return (unit if kinds & {VERB, PREPOSITION} else None), is_near
            is_near = False
        elif unit.lemma in _PARTING:
            break
        kinds.add(unit.kind)
    return None, is_near


def _is_thing(caption: Caption, unit: Unit) -> bool:
    if unit.kind != NOUN or caption.lower(unit.head) in _NO_THINGS:
        return False
    return not _is_open(caption, *_span(caption, unit.first, unit.stop))


def _is_open(caption: Caption, start: int, end: int) -> bool:
    """Whether the caption denies some of it, or leaves it open."""
    spans = [*denied(caption), *doubted(caption)]
    return any(first < end and start < stop for first, stop in spans)


def _span(caption: Caption, first: int, stop: int) -> tuple[int, int]:
    return caption.words[first].start, caption.words[stop - 1].end


def _is_in(edit: Edit, start: int, end: int) -> bool:
    return start <= edit[0] and edit[1] <= end
