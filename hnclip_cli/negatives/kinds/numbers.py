"""Kinds that say another number of things."""

from collections.abc import Iterator
from functools import cache

from hnclip_cli.language.caption import Caption
from hnclip_cli.lexicon.attributes import NUMBER_WORDS, UNITS
from hnclip_cli.lexicon.nouns import nouns
from hnclip_cli.negatives.analysis.modifiers import head_noun
from hnclip_cli.negatives.analysis.rewriting import Span, replace
from hnclip_cli.streams.edits import Edit

# More than three, whoever counts.
_MANY = (
    "a group of", "a large group of", "a bunch of", "a crowd of", "a herd of", "a flock of",
    "a large herd of", "a small herd of", "lots of", "many", "several", "a lot of",
    "a large number of", "a number of", "a small group of", "numerous", "multiple",
)  # fmt: skip
_PAIR = ("a couple of", "a pair of", "a couple")
# One of these is in all of them, and in "two".
_VAGUE = {
    "two", "group", "bunch", "crowd", "herd", "flock", "lots", "many", "several", "lot", "number",
    "numerous", "multiple", "couple", "pair",
}  # fmt: skip
_NUMBERS = {
    **{word: value for value, word in enumerate(NUMBER_WORDS, 2)},
    **{str(value): value for value in range(2, 10)},
}


def replace_number(caption: Caption) -> Iterator[list[Edit]]:
    """Say another number of things, from two to ten, at most three away; or two for many."""
    yield from _other_numbers(caption)
    for span, text in _vague(caption):
        yield [replace(caption, span, text)]


def _other_numbers(caption: Caption) -> Iterator[list[Edit]]:
    if caption.lowers.isdisjoint(_NUMBERS):
        return
    for index, word in enumerate(caption.words):
        value = _number(word.lower)
        if value is None or "both" in caption.lowers or not _counts_things(caption, index):
            continue
        for other in range(max(2, value - 3), min(10, value + 3) + 1):
            if other != value and NUMBER_WORDS[other - 2] not in caption.lowers:
                text = str(other) if word.text.isdigit() else NUMBER_WORDS[other - 2]
                yield [replace(caption, (index, index + 1), text)]


def _vague(caption: Caption) -> Iterator[tuple[Span, str]]:
    """Many people or animals where there are two, and two where there are many."""
    if caption.lowers.isdisjoint(_VAGUE):
        return
    for index, word in enumerate(caption.words):
        names = _vague_names().get(word.lower, ())
        if not names and word.lower != "two":
            continue
        if caption.lower(index - 1) in ("in", "through", "into", "among", "the", "of"):
            continue
        if word.lower == "two":
            if _head(caption, index + 1) and "other" not in caption.lowers:
                yield (index, index + 1), "several"
            continue
        for name, replacement in names:
            stop = index + len(name)
            if all(caption.lower(index + i) == part for i, part in enumerate(name)):
                if _head(caption, stop) and not _agrees_with_one(caption, stop):
                    yield (index, stop), replacement
                break


@cache
def _vague_names() -> dict[str, list[tuple[list[str], str]]]:
    """By their first word, the words for many and for two, and what is said instead."""
    found: dict[str, list[tuple[list[str], str]]] = {}
    for name in (*_MANY, *_PAIR):
        words = name.split()
        found.setdefault(words[0], []).append((words, "two" if name in _MANY else "several"))
    return found


def _head(caption: Caption, stop: int) -> bool:
    """Whether known things in the plural follow."""
    noun = head_noun(caption, stop - 1)
    if noun is None or caption.tag(noun) != "NNS":
        return False
    known = nouns().get(caption.lower(noun))
    return known is not None and caption.lower(noun + 1) != "and"


def _agrees_with_one(caption: Caption, index: int) -> bool:
    """Whether a verb follows that "group" governs, as "is" in "a group of people is"."""
    return any(
        word.tag == "VBZ" or word.lower in ("is", "was", "has", "that")
        for word in caption.words[index : index + 5]
    )


def _number(word: str) -> int | None:
    return _NUMBERS.get(word)


def _counts_things(caption: Caption, index: int) -> bool:
    if caption.touches_hyphen(index, index + 1) or not caption.has_plain_case(index):
        return False
    before = caption.lower(index - 1)
    if before in ("and", "or", "of", "at", "to", "number", "than", "least", "#", "$", ":", "the"):
        return False
    noun = head_noun(caption, index)
    if caption.tag(index - 1).startswith("NN"):  # "world war two"
        return False
    if noun is None or caption.tag(noun) != "NNS":
        return False
    return not any(caption.lower(i) in UNITS for i in range(index + 1, noun + 1))
