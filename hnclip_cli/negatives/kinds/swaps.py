"""Kinds that exchange two parts of a caption."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from hnclip_cli.language.caption import Caption, Word, once
from hnclip_cli.language.links import Unit, phrases
from hnclip_cli.lexicon.nouns import Noun
from hnclip_cli.negatives.analysis.attributes import Modifier, attributes, chains, deny
from hnclip_cli.negatives.analysis.nouns import Mention, mentions
from hnclip_cli.negatives.analysis.relations import (
    ends_directed,
    is_resting,
    may_matter,
    order_matters,
)
from hnclip_cli.negatives.analysis.rewriting import swap
from hnclip_cli.streams.edits import Edit

_PRONOUNS = {"he", "she", "his", "her", "him", "himself", "herself", "hers"}
_FACING = {"front", "behind", "left", "right", "above", "below"}
_SITTING = {"sitting", "sits", "sit", "seated"}
_DETERMINERS = {"DT", "PRP$", "CD", "WP$", "PDT"}
_REFERRING = _PRONOUNS | {"who", "whose", "its", "their"}


def swap_noun(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange two nouns that play different parts, both singular or both plural."""
    for one, other in _pairs(caption):
        if one.is_plural != other.is_plural or one.noun.key == other.noun.key:
            continue
        if _are_nested(one.noun, other.noun):
            continue
        if not (_suits(caption, one, other) and _suits(caption, other, one)):
            continue
        if order_matters(caption, one.stop, _phrase_start(caption, other)) or _described_apart(
            caption, one, other
        ):
            yield from swap(caption, (one.first, one.stop), (other.first, other.stop))


