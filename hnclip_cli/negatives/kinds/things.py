"""Kinds that put another noun in the place of one."""

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import chain

from hnclip_cli.language.caption import Caption, once
from hnclip_cli.language.links import JOINED, OBJECT, links
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.lexicon.nouns import Noun
from hnclip_cli.lexicon.verbs import forms
from hnclip_cli.negatives.analysis.attributes import colors
from hnclip_cli.negatives.analysis.nouns import (
    Mention,
    before_phrase,
    head_noun,
    mentions,
    named_things,
    noun_at,
)
from hnclip_cli.negatives.analysis.relations import is_resting
from hnclip_cli.negatives.analysis.rewriting import renamed, replace
from hnclip_cli.streams.edits import Edit

# The pronouns that change with a man or woman, some only with this tag.
_PRONOUNS = {
    "male": {"he": "she", "him": "her", "himself": "herself", "his PRP$": "her"},
    "female": {"she": "he", "herself": "himself", "her PRP$": "his", "her": "him"},
}
# A soccer player swings no bat.
_GEAR = {
    *("bat", "bats", "racket", "rackets", "racquet", "racquets", "base", "glove", "batter"),
    *("pitcher", "catcher", "umpire", "serve", "serves", "serving", "volley", "backhand"),
    *("forehand", "mound", "pitch", "pitching", "bases", "plate", "mitt", "homerun", "hi", "court"),
    *("field", "goal", "dugout"),
}
# These are of some sports only.
_SWINGING, _ON_NETS = ("tennis", "baseball"), ("tennis", "soccer")
_SUITED: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("swing", "swinging", "swings", "hit", "hits", "hitting"), _SWINGING
)
_SUITED |= dict.fromkeys(("match", "net"), _ON_NETS) | dict.fromkeys(("helmet",), ("baseball",))
_SUITED |= dict.fromkeys(("kick", "kicks", "kicking"), ("soccer",))
# A girl has no beard; beginnings of words.
_TELLING: tuple[str, ...] = (
    "beard",
    "mustach",
    "moustach",
    "bald",
    "pregnan",
    "toddler",
    "shirtless",
    "topless",
)
_TELLING += ("bikini", "skirt", "blouse", "gown", "tuxedo", "bra", "bras", "lipstick", "bride")
_FLYING = ("fly", "flie", "flew", "soar", "wing", "feather", "beak")
_GENDERED = {"he", "she", "his", "her", "hers", "him", "himself", "herself"}
_READS = {"reads", "reading", "says", "saying"}  # a sign does
_IT = {"it", "its", "itself"}
_FOOD = ("dish", "produce", "staple")
_ANIMALS = ("small animal", "large animal")
_AGES = {"year", "years", "month", "months", "aged"}
_KIN = {"mother", "father", "mom", "dad"}
_TWINS = {"other", "another", "others"}
# Of these one has another.
_PARTS = {
    *("hand", "hands", "arm", "leg", "foot", "eye", "ear", "side", "sides", "end", "way"),
    *("direction", "directions", "half", "items", "things", "objects", "stuff"),
}
_CARRIERS = {"man", "woman", "boy", "girl", "person", "child", "kid", "lady", "player", "guy"}
# Of these things there may be two at once: who wears a hat may wear a tie.
_SHARED = {"to wear", "to contain", "to includ", "to featur", "to show", "to surround", "to cover"}
_LIST_WORDS = {"with", "and", "or", ",", "has", "have", "having", "of", "including", "containing"}
_PLACING = {"in", "on", "at", "near", "inside", "outside", "into", "through", "across", "down"}
_DETERMINERS = {"a", "an", "the", "his", "her", "their"}
_IN_NAME = ("JJ", "NN", "VB", "HYPH", "RB")
_WALKING = forms("walk") | forms("run")
# Of these cakes and pizzas are, without an article.
_SLICES = {"slice", "slices", "piece", "pieces"}
# After "on" or "in", what is never on or in anything.
_UNSUITABLE_AFTER = {
    **dict.fromkeys(("in", "into", "inside"), "on"),
    **dict.fromkeys(("on", "onto", "atop"), "in"),
}


def replace_noun(caption: Caption) -> Iterator[list[Edit]]:
    """Replace a thing, never by a synonym or by one that the caption names."""
    for mention in mentions(caption):
        yield from other_things(caption, mention)
    yield from _other_sports(caption)


def replace_subject(caption: Caption) -> Iterator[list[Edit]]:
    """Replace the thing that the caption names first."""
    for mention in mentions(caption)[:1]:
        before = caption.words[: mention.first]
        if not any(word.tag.startswith(("IN", "VBG")) and word.lower != "of" for word in before):
            yield from other_things(caption, mention)


def replace_object(caption: Caption) -> Iterator[list[Edit]]:
    """Replace a thing to which something is done."""
    objects = {link.to for link in links(caption) if link.relation == OBJECT}
    for mention in mentions(caption):
        if mention.head in objects:
            yield from other_things(caption, mention)


