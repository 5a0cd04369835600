"""Kinds that put another noun in the place of one."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from hnclip_cli.language.caption import Caption, once
from hnclip_cli.language.links import JOINED, OBJECT, links
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.lexicon.nouns import Noun
from hnclip_cli.lexicon.spelling import cased_like
from hnclip_cli.lexicon.verbs import forms
from hnclip_cli.negatives.analysis.nouns import Mention, before_phrase, mentions, named_things
from hnclip_cli.negatives.analysis.relations import is_resting
from hnclip_cli.negatives.analysis.rewriting import replace
from hnclip_cli.streams.edits import Edit

# The pronouns that change with a man or woman, some only with this tag.
_PRONOUNS = {
    "male": {"he": "she", "him": "her", "himself": "herself", "his PRP$": "her"},
    "female": {"she": "he", "herself": "himself", "her PRP$": "his", "her": "him"},
}
# A soccer player swings no bat.
_GEAR = {
    *("bat", "bats", "racket", "rackets", "racquet", "racquets", "ball", "balls", "base", "glove"),
    *("batter", "pitcher", "catcher", "umpire", "serve", "serving", "swing", "swinging", "swings"),
    *("pitch", "pitching", "bases", "plate", "net", "helmet", "mitt", "homerun", "hi"),
}
# In helmets and far away, one cannot tell who it is; a girl has no beard.
_HIDING = (
    *("ski", "snow", "surf", "wave", "motorcycl", "helmet", "baseball", "batter", "wetsuit"),
    *("beard", "mustach", "bald", "pregnan", "toddler", "costume", "mask", "catcher", "umpire"),
)
_GENDERED = {"he", "she", "his", "her", "hers", "him", "himself", "herself"}
_FOOD = ("dish", "produce", "staple")
_ANIMALS = ("small animal", "large animal")
_TWINS = {"other", "another", "others"}
_CARRIERS = {"man", "woman", "boy", "girl", "person", "child", "kid", "lady", "player", "guy"}
# Of these things there may be two at once: who wears a hat may wear a tie.
_SHARED = {"to wear", "to contain", "to includ", "to featur", "to show", "to surround", "to cover"}
_LIST_WORDS = {"with", "and", "or", ",", "has", "have", "having", "of", "including", "containing"}
_PLACING = {"in", "on", "at", "near", "inside", "outside", "into", "through", "across", "down"}
_WALKING = forms("walk") | forms("run")
# After "on" or "in", what is never on or in anything.
_UNSUITABLE_AFTER = {
    **dict.fromkeys(("in", "into", "inside"), "on"),
    **dict.fromkeys(("on", "onto", "atop"), "in"),
}


def replace_noun(caption: Caption) -> Iterator[list[Edit]]:
    """Name another thing, never a synonym or one the caption names."""
    for mention in mentions(caption):
        yield from _others(caption, mention)
    yield from _other_sports(caption)


def replace_subject(caption: Caption) -> Iterator[list[Edit]]:
    """Name another one of whom or of what the caption speaks first."""
    for mention in mentions(caption)[:1]:
        before = caption.words[: mention.first]
        if not any(word.tag.startswith(("IN", "VBG")) and word.lower != "of" for word in before):
            yield from _others(caption, mention)


@once
def _others(caption: Caption, mention: Mention) -> list[list[Edit]]:
    """Each noun that may stand for this one, with the pronouns that follow it."""
    before = before_phrase(caption, mention.first)
    if not _is_replaceable(caption, mention, before):
        return []
    unsuitable = _UNSUITABLE_AFTER.get(before)
    flies = _flies(caption) and "flies" in mention.noun.traits
    start, end = caption.words[mention.first].start, caption.words[mention.head].end
    old, gender, is_full = caption.text[start:end], mention.noun.gender, _is_full(caption, mention)
    found = []
    for rival in _rivals(caption, mention, before):
        text = rival.form(mention.is_plural or not mention.noun.singular)
        traits = rival.traits
        if not text or unsuitable in traits or (flies and "flies" not in traits):
            continue
        if is_full and "holder" not in traits:
            continue
        pronouns = [] if rival.gender == gender else _pronoun_edits(caption, mention, rival)
        if pronouns is not None:
            found.append([(start, end, cased_like(text, old)), *pronouns])
    return found


def _is_replaceable(caption: Caption, mention: Mention, before: str) -> bool:
    noun = mention.noun
    if mention.modifies or caption.lower(mention.head) in caption.resumed:
        return False
    if caption.lowers & _TWINS or caption.tag(mention.stop).startswith("JJ"):
        return False  # "a dog and another dog", "a tree heavy area"
    if mention.is_modified and "any sort" not in noun.family.traits:  # "key lime pie"
        return False
    if noun.family.place == "ground" or (noun.is_place and before in _PLACING):
        return False  # replace-location
    agrees = mention.is_plural or caption.lower(mention.first - 1) in ("one", "1")
    if caption.tag(mention.first - 1) == "CD" and not agrees:  # "two ox"
        return False
    if noun.singular == "floor" and before != "on":
        return False
    return not _is_full(caption, mention) or "holder" in noun.traits


def _rivals(caption: Caption, mention: Mention, before: str) -> list[Noun]:
    """The nouns that may stand for this one, and that the caption does not name."""
    noun = mention.noun
    is_free = _is_singled_out(caption, mention, before) and _suits_action(caption, mention)
    own = noun.rivals if is_free else ()
    at_rest = _all_rest(caption)
    is_busy_crowd = noun.singular == "person" and mention.is_plural and not at_rest
    further: list[Noun] = []
    if not is_busy_crowd and (noun.is_animate or not own):
        further = noun.stand_ins_at_rest if at_rest else noun.stand_ins
    more = _at_hand(caption, mention) if _is_determined(caption, mention) else []
    named = named_things(caption)
    found = dict.fromkeys((*own, *further, *more))
    return [
        rival
        for rival in found
        if rival.key not in named
        and not (noun.is_animate and not rival.is_animate and not at_rest)
        and not ({noun.gender, rival.gender} == {"female", "male"} and _hides_gender(caption))
    ]


def _is_determined(caption: Caption, mention: Mention) -> bool:
    """Whether the noun needs no article that it lacks: "grass", for which no dog may stand."""
    first = caption.run_start(mention.first, ("JJ", "NN", "VB", "HYPH"))
    return mention.is_plural or caption.tag(first - 1) in ("DT", "PRP$", "CD", "POS", "PDT")


@once
def _hides_gender(caption: Caption) -> bool:
    """Whether clothes hide, or other words say, who is a man or a woman."""
    return any(word.startswith(_HIDING) for word in caption.lowers)


def _at_hand(caption: Caption, mention: Mention) -> list[Noun]:
    """What someone may do the same with, or what may be the same of something."""
    noun = mention.noun
    if noun.is_human or noun.is_place:
        return []
    around = [link for link in links(caption) if link.to == mention.head]
    relations = {link.relation for link in around}
    is_used = OBJECT in relations and not any(
        link.relation == OBJECT and link.head in _SHARED for link in around
    )
    is_carried = any(link.relation == "noun with" and link.head in _CARRIERS for link in around)
    found = _listed(caption.lexicon, "salient")
    if is_used or is_carried:
        found += _listed(caption.lexicon, "at hand")
    elif noun.family.name in _FOOD and JOINED not in relations:
        found += _of_families(caption.lexicon, _FOOD)
    elif noun.is_animate:
        found += _of_families(caption.lexicon, _ANIMALS)
    nested = "nested" in noun.family.traits
    return [
        other
        for other in found
        if other.key != noun.key
        and other.is_mass == noun.is_mass
        and not (nested and other.family is noun.family)
    ]


@lru_cache
def _listed(lexicon: Lexicon, name: str) -> tuple[Noun, ...]:
    """The nouns of a class of words.tsv."""
    nouns = lexicon.nouns.forms
    return tuple(nouns[word] for word in lexicon.word_lists[name] if word in nouns)


@lru_cache
def _of_families(lexicon: Lexicon, names: tuple[str, ...]) -> tuple[Noun, ...]:
    families = lexicon.nouns.families
    nouns = chain.from_iterable(families[name].nouns for name in names)
    return tuple(noun for noun in nouns if noun.may_replace)


def _other_sports(caption: Caption) -> Iterator[list[Edit]]:
    """A "tennis player" turned into a "baseball player"; "playing tennis" into another sport."""
    words = caption.lexicon.words
    if len(caption.lowers & words["sport"]) != 1 or caption.lowers & _GEAR:
        return
    for index, word in enumerate(caption.words):
        if word.lower not in words["sport"] or not caption.is_plain(index):
            continue
        is_name = caption.lower(index + 1) in words["played"]
        ends = not caption.tag(index + 1).startswith("NN")
        if is_name or (caption.lower(index - 1).startswith("play") and ends):
            for sport in caption.lexicon.word_lists["frequent sport"]:
                if sport != word.lower:
                    yield [replace(caption, (index, index + 1), sport)]


@once
def _all_rest(caption: Caption) -> bool:
    """Whether every verb says how something rests or walks, and no possessive asks for a person."""
    verbs = [word.lower for word in caption.words if word.tag.startswith("VB")]
    return all(
        is_resting(caption, verb) or verb in _WALKING for verb in verbs
    ) and caption.lowers.isdisjoint(caption.lexicon.words["personal"])


def _is_singled_out(caption: Caption, mention: Mention, before: str) -> bool:
    """Whether the thing is the only one of its family that the place would show."""
    if "side by side" not in mention.noun.family.traits:
        return True
    return caption.lower(mention.stop) not in ("and", ",") and before not in _LIST_WORDS


@once
def _flies(caption: Caption) -> bool:
    """Whether something flies: then only what can fly may stand for what can."""
    return any(word.startswith(("fly", "flie", "flew", "soar")) for word in caption.lowers)


def _suits_action(caption: Caption, mention: Mention) -> bool:
    """Whether the rest of the caption does not tie the noun to what it does or is used for."""
    stems = mention.noun.family.tied_to
    return not stems or not any(
        word.lower.startswith(stems)
        for index, word in enumerate(caption.words)
        if not mention.first <= index < mention.stop
    )


def _is_full(caption: Caption, mention: Mention) -> bool:
    """Whether "of" follows, before which few nouns may stand.

    A bowl of soup may be a cup of soup but no umbrella of it; a statue of a man is nothing else.
    """
    return caption.lower(mention.stop) == "of" and not mention.noun.is_animate


def _pronoun_edits(caption: Caption, mention: Mention, rival: Noun) -> list[Edit] | None:
    """The pronouns that change with a man or woman; None where it is unclear whose they are."""
    old, new = mention.noun.gender, rival.gender
    if old == new:
        return []
    if not old or not new:  # "a kid holding his arm up"
        return None if caption.lowers & _GENDERED else []
    edits = []
    for index, word in enumerate(caption.words):
        known = _PRONOUNS[old]
        text = known.get(f"{word.lower} {word.tag}") or known.get(word.lower)
        if text:
            edits.append(replace(caption, (index, index + 1), text))
    people = [other for other in mentions(caption) if other.noun.is_human]
    return edits if len(people) == 1 or not edits else None