def swap_noun_phrase(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange two whole noun phrases around a relation that has a direction."""
    for one, other in _pairs(caption):
        here, there = phrases(caption).get(one.stop), phrases(caption).get(other.stop)
        if here is None or there is None:
            continue
        if not (_is_movable(caption, here) and _is_movable(caption, there)):
            continue
        if one.noun.key == other.noun.key and not _described_apart(caption, one, other):
            continue
        if order_matters(caption, here.stop, there.first):
            yield from swap(caption, (here.first, here.stop), (there.first, there.stop))


def swap_adjective(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange attributes of one class, or whole chains of attributes, of two nouns."""
    single = attributes(caption)
    for found in (single, chains(single)):
        for one, other in combinations(found, 2):
            is_repeated = found is not single and one in single and other in single
            if not is_repeated and _may_swap(caption, one, other):
                yield from swap(caption, (one.first, one.stop), (other.first, other.stop))


@once
def _pairs(caption: Caption) -> list[tuple[Mention, Mention]]:
    """Pairs of known things, in order of place, that may stand in each other's place."""
    things = [mention for mention in mentions(caption) if _is_thing(caption, mention)]
    return [
        (one, other)
        for one, other in combinations(things, 2)
        # The more usual subject last would be given away by the first words.
        if other.noun.rank <= one.noun.rank
        and (one.is_plural == other.is_plural or not _has_finite_verb(caption))
        and (may_matter(caption, one.stop, other.first) or _described_apart(caption, one, other))
        and _same_determination(caption, one, other)
        and _read_well_swapped(caption, one, other)
    ]


def _is_thing(caption: Caption, mention: Mention) -> bool:
    """Whether this noun names a thing that can stand in another's place."""
    if mention.modifies or mention.is_modified or mention.noun.is_mass or mention.noun.is_place:
        return False
    if caption.tag(mention.stop) == "POS" or caption.lower(mention.stop) == "of":
        return False
    if caption.lower(mention.head) in caption.resumed:
        return False
    start = _phrase_start(caption, mention)
    refused = {"another", "other", "others"} if mention.is_plural else {"another", "some"}
    if caption.lower(start) in refused:
        return False
    # "rows of donuts" and "a pair of skis" name one thing; "in front of a bus" does not.
    before = [caption.lower(start - 2), caption.lower(start - 1)]
    return before[1] != "of" or ends_directed(before)


def _read_well_swapped(caption: Caption, one: Mention, other: Mention) -> bool:
    lowers = caption.lowers
    if one.noun.gender != other.noun.gender and lowers & _PRONOUNS:
        return False
    is_worn = "worn" in one.noun.family.traits | other.noun.family.traits
    if is_worn and one.noun.family == other.noun.family:
        # On one person, "in a suit, wearing a tie" says the same the other way round.
        return sum(mention.noun.is_human for mention in mentions(caption)) > 1
    behaviors = {one.noun.behavior, other.noun.behavior}
    if behaviors == {"thing"} and one.noun.family != other.noun.family:
        start = max(0, _phrase_start(caption, one) - 2)
        return not is_worn and _only_rest(caption, caption.words[start : other.first])
    if len(behaviors) == 1:
        return one.noun.is_human == other.noun.is_human or not lowers & {"who", "whose"}
    if is_worn or lowers & _REFERRING:
        return False
    if one.noun.is_human or other.noun.is_human or "building" in behaviors:
        between = {word.lower for word in caption.words[one.stop : other.first]}
        if not between & _FACING or lowers & _SITTING:
            return False
    return _only_rest(caption, caption.words)


def _only_rest(caption: Caption, words: Sequence[Word]) -> bool:
    """Whether every verb among the words says where something is."""
    return all(is_resting(caption, word.lower) for word in words if _is_verb(caption, word))


def _is_verb(caption: Caption, word: Word) -> bool:
    """Whether a word acts; a tagger may take "drinking" for a noun."""
    if word.tag.startswith("VB"):
        return True
    is_long = len(word.text) > 5 and word.lower.endswith("ing")
    return is_long and word.lower not in caption.lexicon.nouns.forms


def _suits(caption: Caption, mention: Mention, place: Mention) -> bool:
    """Whether what describes ``place`` can be said of the noun of ``mention``."""
    start = _phrase_start(caption, place)
    known = {m.first: m for m in attributes(caption)}
    for index in range(start, place.first):
        modifier = known.get(index)
        if modifier and not modifier.fits(caption, mention.head):
            return False
        described = caption.tag(index).startswith(("JJ", "VB", "NN"))
        if not modifier and described and mention.noun.family.nature != place.noun.family.nature:
            return False
    return True


def _are_nested(one: Noun, other: Noun) -> bool:
    """Whether one may include the other: a baseball is a ball, a man is a person."""
    return (
        (one.is_general or other.is_general)
        and "nested" in one.family.traits & other.family.traits
        and one.is_human == other.is_human
    )


def _same_determination(caption: Caption, one: Mention, other: Mention) -> bool:
    """A singular without an article is an idiom ("in bed"), so both have one, or neither."""
    determined = {
        mention.is_plural or caption.tag(_phrase_start(caption, mention)) in _DETERMINERS
        for mention in (one, other)
    }
    return len(determined) == 1


def _phrase_start(caption: Caption, mention: Mention) -> int:
    phrase = phrases(caption).get(mention.stop)
    return phrase.first if phrase and phrase.first <= mention.first else mention.first


def _described_apart(caption: Caption, one: Mention, other: Mention) -> bool:
    """Whether each noun has an attribute of a class where the other has a different one."""
    found = [m for m in attributes(caption) if m.noun in (one.head, other.head)]
    return any(a.noun != b.noun and deny(caption, a, b) for a, b in combinations(found, 2))


def _may_swap(caption: Caption, one: Modifier, other: Modifier) -> bool:
    if one.noun == other.noun or not deny(caption, one, other):
        return False
    if caption.resumed & {caption.lower(one.noun), caption.lower(other.noun)}:
        return False
    if not (one.fits(caption, other.noun) and other.fits(caption, one.noun)):
        return False
    if caption.lower(one.noun) == caption.lower(other.noun):
        return order_matters(caption, one.noun + 1, other.first)
    return True


def _is_movable(caption: Caption, phrase: Unit) -> bool:
    words = caption.words[phrase.first : phrase.stop]
    if any(word.tag in ("PRP", "PRP$", "WP", "WDT", "POS", ",", "CC") for word in words):
        return False
    return words[0].tag in ("DT", "CD", "JJ", "NNS", "NN", "NNP")


@once
def _has_finite_verb(caption: Caption) -> bool:
    return any(word.tag in ("VBZ", "VBP", "VBD") for word in caption.words)
