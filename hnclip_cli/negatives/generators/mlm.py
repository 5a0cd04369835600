"""Replacements proposed by a masked language model, after CE-CLIP (arXiv 2306.08832).

The kinds that replace a word say where, and what would be false there; the model says which words
fit. CE-CLIP takes the model's fourth word whatever it is; here a word must be of the sort that the
kind itself would put there, so that synonyms, hypernyms and what may be just as true stay out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from hnclip_cli.language.caption import Caption
from hnclip_cli.language.parser import Parser
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.lexicon.nouns import Noun
from hnclip_cli.lexicon.spelling import cased_like
from hnclip_cli.models.masked import Filler, Gap
from hnclip_cli.negatives.analysis.rewriting import with_articles
from hnclip_cli.negatives.choosing.maker import MAX_CANDIDATES
from hnclip_cli.negatives.choosing.truth import TrueCaptions, facts
from hnclip_cli.negatives.generators.choice import choose
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.edits import Edit
from hnclip_cli.streams.records import Record, hash64

# Records worked on at a time.
PIECE = 64


class FillsGaps(Protocol):
    """What is asked of a model; `hnclip_cli.models.masked.MaskedModel` does it."""

    def fill(self, gaps: Sequence[Gap], k: int, batch_size: int) -> list[list[Filler]]:
        """The ``k`` best words for each gap, best first."""


@dataclass(frozen=True, slots=True)
class Template:
    """A candidate of a kind: the word it puts into a slot, and the edits that go with it."""

    word: str
    others: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """Characters [start, end) of a caption that a kind replaces, and what it would put there."""

    kind: str
    start: int
    end: int
    templates: tuple[Template, ...]


class MaskedMaker:
    """Makes the ``negatives`` of records with a masked language model.

    The model fills the slots of the kinds that replace words; the other kinds are made by their
    rules.

    Args:
        kinds: names from `KINDS`.
        model: fills gaps.
        per_caption: keep this many, of different kinds first; None keeps one of each kind.
        truth: what else is true of the images.
        seed: with the record's id and the kind it decides which slot comes first.
        top_k: words of the model that are considered for a slot.
        batch_size: slots that the model fills at a time.
        lexicon: what is known about words; by default the built-in one.

    Raises:
        HnclipError: no English spaCy pipeline is installed.
    """

    def __init__(
        self,
        kinds: Sequence[str],
        model: FillsGaps,
        *,
        per_caption: int | None = None,
        truth: TrueCaptions | None = None,
        seed: int = 0,
        top_k: int = 64,
        batch_size: int = 32,
        lexicon: Lexicon | None = None,
    ) -> None:
        self._kinds = tuple(kinds)
        self._model = model
        self._per_caption = per_caption
        self._truth = truth or TrueCaptions()
        self._seed = seed
        self._top_k = top_k
        self._batch_size = batch_size
        self._parser = Parser(max(KINDS[kind].level for kind in kinds), lexicon)

    def negatives(self, records: Sequence[Record]) -> list[list[dict[str, Any]]]:
        """The negatives of each record of a batch; batching changes nothing.

        Raises:
            InputError: a record has no usable caption, id or group.
        """
        captions = self._parser.parse([record.caption for record in records])
        slots = [{kind: find_slots(kind, caption) for kind in self._kinds} for caption in captions]
        fillers = self._fill(captions, slots)
        return [
            choose(
                record,
                caption,
                {kind: self._offers(record, kind, caption, by_kind, fillers) for kind in by_kind},
                truth=self._truth,
                per_caption=self._per_caption,
                seed=self._seed,
            )
            for record, caption, by_kind in zip(records, captions, slots, strict=True)
        ]

    def _fill(
        self, captions: Sequence[Caption], slots: Sequence[dict[str, list[Slot]]]
    ) -> dict[Gap, list[Filler]]:
        """The model's words for every gap, each asked for once."""
        gaps = list(
            dict.fromkeys(
                Gap(caption.text, slot.start, slot.end)
                for caption, by_kind in zip(captions, slots, strict=True)
                for found in by_kind.values()
                for slot in found
            )
        )
        filled = self._model.fill(gaps, self._top_k, self._batch_size)
        return dict(zip(gaps, filled, strict=True))

    def _offers(
        self,
        record: Record,
        kind: str,
        caption: Caption,
        slots: dict[str, list[Slot]],
        fillers: dict[Gap, list[Filler]],
    ) -> Iterator[list[Edit]]:
        if not is_filled(kind):
            found = list(islice(KINDS[kind].edits(caption), MAX_CANDIDATES))
            order = sorted(range(len(found)), key=lambda i: self._hash(record, kind, i))
            yield from (with_articles(caption, found[index]) for index in order)
            return
        for slot in sorted(slots[kind], key=lambda slot: self._hash(record, kind, slot.start)):
            for filler in fillers[Gap(caption.text, slot.start, slot.end)]:
                edits = filled_edits(caption, slot, filler.word)
                if edits:
                    yield with_articles(caption, edits)

    def _hash(self, record: Record, *key: object) -> int:
        return hash64(self._seed, record.id, *key)


