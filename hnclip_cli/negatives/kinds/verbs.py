"""Kinds that change what is done: another action in the place of one, and two exchanged."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from hnclip_cli.language.caption import Caption
from hnclip_cli.lexicon.action_rules import RULES
from hnclip_cli.lexicon.actions import FOLLOWERS, OBJECTS, PARTICIPLES
from hnclip_cli.lexicon.inflection import BASE, ING, THIRD, forms, inflected
from hnclip_cli.lexicon.nouns import Noun, nouns
from hnclip_cli.lexicon.objects import BOATS, TRAINS
from hnclip_cli.negatives.analysis.relations import BEING
from hnclip_cli.negatives.analysis.rewriting import replace, swap
from hnclip_cli.streams.edits import Edit

_LINKS = BEING | {"that", "who", "which", "also", "while", "and", ",", "has", "have", "both", "all"}
_PEOPLE = {
    "he", "she", "who", "player", "players", "crowd", "family", "team", "someone", "skateboarders",
    "guys", "friends", "members", "passengers", "customers", "spectators", "fans", "pitcher",
}  # fmt: skip
_STEPS = 4
# Said of the moment of a photograph, these pose a question of degree rather than a contradiction.
_HEDGES = {"not", "n't", "about", "ready", "almost", "no", "to", "trying", "stop"}
# An animal that lies may be said to sit.
_DOWN = {"laying", "lying", "sitting", "lays", "lies", "sits", "resting", "sleeping", "down"}
_NOT_MANNER = {
    "only", "nearly", "mostly", "really", "early", "family", "likely", "partially", "fairly",
    "barely", "slightly", "hardly", "highly",
}  # fmt: skip
# Who stands goes nowhere: not past, along or to anything.
_WAYS = {"past", "along", "to", "towards", "toward", "into", "through", "across", "down", "up"}


@dataclass(frozen=True, slots=True)
class Rule:
    """``words`` of the pattern after the verb, what must follow, and what may stand instead."""

    words: tuple[str, ...]
    follower: str
    replacements: tuple[str, ...]


def replace_verb(caption: Caption) -> Iterator[list[Edit]]:
    """Say that someone does something else, in the same form of the verb.

    CE-CLIP's replacement of an action and SVLC's of an action word, by rules.
    """
    table, verb_forms = _rules(), _verb_forms()
    if caption.lowers.isdisjoint(verb_forms):
        return
    for index, word in enumerate(caption.words):
        known = verb_forms.get(word.lower)
        if known is None or not _is_action(caption, index, known[1]):
            continue
        actor = subject(caption, index)
        for rule in table.get((actor, known[0]), ()) if actor else ():
            stop = index + 1 + len(rule.words)
            said = tuple(caption.lower(i) for i in range(index + 1, stop))
            if said != rule.words or not _follows(caption, stop, rule.follower):
                continue
            for text in rule.replacements:
                verb, _, rest = text.partition(" ")
                form = inflected(verb, known[1])
                if verb in PARTICIPLES:  # "parked" stands for "driving", but not for "drives"
                    form = verb if known[1] == ING else ""
                if actor in ("pet", "beast") and verb in ("sit", "lie") and caption.lowers & _DOWN:
                    continue
                if form and form not in caption.lowers:
                    yield [replace(caption, (index, stop), f"{form} {rest}".strip())]
            break  # the first rule that fits is the most special one


def swap_verb(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange the actions of two actors of one class: who sits stands, and who stands sits.

    Both verbs are of one form and say where or how someone is, so that they can trade places.
    """
    found = [
        (index, actor)
        for index, word in enumerate(caption.words)
        if word.lower in _postures() and (actor := subject(caption, index))
    ]
    for (one, actor), (other, other_actor) in combinations(found, 2):
        here, there = caption.lower(one), caption.lower(other)
        same_form = _postures()[here][1] == _postures()[there][1]
        if actor != other_actor or not same_form or _postures()[here][0] == _postures()[there][0]:
            continue
        if {caption.lower(one + 1), caption.lower(other + 1)} & _WAYS:
            continue
        between = caption.words[one + 1 : other]
        if any(word.is_noun for word in between) and caption.tag(other - 1).startswith("NN"):
            edits = swap(caption, (one, one + 1), (other, other + 1))
            if edits:
                yield edits


