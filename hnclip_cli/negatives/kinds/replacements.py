"""Kinds that put another word of the lexicon in the place of one."""

from collections.abc import Iterator
from functools import cache

from hnclip_cli.language.caption import Caption, Mention, once
from hnclip_cli.lexicon.attributes import (
    ALL_LOOKS,
    COLOR_LOOK,
    COLOR_SHADES,
    GREENERY,
    LOOKS_OF_FAMILY,
    LOOKS_OF_GREENERY,
    SIZE_HEADS_REFUSED,
    SIZE_OPPOSITE,
)
from hnclip_cli.lexicon.nouns import Noun, further_rivals, nouns, rivals
from hnclip_cli.lexicon.objects import (
    FLYERS,
    FREQUENT_SPORTS,
    HOLDERS,
    IN,
    ON,
    PLACES,
    PLAYED,
    SIDE_BY_SIDE,
    SPORTS,
    TIED_STEMS,
)
from hnclip_cli.lexicon.spelling import cased_like
from hnclip_cli.negatives.analysis.modifiers import (
    SIZES,
    colors,
    head_noun,
    known_head,
    near,
    sizes,
)
from hnclip_cli.negatives.analysis.relations import RESTING
from hnclip_cli.negatives.analysis.rewriting import replace
from hnclip_cli.streams.edits import Edit

_TALL_FAMILIES = {"building", "adult", "youth", "athlete", "animal"}
_TALL_THINGS = {"tree", "grass", "building", "tower", "pole", "fence", "wall", "stack", "vase"}
_PRONOUNS = {
    "male": {"he": "she", "him": "her", "himself": "herself"},
    "female": {"she": "he", "herself": "himself"},
}
_GENDERED = {"he", "she", "his", "her", "hers", "him", "himself", "herself"}
_LIST_WORDS = {"with", "and", "or", ",", "has", "have", "having", "of", "including", "containing"}
# What stands before these names a sort of them: a passenger train, a park bench.
_OF_ANY_SORT = {
    "vehicle",
    "furniture",
    "small animal",
    "large animal",
    "room",
    "headgear",
    "decoration",
    "street furniture",
    "outfit",
    "sports gear",
    "business",
}
_PLACING = {"in", "on", "at", "near", "inside", "outside", "into", "through", "across", "down"}
_WALKING = {"walking", "walks", "walk", "running", "runs", "run"}
_PERSONAL = {
    "his", "her", "their", "he", "she", "they", "him", "them", "who", "wearing", "dressed", "suit",
    "with", "holding", "posing", "of", "at",
}  # fmt: skip
# After "on" or "in", what is never on or in anything.
_UNSUITABLE_AFTER: dict[str, frozenset[str]] = {
    **dict.fromkeys(("in", "into", "inside"), frozenset(ON)),
    **dict.fromkeys(("on", "onto", "atop"), frozenset(IN)),
}
_FILLER_TAGS = ("DT", "JJ", "CD", "PRP$", "VBN", "RB")


def replace_color(caption: Caption) -> Iterator[list[Edit]]:
    """Give a thing a color that it does not have and the caption does not name."""
    if not colors(caption):
        return
    named = {COLOR_LOOK[word.lower] for word in caption.words if word.lower in COLOR_LOOK}
    for modifier in colors(caption):
        if caption.lower(modifier.noun) in caption.resumed:
            continue
        known = known_head(caption, modifier.noun)
        looks = LOOKS_OF_FAMILY.get(known.family, ALL_LOOKS) if known else ALL_LOOKS
        if caption.lower(modifier.noun) in GREENERY:
            looks = LOOKS_OF_GREENERY
        for index in range(modifier.first, modifier.stop):
            if caption.lower(index) not in COLOR_LOOK:
                continue
            # There is navy blue and lime green, but nothing is navy red.
            is_shaded = index > modifier.first and caption.lower(index - 1) in COLOR_SHADES
            for look in looks:
                if not any(near(look, other) for other in named):
                    yield [replace(caption, (index - is_shaded, index + 1), look)]


