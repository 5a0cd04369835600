"""Kinds that exchange two parts of a caption."""

from collections.abc import Iterator
from itertools import combinations

from hnclip_cli.negatives.modifiers import Modifier, attribute_chains, attributes
from hnclip_cli.negatives.objects import PLACES
from hnclip_cli.negatives.parsing import Caption, Mention, Phrase
from hnclip_cli.negatives.relations import RESTING, order_matters
from hnclip_cli.negatives.rewriting import swap
from hnclip_cli.streams.edits import Edit

_PRONOUNS = {"he", "she", "his", "her", "him", "himself", "herself", "hers"}
_REFERRING = _PRONOUNS | {"who", "whose", "its", "their"}


def swap_noun(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange two nouns of one number that play different parts."""
    for one, other in _pairs(caption):
        if one.is_plural != other.is_plural or not _same_determination(caption, one, other):
            continue
        if order_matters(caption, one.stop, _phrase_start(caption, other)) or _described_apart(
            caption, one, other
        ):
            edits = swap(caption, (one.first, one.stop), (other.first, other.stop))
            if edits:
                yield edits


def swap_noun_phrase(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange two whole noun phrases around a relation that has a direction."""
    by_head = {phrase.head: phrase for phrase in caption.phrases}
    for one, other in _pairs(caption):
        here, there = by_head.get(one.head), by_head.get(other.head)
        if here is None or there is None:
            continue
        if not (_is_movable(caption, here) and _is_movable(caption, there)):
            continue
        if one.is_plural != other.is_plural and _has_finite_verb(caption):
            continue
        if order_matters(caption, here.stop, there.first):
            edits = swap(caption, (here.first, here.stop), (there.first, there.stop))
            if edits:
                yield edits


def swap_adjective(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange attributes of one class, or whole chains of attributes, of two nouns."""
    for find in (attributes, attribute_chains):
        for one, other in combinations(find(caption), 2):
            if not _may_swap(caption, one, other):
                continue
            edits = swap(caption, (one.first, one.stop), (other.first, other.stop))
            if edits:
                yield edits


def _pairs(caption: Caption) -> Iterator[tuple[Mention, Mention]]:
    things = [mention for mention in caption.mentions if _is_thing(caption, mention)]
    for one, other in combinations(things, 2):
        if one.noun.key != other.noun.key and _read_well_swapped(caption, one, other):
            yield one, other


def _is_thing(caption: Caption, mention: Mention) -> bool:
    """Whether this noun names a thing that can stand in another's place."""
    return not (
        mention.modifies
        or mention.is_modified
        or mention.noun.is_mass
        or mention.noun.family in PLACES
        or caption.tag(mention.stop) == "POS"
        or caption.lower(mention.stop) == "of"
    )


def _read_well_swapped(caption: Caption, one: Mention, other: Mention) -> bool:
    lowers = {word.lower for word in caption.words}
    if one.noun.gender != other.noun.gender and lowers & _PRONOUNS:
        return False
    if one.noun.behavior == other.noun.behavior:
        return one.noun.is_human == other.noun.is_human or "whose" not in lowers
    if {one.noun.family, other.noun.family} & {"outfit", "headgear"} or lowers & _REFERRING:
        return False
    return all(word.lower in RESTING for word in caption.words if word.tag.startswith("VB"))


def _same_determination(caption: Caption, one: Mention, other: Mention) -> bool:
    """A singular without an article is an idiom ("in bed"), so both have one, or neither."""
    if one.is_plural:
        return True
    return _is_determined(caption, one) == _is_determined(caption, other)


def _is_determined(caption: Caption, mention: Mention) -> bool:
    start = _phrase_start(caption, mention)
    return caption.tag(start) in ("DT", "PRP$", "CD", "WP$", "PDT")


def _phrase_start(caption: Caption, mention: Mention) -> int:
    for phrase in caption.phrases:
        if phrase.first <= mention.first < phrase.stop:
            return phrase.first
    return mention.first


def _described_apart(caption: Caption, one: Mention, other: Mention) -> bool:
    """Whether each noun has an attribute of a class where the other has a different one."""
    found = [m for m in attributes(caption) if m.noun in (one.head, other.head)]
    return any(
        a.noun != b.noun and a.category == b.category and not a.may_be(b)
        for a, b in combinations(found, 2)
    )


def _may_swap(caption: Caption, one: Modifier, other: Modifier) -> bool:
    if one.noun == other.noun or one.category != other.category or one.may_be(other):
        return False
    if not (one.fits(caption, other.noun) and other.fits(caption, one.noun)):
        return False
    if caption.lower(one.noun) == caption.lower(other.noun):
        return order_matters(caption, one.noun + 1, other.first)
    return True


def _is_movable(caption: Caption, phrase: Phrase) -> bool:
    words = caption.words[phrase.first : phrase.stop]
    if any(word.tag in ("PRP", "PRP$", "WP", "WDT", "POS", ",", "CC") for word in words):
        return False
    return words[0].tag in ("DT", "CD", "JJ", "NNS", "NN", "NNP")


def _has_finite_verb(caption: Caption) -> bool:
    return any(word.tag in ("VBZ", "VBP", "VBD") for word in caption.words)
