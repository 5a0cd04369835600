"""Kinds that put a thing elsewhere: another relation to the same thing, or another place."""

from collections.abc import Iterator
from functools import lru_cache, partial

from hnclip_cli.language.caption import Caption
from hnclip_cli.language.links import PLACE, links
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.lexicon.nouns import Family, Noun
from hnclip_cli.negatives.analysis.nouns import Mention, before_phrase, mentions, named_things
from hnclip_cli.negatives.analysis.relations import is_resting
from hnclip_cli.negatives.analysis.rewriting import Span, renamed, replace
from hnclip_cli.negatives.kinds.things import other_things
from hnclip_cli.streams.edits import Edit

_STAYING = {"parked", "displayed", "left", "driving", "drives"}
# Said of a field or a hill, hardly of a city or a street.
_OF_NATURE = {"grassy", "grass", "lush", "wooded", "sandy", "rocky", "frozen"}
_FOOD = {"dish", "produce", "staple", "beverage"}
# Done in water or on grass only: beginnings of words.
_SUITED = ("swim", "float", "sail", "moor", "dock", "row", "wad", "graz")
_ARTICLES = {"a", "an", "the", "his", "her", "their", "its", "some", "two", "another"}
_WHERE = {
    (PLACE, preposition)
    for preposition in (
        *("on", "in", "at", "near", "by", "under", "over", "behind", "beside", "above", "below"),
        *("against", "around", "across", "through", "into", "onto", "inside", "along", "beneath"),
        *("next to", "in front of", "on top of", "outside", "underneath", "atop", "towards"),
    )
}
_BEFORE_SURFACE = {"on", "near", "at", "behind", "beside", "overlooking", "across", "down"}
_BEFORE_PLACE = {"in", "near", "at", "inside", "outside", "into", "through", "across"}


def replace_relation(caption: Caption) -> Iterator[list[Edit]]:
    """Put a thing in another relation to what it is beside, on, in, under, …

    CE-CLIP's relation and SugarCrepe's replaced relation: another preposition, that excludes the
    first, for a place that allows both.
    """
    relations = caption.lexicon.relations
    if caption.lowers.isdisjoint(relations.first_words):
        return
    things = {_start(caption, mention): mention for mention in mentions(caption)}
    placed = {mention.stop: mention.noun.family for mention in mentions(caption)}
    for span, relation in _relations(caption):
        mention = things.get(span[1])
        if relation == "beside" and caption.lower(span[1]) == "each" and _may_move(caption, span):
            yield [replace(caption, span, "on top of")]
        if mention is None or mention.modifies or not _may_move(caption, span):
            continue
        if mention.noun.family.name == "board":  # "doing a trick next to a skateboard"
            continue
        name = caption.lower(mention.head)
        if caption.lower(mention.stop) in ("of", "while") or name in caption.resumed:
            continue
        if any(one.noun.is_place for one in mentions(caption) if one.stop <= span[0]):
            continue  # "a beach next to the ocean"
        said = {word.lower for word in (*caption.words[: span[0]], *caption.words[span[1] :])}
        for text in relations.placements.get((mention.noun.key, relation), ()):
            if text.split(" ")[0] in said:  # "in a meadow in a lake"
                continue
            family = placed.get(span[0])
            if not _may_be_placed(family, relation, text, mention.noun.family):
                continue
            if text not in ("in", "on") or not mention.is_plural:
                yield [replace(caption, span, text)]


def _may_be_placed(thing: Family | None, relation: str, text: str, place: Family) -> bool:
    """Whether a thing may be in another relation to one that it is in, on, …, as far as known.

    No soup is next to its bowl, no house is in a river, and no bottle in a glass.
    """
    if relation == "in" and (thing.name in _FOOD if thing else place.name == "vessel"):
        return False
    if text == "in" and place.name == "vessel" and thing is None:
        return False
    return text != "in" or thing is None or not (thing.nature == "building" or thing is place)