def replace_size(caption: Caption) -> Iterator[list[Edit]]:
    """Turn small to large, tall to short, wide to narrow, and back."""
    if caption.lowers.isdisjoint(SIZE_OPPOSITE):
        return
    for modifier in sizes(caption):
        known = known_head(caption, modifier.noun)
        word = caption.lower(modifier.first)
        if caption.lower(modifier.noun) in caption.resumed:
            continue
        if word in SIZE_OPPOSITE and not (known and known.is_human and word == "little"):
            yield _opposite(caption, modifier.first)
    for index, word_ in enumerate(caption.words):
        word = word_.lower
        if word in SIZES or word not in SIZE_OPPOSITE or not word_.tag.startswith("JJ"):
            continue
        noun = head_noun(caption, index)
        if noun is None or caption.touches_hyphen(index, index + 1):
            continue
        if {caption.lower(noun), caption.lower(index + 1)} & SIZE_HEADS_REFUSED:
            continue
        if word == "deep" or not caption.has_plain_case(index):
            continue
        yield _opposite(caption, index)


def _opposite(caption: Caption, index: int) -> list[Edit]:
    return [replace(caption, (index, index + 1), SIZE_OPPOSITE[caption.lower(index)])]


def replace_noun(caption: Caption) -> Iterator[list[Edit]]:
    """Name another thing, mostly of the same family, never a synonym or one the caption names."""
    for mention in caption.mentions:
        yield from _others(caption, mention)
    yield from _other_sports(caption)


def replace_subject(caption: Caption) -> Iterator[list[Edit]]:
    """Name another one of whom or of what the caption speaks first."""
    mention = next(iter(caption.mentions), None)
    if mention is None:
        return
    before = caption.words[: mention.first]
    if any(word.tag.startswith(("IN", "VBG")) and word.lower != "of" for word in before):
        return
    yield from _others(caption, mention)


def _others(caption: Caption, mention: Mention) -> list[list[Edit]]:
    """Each noun that may stand for this one, with the pronouns that follow it."""
    known: dict[Mention, list[list[Edit]]] = _known_others(caption)
    if mention not in known:
        known[mention] = list(_find_others(caption, mention))
    return known[mention]


@once
def _known_others(caption: Caption) -> dict[Mention, list[list[Edit]]]:
    """What `_others` found: two kinds ask for the same."""
    return {}


def _find_others(caption: Caption, mention: Mention) -> Iterator[list[Edit]]:
    noun = mention.noun
    if mention.modifies or caption.lower(mention.head) in caption.resumed:
        return
    if mention.is_modified and noun.family not in _OF_ANY_SORT:  # "key lime pie"
        return
    before = before_phrase(caption, mention.first)
    if noun.family == "ground" or (noun.family in PLACES and before in _PLACING):
        return  # replace-location
    if (
        not mention.is_plural
        and caption.tag(mention.first - 1) == "CD"
        and (caption.lower(mention.first - 1) not in ("one", "1"))
    ):  # "two ox"
        return
    if noun.singular == "floor" and before != "on":
        return
    if not _suits_contents(caption, mention, noun):
        return
    unsuitable = _UNSUITABLE_AFTER.get(before, frozenset())
    flies = _flies(caption) and noun.key in _flyers()
    start, end = caption.words[mention.first].start, caption.words[mention.head].end
    for rival in _rivals(caption, mention, before):
        text = rival.form(mention.is_plural or not noun.singular)
        if not text or rival.singular in unsuitable or (flies and rival.key not in _flyers()):
            continue
        if not _suits_contents(caption, mention, rival):
            continue
        pronouns = _pronoun_edits(caption, mention, rival)
        if pronouns is not None:
            yield [(start, end, cased_like(text, caption.text[start:end])), *pronouns]


def _rivals(caption: Caption, mention: Mention, before: str) -> Iterator[Noun]:
    """The nouns that may stand for this one, and that the caption does not name."""
    noun = mention.noun
    is_free = _is_singled_out(caption, mention, before) and _suits_action(caption, mention)
    own = rivals(noun) if is_free else ()
    named = named_things(caption)
    yield from (rival for rival in own if rival.key not in named)
    at_rest = _all_rest(caption)
    is_busy_crowd = noun.singular == "person" and mention.is_plural and not at_rest
    if not is_busy_crowd and (noun.is_animate or not own):
        further = further_rivals(noun, at_rest)
        yield from (rival for rival in further if rival.key not in named)


