"""Replacements proposed by a masked language model, after CE-CLIP (arXiv 2306.08832).

The kinds that replace a word say where, and what would be false there; the model says which words
fit. CE-CLIP takes the model's fourth word whatever it is; here a word must be of the sort that the
kind itself would put there, so that synonyms, hypernyms and what may be just as true stay out.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple, Protocol

from hnclip_cli.language.caption import Caption
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.lexicon.nouns import Noun
from hnclip_cli.lexicon.spelling import cased_like
from hnclip_cli.models.language import Filler, Gap
from hnclip_cli.negatives.analysis.rewriting import with_articles
from hnclip_cli.negatives.choosing.choice import Offers, drawn_order
from hnclip_cli.negatives.choosing.ranking import MAX_CANDIDATES, drawn_candidates
from hnclip_cli.negatives.choosing.truth import facts
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.edits import Edit


class FillsGaps(Protocol):
    """What is asked of a model; `hnclip_cli.models.language.MaskedModel` does it."""

    def fill(self, gaps: Sequence[Gap], k: int, batch_size: int) -> list[list[Filler]]:
        """The ``k`` best words for each gap, best first."""


class Template(NamedTuple):
    """A candidate of a kind: the word it puts into a gap, and its edits, the gap's first."""

    word: str
    edits: list[Edit]


# What a kind would put into each gap of a caption.
Templates = Mapping[Gap, list[Template]]


class Filled:
    """Proposes what a masked language model fills in, for a `NegativeMaker`.

    The model fills the gaps of the kinds that replace words, ``batch_size`` at a time, and its
    ``top_k`` words are considered for each; the other kinds are made by their rules.
    """

    def __init__(
        self, kinds: Sequence[str], model: FillsGaps, *, top_k: int = 64, batch_size: int = 32
    ) -> None:
        self._kinds = kinds
        self._model = model
        self._top_k = top_k
        self._batch_size = batch_size

    def __call__(self, captions: Sequence[Caption]) -> Iterator[list[Offers]]:
        found = [{kind: find_gaps(kind, caption) for kind in self._kinds} for caption in captions]
        # Each gap is filled once.
        gaps = list(dict.fromkeys(chain(*chain.from_iterable(of.values() for of in found))))
        fillers = self._model.fill(gaps, self._top_k, self._batch_size)
        words = {
            gap: [filler.word for filler in of_gap]
            for gap, of_gap in zip(gaps, fillers, strict=True)
        }
        for caption, of in zip(captions, found, strict=True):
            yield [{kind: _candidates(kind, caption, of[kind], words) for kind in self._kinds}]


def _candidates(
    kind: str, caption: Caption, templates: Templates, words: Mapping[Gap, Sequence[str]]
) -> Iterator[list[Edit]]:
    if not is_filled(kind):
        yield from drawn_candidates(kind, KINDS[kind], caption)
    for start in drawn_order(caption.draw, kind, sorted({gap.start for gap in templates})):
        for gap in (gap for gap in templates if gap.start == start):
            for word in words[gap]:
                edits = filled_edits(kind, caption, gap, templates[gap], word)
                if edits:
                    yield with_articles(caption, edits)


def is_filled(kind: str) -> bool:
    """Whether the model makes this kind; the other kinds are made by their rules."""
    return KINDS[kind].change == "replace"


def find_gaps(kind: str, caption: Caption) -> Templates:
    """Where a kind that replaces would put another word, in order of its candidates."""
    found: dict[Gap, list[Template]] = {}
    if is_filled(kind):
        for edits in islice(KINDS[kind].edits(caption), MAX_CANDIDATES):
            start, end, word = _narrowed(caption.text, *edits[0])
            if word and start < end:
                gap = Gap(caption.text, start, end)
                found.setdefault(gap, []).append(Template(word, edits))
    return found


def filled_edits(
    kind: str, caption: Caption, gap: Gap, templates: Sequence[Template], word: str
) -> list[Edit] | None:
    """The edits that put a word into a gap; None where it might leave the caption true."""
    if (template := next((t for t in templates if t.word == word), None)) is not None:
        return template.edits
    sort, lexicon = KINDS[kind].of, caption.lexicon
    # It may name what is there.
    if facts(word, lexicon).isdisjoint(facts(caption.text, lexicon)):
        alike = (t for t in templates if are_of_one_sort(sort, word, t.word, lexicon))
        template = next(alike, None)
    if template is None:
        return None
    text = cased_like(word, caption.text[gap.start : gap.end])
    return [(gap.start, gap.end, text), *template.edits[1:]]


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
