"""The kind that says another number of things."""

from collections.abc import Iterator
from itertools import chain

from hnclip_cli.language.caption import Caption
from hnclip_cli.language.links import PATIENT, links
from hnclip_cli.lexicon.spelling import article
from hnclip_cli.negatives.analysis.nouns import Mention, head_noun, mentions, noun_at
from hnclip_cli.negatives.analysis.relations import BEING
from hnclip_cli.negatives.analysis.rewriting import Span, replace
from hnclip_cli.streams.edits import Edit

# A number becomes another one at most so far away.
_REACH = 2
_LEAST, _MOST = 2, 10
_BEING = BEING | {"'re", "'m", "’s", "’re", "’m"}
_NOT_COUNTING = {
    "these",
    "those",
    "and",
    "or",
    "of",
    "at",
    "to",
    "number",
    "than",
    "least",
    "#",
    "$",
    ":",
    "the",
}
_BEFORE_NO_NUMBER = {
    *("these", "those", "all", "in", "through", "into", "among", "the", "of", "a", "an", "is"),
}


def replace_number(caption: Caption) -> Iterator[list[Edit]]:
    """Say another number of things, from two to ten, at most two away; or two for many."""
    for span, text in chain(_other_numbers(caption), _vague(caption)):
        yield [replace(caption, span, text)]
    yield from _one_or_several(caption)


# Who is several says so elsewhere too, and so does who is one.
_SINGULAR = {
    *("his", "her", "its", "it", "he", "she", "him", "himself", "herself", "itself"),
    *("another", "other", "alone", "single", "lone", "each", "there"),
}
_PLURAL = {
    *("their", "they", "them", "each", "other", "others", "both", "all", "together", "apart"),
    "there",
}
# Behind these follows another one, an owned thing, or a verb that agrees too.
_GOING_ON = {"of", "and", "'s", ",", "&", "or", "that", "which", "who", "whose"}
_TO_PLURAL = {"is": "are", "has": "have"}
_TO_SINGULAR = {plural: singular for singular, plural in _TO_PLURAL.items()}


def _one_or_several(caption: Caption) -> Iterator[list[Edit]]:
    """Two or three where the caption speaks first of one, and one where it speaks of several."""
    found = mentions(caption)
    if not found or found[0].modifies or found[0].noun.is_mass or found[0].noun.is_place:
        return
    mention = found[0]
    if mention.noun.singular == "couple":
        return
    first = caption.run_start(mention.first, ("JJ",)) - 1
    counted = caption.lower(first)
    words = caption.lexicon.numbers
    is_one = counted in ("a", "an", "one") and not mention.is_plural
    if not (is_one or (mention.is_plural and counted in words.values)):
        return
    before = caption.words[:first]
    if any(word.tag in ("IN", "VBG") or word.lower in _BEING for word in before):
        return  # "you're a bird", "this is a dog"
    if caption.lowers & (_SINGULAR if is_one else _PLURAL) or _depends_on_number(caption, mention):
        return
    agreeing = _agreeing(caption, mention.stop, _TO_PLURAL if is_one else _TO_SINGULAR)
    form = mention.noun.form(is_one)
    if agreeing is None or not form:
        return
    named = replace(caption, (mention.first, mention.stop), form)
    if is_one:
        for text in ("two", "three"):
            yield [replace(caption, (first, first + 1), text), named, *agreeing]
    else:
        following = caption.lower(first + 1) if first + 1 < mention.first else form
        yield [replace(caption, (first, first + 1), article(following)), named, *agreeing]


def _depends_on_number(caption: Caption, mention: Mention) -> bool:
    """Whether what is said of a thing tells how many there are: "a man with a hat"."""
    if caption.lower(mention.stop) in _GOING_ON:
        return True
    if any(other.is_plural for other in mentions(caption)[1:]):
        return True
    return any(
        link.at == mention.head
        and link.relation in (PATIENT, "noun with", "noun in")
        and not _is_place(caption, link.to)
        for link in links(caption)
    )


def _is_place(caption: Caption, index: int) -> bool:
    noun = noun_at(caption, index)
    return noun is not None and noun.is_place


def _agreeing(caption: Caption, start: int, forms: dict[str, str]) -> list[Edit] | None:
    """The edits that make the verb behind a noun agree; None where its form is not known."""
    verbs = [
        index
        for index in range(start, len(caption.words))
        if caption.tag(index) in ("VBZ", "VBP", "VBD")
        or (index == start and caption.tag(index) == "NNS")  # "a person in skis flies"
    ]
    if any(caption.lower(index) not in forms for index in verbs) or len(verbs) > 1:
        return None
    return [replace(caption, (index, index + 1), forms[caption.lower(index)]) for index in verbs]


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
    """Two where there are many, and several where there are two."""
    numbers = caption.lexicon.numbers
    if caption.lowers.isdisjoint(numbers.telling):
        return
    for index, word in enumerate(caption.words):
        if word.lower not in numbers.vague:
            continue
        if caption.lower(index - 1) in _BEFORE_NO_NUMBER:
            continue
        for others, is_pair in numbers.vague[word.lower]:
            stop = index + 1 + len(others)
            if all(caption.lower(index + 1 + i) == part for i, part in enumerate(others)):
                if _are_known(caption, stop) and not _agrees_with_one(caption, stop):
                    yield (index, stop), "several" if is_pair else numbers.names[2]
                break


def _are_known(caption: Caption, stop: int) -> bool:
    """Whether known things in the plural follow."""
    index = _counted(caption, stop - 1)
    noun = noun_at(caption, index)
    if caption.tag(stop) == "CD" or index < 0 or noun is None:  # "a group of five people"
        return False
    return bool(noun.singular) and caption.lower(index + 1) != "and"  # no pair of jeans


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
    if caption.lower(index - 1) in _NOT_COUNTING or caption.lower(noun + 1) == ":":
        return False
    if caption.tag(index - 1).startswith("NN"):  # "world war two"
        return False
    units = caption.lexicon.words["unit"]
    return not any(caption.lower(i) in units for i in range(index + 1, noun + 1))
