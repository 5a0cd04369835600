"""The kind that says another number of things."""

from collections.abc import Iterator
from itertools import chain

from hnclip_cli.language.caption import Caption
from hnclip_cli.negatives.analysis.nouns import head_noun, noun_at
from hnclip_cli.negatives.analysis.rewriting import Span, replace
from hnclip_cli.streams.edits import Edit

# A number becomes another one at most so far away.
_REACH = 3
_LEAST, _MOST = 2, 10
_NOT_COUNTING = {"and", "or", "of", "at", "to", "number", "than", "least", "#", "$", ":", "the"}
_OF_A_WHOLE = {"in", "through", "into", "among", "the", "of"}


def replace_number(caption: Caption) -> Iterator[list[Edit]]:
    """Say another number of things, from two to ten, at most three away; or two for many."""
    for span, text in chain(_other_numbers(caption), _vague(caption)):
        yield [replace(caption, span, text)]


def _other_numbers(caption: Caption) -> Iterator[tuple[Span, str]]:
    numbers = caption.lexicon.numbers
    if numbers.values.keys().isdisjoint(caption.lowers) or "both" in caption.lowers:
        return
    for index, word in enumerate(caption.words):
        value = numbers.values.get(word.lower)
        if value is None or not _counts_things(caption, index):
            continue
        for other in range(max(_LEAST, value - _REACH), min(_MOST, value + _REACH) + 1):
            if other != value and numbers.names[other] not in caption.lowers:
                text = str(other) if word.text.isdigit() else numbers.names[other]
                yield (index, index + 1), text


def _vague(caption: Caption) -> Iterator[tuple[Span, str]]:
    """Many people or animals where there are two, and two where there are many."""
    numbers = caption.lexicon.numbers
    two = numbers.names[2]
    if two not in caption.lowers and caption.lowers.isdisjoint(numbers.telling):
        return
    for index, word in enumerate(caption.words):
        if word.lower != two and word.lower not in numbers.vague:
            continue
        if caption.lower(index - 1) in _OF_A_WHOLE:
            continue
        if word.lower == two and _are_known(caption, index + 1) and "other" not in caption.lowers:
            yield (index, index + 1), "several"
        for others, is_pair in numbers.vague.get(word.lower, ()):
            stop = index + 1 + len(others)
            if all(caption.lower(index + 1 + i) == part for i, part in enumerate(others)):
                if _are_known(caption, stop) and not _agrees_with_one(caption, stop):
                    yield (index, stop), "several" if is_pair else two
                break


def _are_known(caption: Caption, stop: int) -> bool:
    """Whether known things in the plural follow."""
    noun = _counted(caption, stop - 1)
    return noun > 0 and noun_at(caption, noun) is not None and caption.lower(noun + 1) != "and"


def _counted(caption: Caption, index: int) -> int:
    """The noun in the plural that a word at ``index`` describes; -1 where there is none."""
    noun = head_noun(caption, index)
    return noun if noun is not None and caption.tag(noun) == "NNS" else -1


def _agrees_with_one(caption: Caption, index: int) -> bool:
    """Whether a verb follows that "group" governs, as "is" in "a group of people is"."""
    return any(
        word.tag == "VBZ" or word.lower in ("is", "was", "has", "that")
        for word in caption.words[index : index + 5]
    )


def _counts_things(caption: Caption, index: int) -> bool:
    noun = _counted(caption, index)
    if noun < 0 or not caption.is_plain(index):
        return False
    if caption.lower(index - 1) in _NOT_COUNTING:
        return False
    if caption.tag(index - 1).startswith("NN"):  # "world war two"
        return False
    units = caption.lexicon.words["unit"]
    return not any(caption.lower(i) in units for i in range(index + 1, noun + 1))