@once
def other_things(caption: Caption, mention: Mention) -> list[list[Edit]]:
    """Each noun that may stand for this one, with the pronouns that follow it."""
    before = before_phrase(caption, mention.first)
    if not _is_replaceable(caption, mention, before) or not _is_open(caption, mention):
        return []
    rivals = _rivals(caption, mention, before)
    return renamed(caption, mention.head, rivals, partial(_edits, caption, mention, before))


def _is_open(caption: Caption, mention: Mention) -> bool:
    """Whether another word is likely to fit, not in "filled with fruit" or "skating on a board"."""
    first = caption.run_start(mention.first, _IN_NAME)
    is_bare = first > 0 and not mention.noun.is_mass and not _is_determined(caption, mention)
    is_sliced = caption.lower(first - 1) == "of" and caption.lower(first - 2) in _SLICES
    return (is_sliced or not is_bare) and _suits_action(caption, mention)


def _edits(caption: Caption, mention: Mention, before: str, rival: Noun) -> list[Edit] | None:
    """The edits that name another noun in the place of one; None where it may not stand there."""
    noun, traits = mention.noun, rival.traits
    text = rival.form(mention.is_plural or not noun.singular)
    if not text or _UNSUITABLE_AFTER.get(before) in traits or rival.key in named_things(caption):
        return None
    if "flies" in noun.traits and "flies" not in traits and _flies(caption):
        return None
    if "holder" not in traits and _is_full(caption, mention):
        return None
    if rival.is_human and not noun.is_human and caption.lowers & _IT:
        return None
    if rival.is_human and caption.lower(mention.stop) in _READS:
        return None
    if not _has_colors(caption, mention, rival, text):
        return None
    if not (_agrees_in_age(caption, mention, rival) and _may_own(caption, mention, rival, text)):
        return None
    if {noun.gender, rival.gender} == {"female", "male"} and _tells_gender(caption):
        return None
    pronouns = [] if rival.gender == noun.gender else _pronoun_edits(caption, mention, rival)
    if pronouns is None:
        return None
    first = mention.first
    if mention.is_modified and noun.is_human:  # a factory worker becomes a child, as a whole
        first = caption.run_start(first, ("NN", "HYPH"))
    return [replace(caption, (first, mention.stop), text), *pronouns]


def _agrees_in_age(caption: Caption, mention: Mention, rival: Noun) -> bool:
    """Whether another one may be as old: "a 12 year old girl" is no man."""
    if not mention.noun.is_human or caption.lowers.isdisjoint(_AGES):
        return True
    return rival.family is mention.noun.family


def _may_own(caption: Caption, mention: Mention, rival: Noun, text: str) -> bool:
    """Whether another one may own what follows: "men's shoes" are no "dogs's shoes"."""
    if caption.tag(mention.stop) != "POS":
        return True
    is_spelled_alike = text.endswith("s") == (caption.lower(mention.head)[-1:] == "s")
    return is_spelled_alike and rival.family.nature == mention.noun.family.nature


def _has_colors(caption: Caption, mention: Mention, rival: Noun, text: str) -> bool:
    """Whether another thing may have the colors of this one."""
    known = caption.lexicon.attributes
    looks = {look for one in colors(caption) if one.noun == mention.head for _, look in one.looks}
    return not looks or looks <= set(known.color_range(rival, text)[0])


def _is_replaceable(caption: Caption, mention: Mention, before: str) -> bool:
    noun = mention.noun
    if mention.modifies or caption.lower(mention.head) in caption.resumed:
        return False
    if _has_twin(caption, mention) or caption.tag(mention.stop).startswith("JJ"):
        return False  # "a dog and another dog", "a tree heavy area"
    if mention.is_modified and not (noun.is_human or "any sort" in noun.family.traits):
        return False  # "key lime pie"
    if noun.family.place == "ground" or (noun.is_place and before in _PLACING):
        return False  # replace-location
    agrees = mention.is_plural or caption.lower(mention.first - 1) in ("one", "1")
    if caption.tag(mention.first - 1) == "CD" and not agrees:  # "two ox"
        return False
    if noun.singular == "floor" and before != "on":
        return False
    if mention.noun.is_mass and caption.lower(mention.first - 1) in ("one", "1"):  # "one beer"
        return False
    if noun.singular in _KIN and not _is_determined(caption, mention):
        return False  # "Mom and me"
    played = caption.lower(mention.first - 2), caption.lower(mention.first - 1)
    if before == "in" and any(word.startswith("reflect") for word in caption.lowers):
        return False  # few things reflect: windows, mirrors, lakes
    if played[0].startswith("play") and played[1] in _DETERMINERS:  # nobody plays a frisbee
        return False
    return not _is_full(caption, mention) or "holder" in noun.traits


def _has_twin(caption: Caption, mention: Mention) -> bool:
    """Whether "another" or "the other" may be a further thing of this sort."""
    others = [index for index, word in enumerate(caption.words) if word.lower in _TWINS]
    return any(_may_be_like(caption, mention, index) for index in others)