def swap_adverb(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange two adverbs of manner, as NegCLIP does; not "easily and skillfully"."""
    found = [
        index
        for index, word in enumerate(caption.words)
        if word.tag == "RB" and word.lower.endswith("ly") and word.lower not in _NOT_MANNER
    ]
    for one, other in combinations(found, 2):
        is_joined = other == one + 2 and caption.lower(one + 1) in ("and", "or", ",")
        if caption.lower(one) != caption.lower(other) and not is_joined:
            edits = swap(caption, (one, one + 1), (other, other + 1))
            if edits:
                yield edits


@cache
def _on_rails_or_water() -> set[str]:
    return {nouns()[name].key for name in TRAINS | BOATS}


def subject(caption: Caption, index: int) -> str:
    """What acts, by class (``human``, ``pet``, ``bird``, ``beast``, ``road``, ``plane``), or "".

    Walks left from the verb: over what links it to its noun, over phrases that a preposition
    adds, and over an earlier action of the same actor.
    """
    place = index - 1
    for _ in range(_STEPS):
        while place >= 0 and (caption.lower(place) in _LINKS or caption.tag(place) == "RB"):
            place -= 1
        if place < 0:
            return ""
        if caption.lower(place) in _PEOPLE:
            return "human"
        if caption.tag(place).startswith(("IN", "RP")):
            place -= 1  # "standing up holding a bat"
            continue
        if caption.tag(place) in ("VBG", "VBZ", "VBP"):
            place -= 1
            continue
        if not caption.words[place].is_noun:
            return ""
        first = _phrase_start(caption, place)
        before = caption.lower(first - 1)
        if before == "of" or first == 0 or not _adds(caption, first - 1):
            return _class_of(caption, place)
        place = first - 2 if not caption.tag(first - 1).startswith("VB") else first - 1
        if before == "of":
            place = first - 2
    return ""


def _adds(caption: Caption, index: int) -> bool:
    """Whether the word before a noun phrase makes it part of something said before."""
    tag = caption.tag(index)
    if caption.lower(index) in ("while", "as", "that", "because"):
        return False
    return tag in ("IN", "TO", "VBG", "VBZ", "VBP", "RP")


def _phrase_start(caption: Caption, place: int) -> int:
    while place > 0 and caption.tag(place - 1).startswith(
        ("DT", "JJ", "NN", "CD", "PRP$", "HYPH", "VBN", "PDT")
    ):
        place -= 1
    return place


def _class_of(caption: Caption, place: int) -> str:
    noun = nouns().get(caption.lower(place))
    if noun is None:
        return ""
    if noun.is_human:
        return "human"
    if noun.family == "small animal":
        return "bird" if noun.key == nouns()["bird"].key else "pet"
    if noun.family == "large animal":
        return "beast"
    if noun.family == "vehicle":
        if noun.key == nouns()["airplane"].key:
            return "plane"
        return "" if noun.key in _on_rails_or_water() else "road"
    return ""


def _is_action(caption: Caption, index: int, form: str) -> bool:
    if caption.touches_hyphen(index, index + 1) or not caption.has_plain_case(index):
        return False
    if caption.lower(index - 1) in _HEDGES or caption.tag(index - 1) in ("DT", "JJ", "PRP$", "IN"):
        return False
    tag = caption.tag(index)
    if form == BASE:
        return tag in ("VBP", "VB") and caption.tag(index - 1) in ("NNS", "WDT", "WP")
    if form == THIRD:
        return tag.startswith(("VB", "NNS")) and caption.tag(index - 1) in ("NN", "WDT", "WP", "RB")
    return tag in ("VBG", "NN", "JJ", "NNP", "VBN", "VBD") and index > 0


def _follows(caption: Caption, index: int, follower: str) -> bool:
    if not follower:
        return True
    if follower == "@none":
        return index >= len(caption.words) or caption.lower(index) == "."
    if follower.startswith("#"):
        return caption.lower(index) in _followers()[follower[1:]]
    noun = _object(caption, index)
    if noun is None:
        return False
    return follower == "@any" or _is_object(noun, follower[1:])


@cache
def _followers() -> dict[str, frozenset[str]]:
    return {name: frozenset(words.split()) for name, words in FOLLOWERS.items()}


def _object(caption: Caption, index: int) -> str | None:
    """The noun, as written, of the phrase that begins at ``index``; longest known name first."""
    stop = index
    while caption.tag(stop).startswith(("DT", "JJ", "CD", "PRP$", "VBN", "HYPH", "PDT", "RB")):
        stop += 1
    first = stop
    while caption.tag(stop).startswith("NN"):
        stop += 1
    if first == stop:
        return None
    for start in range(first, stop):
        name = " ".join(caption.lower(i) for i in range(start, stop))
        if name in nouns():
            return name
    return caption.lower(stop - 1)


@cache
def _is_object(name: str, category: str) -> bool:
    noun = nouns().get(name)
    for entry in OBJECTS[category].split():
        if entry.startswith(":"):
            if noun and noun.family == entry[1:].replace("_", " "):
                return True
        else:
            other = nouns().get(entry.replace("_", " "))
            if name in (entry, entry + "s") or (_same(noun, other)):
                return True
    return False


def _same(noun: Noun | None, other: Noun | None) -> bool:
    return noun is not None and other is not None and noun.key == other.key


@cache
def _postures() -> dict[str, tuple[str, str]]:
    return {
        text: (verb, form)
        for verb in ("sit", "stand", "lie", "sleep", "walk", "run", "jump", "swim")
        for text, form in forms(verb).items()
        if form != BASE
    }


@cache
def _verb_forms() -> dict[str, tuple[str, str]]:
    """Every form of a verb that a rule begins with: its dictionary form, and which form it is."""
    found: dict[str, tuple[str, str]] = {}
    for _, verb in _rules():
        # Participles of a state: "a parked car" is driving otherwise.
        known = {verb: ING} if verb in PARTICIPLES else forms(verb)
        for text, form in known.items():
            found.setdefault(text, (verb, form))
    found["perched"], found["seated"] = ("perch", ING), ("seat", ING)
    return found


@cache
def _rules() -> dict[tuple[str, str], tuple[Rule, ...]]:
    table: dict[tuple[str, str], list[Rule]] = {}
    for line in filter(None, map(str.strip, RULES.splitlines())):
        left, _, right = line.partition(" => ")
        actor, _, pattern = left.partition(": ")
        verb, *words = pattern.split()
        follower = words.pop() if words and words[-1][0] in "@#" else ""
        rule = Rule(tuple(words), follower, tuple(right.split(", ")))
        table.setdefault((actor, verb), []).append(rule)
    return {key: tuple(rules) for key, rules in table.items()}