def is_filled(kind: str) -> bool:
    """Whether the model makes this kind; the other kinds are made by their rules."""
    return KINDS[kind].change == "replace"


def find_slots(kind: str, caption: Caption) -> list[Slot]:
    """Where a kind that replaces would put another word, in order of its candidates."""
    if not is_filled(kind):
        return []
    found: dict[tuple[int, int], list[Template]] = {}
    for (start, end, text), *others in islice(KINDS[kind].edits(caption), MAX_CANDIDATES):
        start, end, word = _narrowed(caption.text, start, end, text)
        if word and start < end:
            found.setdefault((start, end), []).append(Template(word, tuple(others)))
    return [Slot(kind, start, end, tuple(templates)) for (start, end), templates in found.items()]


def filled_edits(caption: Caption, slot: Slot, word: str) -> list[Edit] | None:
    """The edits that put a word into a slot; None where it might leave the caption true."""
    template = next((t for t in slot.templates if t.word == word), None)
    lexicon = caption.lexicon
    # It may name what is there.
    if template is None and facts(word, lexicon).isdisjoint(facts(caption.text, lexicon)):
        sort = KINDS[slot.kind].of
        alike = (t for t in slot.templates if are_of_one_sort(sort, word, t.word, lexicon))
        template = next(alike, None)
    if template is None:
        return None
    text = cased_like(word, caption.text[slot.start : slot.end])
    return [(slot.start, slot.end, text), *template.others]


def are_of_one_sort(sort: str, word: str, known: str, lexicon: Lexicon) -> bool:
    """Whether one word is as false as the other where a kind replaces a third.

    Nouns of one family that agree in number and gender, words for one color, or verbs for one
    action in one form. Which it is, the kind says: a "painting" is a thing to one, an action to
    another.
    """
    if sort == "noun":
        one, other = lexicon.nouns.forms.get(word), lexicon.nouns.forms.get(known)
        return one is not None and other is not None and _are_alike(one, word, other, known)
    if sort == "color":
        looks = lexicon.attributes.looks
        return word in looks and looks[word] == looks.get(known)
    if sort == "verb":
        actions = lexicon.verbs.actions
        return word in actions and actions[word] == actions.get(known) and word[-1] == known[-1]
    return False


def _are_alike(one: Noun, word: str, other: Noun, known: str) -> bool:
    if other.singular == other.plural:  # "sheep" does not say whether "zebra" or "zebras" agrees
        return False
    return (
        one.family == other.family
        and not one.is_general
        and one.is_mass == other.is_mass
        and one.gender == other.gender
        and (word == one.plural) == (known == other.plural)
        and ("flies" in one.traits) == ("flies" in other.traits)
        # Only some prepositions suit these.
        and not one.is_place
        and not (one.traits | other.traits) & {"in", "on"}
    )


def _narrowed(text: str, start: int, end: int, replacement: str) -> tuple[int, int, str]:
    """An edit without the words that it leaves as they are, its replacement in lower case."""
    old, new = text[start:end].split(" "), replacement.split(" ")
    while old and new and old[-1] == new[-1]:
        end -= len(old.pop()) + bool(old)
        new.pop()
    while old and new and old[0] == new[0]:
        start += len(old.pop(0)) + bool(old)
        new.pop(0)
    return start, end, " ".join(new).lower()