def _may_be_like(caption: Caption, mention: Mention, index: int) -> bool:
    """Whether "other" may be said of a further thing like this one: not in "his other hand"."""
    if index == mention.first - 1:
        return True
    head = head_noun(caption, index)
    if head is None or caption.lower(head) in _PARTS:  # "others"
        return False
    twin = noun_at(caption, head)
    are_alive = twin is not None and twin.is_animate and mention.noun.is_animate
    return twin is None or are_alive or twin.key == mention.noun.key


def _rivals(caption: Caption, mention: Mention, before: str) -> tuple[Noun, ...]:
    """The nouns that may stand for this one, as far as they are not looked at singly."""
    noun = mention.noun
    is_free = _is_singled_out(caption, mention, before) and _suits_action(caption, mention)
    at_rest = _all_rest(caption)
    is_busy_crowd = noun.singular == "person" and mention.is_plural and not at_rest
    has_stand_ins = not is_busy_crowd and (noun.is_animate or not (is_free and noun.rivals))
    lacks = caption.lower(mention.stop) in ("without", "minus")  # few things may lack the same
    is_determined = _is_determined(caption, mention) and not lacks
    part = _part(caption, mention) if is_determined else ""
    return _pool(caption.lexicon, noun, is_free, has_stand_ins, at_rest, is_determined, part)


@lru_cache(maxsize=1024)
def _pool(
    lexicon: Lexicon,
    noun: Noun,
    is_free: bool,
    has_stand_ins: bool,
    at_rest: bool,
    is_determined: bool,
    part: str,
) -> tuple[Noun, ...]:
    """Its rivals, then nouns of other families; nothing living becomes a thing that acts."""
    found = list(noun.rivals) if is_free else []
    if has_stand_ins:
        found += noun.stand_ins_at_rest if at_rest else noun.stand_ins
    if is_determined and not (noun.is_human or noun.is_place or "worn" in noun.family.traits):
        found += _at_hand(lexicon, noun, part)
    must_live = noun.is_animate and not at_rest
    return tuple(
        one
        for one in dict.fromkeys(found)
        if (one.is_animate or not must_live)
        and (noun.is_animate or noun.is_place or not one.is_human)  # no man is set on a table
        and one.key not in noun.alongside
    )


def _is_determined(caption: Caption, mention: Mention) -> bool:
    """Whether the noun needs no article that it lacks: "grass", for which no dog may stand."""
    first = caption.run_start(mention.first, _IN_NAME)
    return mention.is_plural or caption.tag(first - 1) in ("DT", "PRP$", "CD", "POS", "PDT")


@once
def _tells_gender(caption: Caption) -> bool:
    """Whether other words say who is a man or a woman."""
    return any(word.startswith(_TELLING) for word in caption.lowers)


def _part(caption: Caption, mention: Mention) -> str:
    """Whether someone does something with a thing alone: "used"; or it is "joined" to another."""
    around = [link for link in links(caption) if link.to == mention.head]
    done = {link.head for link in around if link.relation == OBJECT}
    is_carried = any(link.relation == "noun with" and link.head in _CARRIERS for link in around)
    if is_carried or (done and done.isdisjoint(_SHARED)):
        return "used"
    return "joined" if any(link.relation == JOINED for link in around) else ""


def _at_hand(lexicon: Lexicon, noun: Noun, part: str) -> list[Noun]:
    """What a caption would name if it were there, and what may be the same of something."""
    found = list(_listed(lexicon, "salient"))
    if part == "used":
        found += _listed(lexicon, "at hand")
    elif noun.family.name in _FOOD and part != "joined":
        found += _of_families(lexicon, _FOOD)
    elif noun.is_animate:
        found += _of_families(lexicon, _ANIMALS)
    nested = "nested" in noun.family.traits
    return [
        other
        for other in found
        if other.key != noun.key
        and other.is_mass == noun.is_mass
        and not ((nested or noun.is_general) and other.family is noun.family)
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
    num_named = sum(word.lower in words["sport"] for word in caption.words)
    if num_named != 1 or caption.lowers & _GEAR:  # nobody plays baseball with a soccer ball
        return
    suited = [_SUITED[word] for word in caption.lowers if word in _SUITED]
    for index, word in enumerate(caption.words):
        if word.lower not in words["sport"] or not caption.is_plain(index):
            continue
        is_name = caption.lower(index + 1) in words["played"]
        ends = not caption.tag(index + 1).startswith("NN")
        if is_name or (caption.lower(index - 1).startswith("play") and ends):
            for sport in caption.lexicon.word_lists["frequent sport"]:
                if sport != word.lower and all(sport in sports for sports in suited):
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
    return any(word.startswith(_FLYING) for word in caption.lowers)


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
    return caption.lower(mention.stop) in ("of", "filled", "full") and not mention.noun.is_animate


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
