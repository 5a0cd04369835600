"""The kind that says another number of things."""

from collections.abc import Iterator

from hnclip_cli.language.caption import Caption, once
from hnclip_cli.language.links import PATIENT, links
from hnclip_cli.lexicon.verbs import BASE, THIRD, inflected
from hnclip_cli.negatives.analysis.nouns import Mention, head_noun, mentions, noun_at
from hnclip_cli.negatives.analysis.relations import BEING
from hnclip_cli.negatives.analysis.rewriting import Span, replace
from hnclip_cli.streams.edits import Edit

# A number becomes another one at most so far away.
_REACH = 2
_LEAST, _MOST = 2, 10
# What words without a number become; "several" may be two, and "some" three.
_INSTEAD = {"many": "two", "pair": "several"}
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
    """Say another number of things, from two to ten, at most two away; two for many; or one."""
    for span, text in _other_numbers(caption):
        yield [replace(caption, span, text)]
    for span, number in _vague(caption):
        if number in _INSTEAD and _are_known(caption, span[1]):
            yield [replace(caption, span, _INSTEAD[number])]
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
    """Three where the caption speaks first of one, and one where it speaks of several.

    Not two: who speaks of one may leave out another one in the background.
    """
    found = mentions(caption)
    if not found or found[0].modifies or found[0].noun.is_mass or found[0].noun.is_place:
        return
    mention = found[0]
    if mention.noun.singular == "couple":
        return
    vague = {span[1]: span[0] for span, _ in _vague(caption)}
    stop = caption.run_start(mention.first, ("JJ", "NN", "HYPH"))
    stop = next((place for place in range(stop, mention.stop) if place in vague), stop)
    first = vague.get(stop, stop - 1)
    is_one = caption.lower(first) in ("a", "an", "one") and not mention.is_plural
    is_counted = stop in vague or caption.lower(first) in caption.lexicon.numbers.values
    if not (is_one or (mention.is_plural and is_counted)):
        return
    before = caption.words[:first]
    if any(word.tag in ("IN", "VBG") or word.lower in _BEING for word in before):
        return  # "you're a bird", "this is a dog"
    if caption.lowers & (_SINGULAR if is_one else _PLURAL) or _depends_on_number(caption, mention):
        return
    agreeing = _agreeing(caption, mention.stop, is_one)
    form = mention.noun.form(is_one)
    if agreeing is None or not form:
        return
    named = replace(caption, (mention.first, mention.stop), form)
    if is_one:
        yield [replace(caption, (first, stop), "three"), named, *agreeing]
    else:
        # "A kid posing" is true of several, each of whom does.
        yield [replace(caption, (first, stop), "one"), named, *agreeing]


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
        and caption.lower(caption.run_start(link.to, ("JJ", "NN")) - 1) != "the"
        for link in links(caption)
    )


def _is_place(caption: Caption, index: int) -> bool:
    noun = noun_at(caption, index)
    return noun is not None and noun.is_place


def _agreeing(caption: Caption, start: int, is_one: bool) -> list[Edit] | None:
    """The edits that make the verb behind a noun agree; None where its form is not known."""
    forms = _TO_PLURAL if is_one else _TO_SINGULAR
    known = caption.lexicon.verbs.rule_forms
    verbs = [
        index
        for index in range(start, len(caption.words))
        if caption.tag(index) in ("VBZ", "VBP", "VBD")
        or (index == start and caption.tag(index) == "NNS")  # "a person in skis flies"
    ]
    if len(verbs) > 1:
        return None
    for index in verbs:
        word = caption.lower(index)
        verb, form = known.get(word, ("", ""))
        text = forms.get(word) or (
            inflected(verb, BASE if is_one else THIRD)
            if form == (THIRD if is_one else BASE)
            else ""
        )
        return [replace(caption, (index, index + 1), text)] if text else None
    return []


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


@once
def _vague(caption: Caption) -> list[tuple[Span, str]]:
    """The words that say how many there are without a number, and what they say."""
    numbers = caption.lexicon.numbers
    if caption.lowers.isdisjoint(numbers.telling):
        return []
    found = []
    for index, word in enumerate(caption.words):
        if word.lower not in numbers.vague:
            continue
        if caption.lower(index - 1) in _BEFORE_NO_NUMBER:
            continue
        for others, number in numbers.vague[word.lower]:
            stop = index + 1 + len(others)
            if all(caption.lower(index + 1 + i) == part for i, part in enumerate(others)):
                if not _agrees_with_one(caption, stop):
                    found.append(((index, stop), number))
                break
    return found


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