def replace_location(caption: Caption) -> Iterator[list[Edit]]:
    """Name another place, or another thing that something is on, in or beside.

    Rösch et al.'s location; of places those that the preposition suits.
    """
    placed = {link.to for link in links(caption) if link[:2] in _WHERE}
    for mention in mentions(caption):
        is_thing = not mention.noun.is_place and "worn" not in mention.noun.family.traits
        if is_thing and mention.head in placed:
            yield from other_things(caption, mention)
        else:
            yield from _other_place(caption, mention)


def _other_place(caption: Caption, mention: Mention) -> list[list[Edit]]:
    noun = mention.noun
    if not noun.is_place or mention.modifies or mention.is_modified:
        return []
    if caption.lower(mention.head) in caption.resumed or not _is_where(caption, mention):
        return []
    described = caption.tag(mention.first - 1).startswith(("JJ", "NN", "VBN"))
    if noun.family.place == "ground" and described:  # "tall grass", "frozen water"
        return []
    if caption.lower(mention.first - 1) in _OF_NATURE:
        return []
    if any(word.startswith(_SUITED) for word in caption.lowers):
        return []
    others = _other_places(caption.lexicon, noun)
    return renamed(caption, mention.head, others, partial(_edits, caption, mention))


def _edits(caption: Caption, mention: Mention, rival: Noun) -> list[Edit] | None:
    """The edits that name another place; None where it may not stand there."""
    text = rival.form(mention.is_plural)
    if not text or rival.key in named_things(caption):
        return None
    is_at = before_phrase(caption, mention.first) == "at"
    is_visited = mention.noun.family.place in ("area", "surface")
    if is_at and is_visited and "visited" not in rival.traits:  # nobody is at a hill
        return None
    return [replace(caption, (mention.first, mention.stop), text)]


@lru_cache(maxsize=1024)
def _other_places(lexicon: Lexicon, noun: Noun) -> tuple[Noun, ...]:
    """Its rivals, then places of other families in which one is as in it."""
    found = list(noun.rivals)
    if noun.family.place in ("inside", "area"):
        for family in lexicon.nouns.families.values():
            if family.place in ("inside", "area") and family is not noun.family:
                found += [
                    one for one in family.nouns if one.may_replace and one.is_mass == noun.is_mass
                ]
    return tuple(one for one in found if one.key not in noun.alongside)


def _is_where(caption: Caption, mention: Mention) -> bool:
    if caption.lower(mention.stop) in ("of", "with"):
        return False
    is_surface = mention.noun.family.place == "surface"
    fitting = _BEFORE_SURFACE if is_surface else _BEFORE_PLACE
    return before_phrase(caption, mention.first) in fitting


def _relations(caption: Caption) -> Iterator[tuple[Span, str]]:
    """Relations in the caption, the longest name first."""
    known = caption.lexicon.relations
    stop = 0
    for index, word in enumerate(caption.words):
        if index < stop or word.lower not in known.first_words:
            continue
        for length in range(known.max_words, 0, -1):
            words = " ".join(caption.lower(i) for i in range(index, index + length))
            relation = known.names.get(words)
            if relation:
                stop = index + length
                yield (index, stop), relation
                break


def _start(caption: Caption, mention: Mention) -> int:
    """Where the noun phrase of a mention begins; -1 where it needs an article and has none."""
    index = caption.run_start(mention.first, ("JJ", "NN", "CD", "VBN", "HYPH"))
    if caption.lower(index - 1) in _ARTICLES:
        return index - 1
    return index if mention.is_plural or mention.noun.is_mass else -1


def _may_move(caption: Caption, span: Span) -> bool:
    first = span[0]
    if first == 0 or caption.touches_hyphen(*span) or not caption.has_plain_case(first):
        return False
    before, tag = caption.lower(first - 1), caption.tag(first - 1)
    if before in _STAYING:
        return caption.lower(first) not in ("at", "in", "on")
    # "on a leash", "in a suit", "by a man": some words before a relation make it something else.
    refused = caption.lexicon.words["no place before"]
    if before in refused or before in ("and", ",", "or", "of", "with"):
        return False
    return tag.startswith(("NN", "VBG", "VBZ", "VBP", "PRP")) or is_resting(caption, before)