@once
def named_things(caption: Caption) -> set[str]:
    """The keys of the nouns that the caption names."""
    return {mention.noun.key for mention in caption.mentions}


def _other_sports(caption: Caption) -> Iterator[list[Edit]]:
    """A "tennis player" turned into a "baseball player"; "playing tennis" into another sport."""
    if caption.lowers.isdisjoint(SPORTS) or len(caption.lowers.intersection(SPORTS)) != 1:
        return
    for index, word in enumerate(caption.words):
        if word.lower not in SPORTS or not caption.has_plain_case(index):
            continue
        is_name = caption.lower(index + 1) in PLAYED
        is_played = caption.lower(index - 1).startswith("play") and not caption.tag(
            index + 1
        ).startswith("NN")
        if (is_name or is_played) and not caption.touches_hyphen(index, index + 1):
            for sport in FREQUENT_SPORTS:
                if sport != word.lower:
                    yield [replace(caption, (index, index + 1), sport)]


@once
def _all_rest(caption: Caption) -> bool:
    """Whether every verb says how something rests or walks, and no possessive asks for a person."""
    verbs = [word.lower for word in caption.words if word.tag.startswith("VB")]
    return all(verb in RESTING or verb in _WALKING for verb in verbs) and not (
        caption.lowers & _PERSONAL
    )


def before_phrase(caption: Caption, first: int) -> str:
    """The word before a noun's article and adjectives."""
    index = first - 1
    while index >= 0 and caption.tag(index).startswith(_FILLER_TAGS):
        index -= 1
    return caption.lower(index)


def _is_singled_out(caption: Caption, mention: Mention, before: str) -> bool:
    """Whether the thing is the only one of its family that the place would show."""
    if mention.noun.family not in SIDE_BY_SIDE:
        return True
    return caption.lower(mention.stop) not in ("and", ",") and before not in _LIST_WORDS


@once
def _flies(caption: Caption) -> bool:
    """Whether something flies: then only what can fly may stand for what can."""
    return any(word.startswith(("fly", "flie", "flew", "soar")) for word in caption.lowers)


@cache
def _flyers() -> set[str]:
    return {nouns()[name].key for name in FLYERS}


def _suits_action(caption: Caption, mention: Mention) -> bool:
    """Whether the rest of the caption does not tie the noun to what it does or is used for."""
    stems = TIED_STEMS.get(mention.noun.family)
    return stems is None or not any(
        word.lower.startswith(stems)
        for index, word in enumerate(caption.words)
        if not mention.first <= index < mention.stop
    )


def _suits_contents(caption: Caption, mention: Mention, noun: Noun) -> bool:
    """Whether a noun may stand before "of", where there is one.

    A bowl of soup may be a cup of soup but no umbrella of it; a statue of a man is nothing else.
    """
    is_of = caption.lower(mention.stop) == "of" and not mention.noun.is_animate
    return not is_of or noun.singular in HOLDERS


def _pronoun_edits(caption: Caption, mention: Mention, rival: Noun) -> list[Edit] | None:
    """The pronouns that change with a man or woman; None where it is unclear whose they are."""
    old, new = mention.noun.gender, rival.gender
    if old == new:
        return []
    if not old:  # "a kid holding his arm up"
        return None if caption.lowers & _GENDERED else []
    if not new:
        return None if caption.lowers & _GENDERED else []
    edits = []
    for index, word in enumerate(caption.words):
        text = _other_pronoun(word.lower, word.tag, old)
        if text:
            edits.append(replace(caption, (index, index + 1), text))
    people = [other for other in caption.mentions if other.noun.is_human]
    return edits if len(people) == 1 or not edits else None


def _other_pronoun(word: str, tag: str, gender: str) -> str:
    if gender == "male" and word == "his":
        return "her" if tag == "PRP$" else ""
    if gender == "female" and word == "her":
        return "his" if tag == "PRP$" else "him"
    return _PRONOUNS[gender].get(word, "")
