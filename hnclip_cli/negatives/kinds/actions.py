"""Kinds that change what is done: another action in the place of one, and two exchanged."""

from collections.abc import Iterator
from itertools import combinations

from hnclip_cli.language.caption import Caption
from hnclip_cli.language.links import verb_lemma
from hnclip_cli.lexicon.verbs import BASE, ING, THIRD, Rule, inflected
from hnclip_cli.negatives.analysis.nouns import noun_at
from hnclip_cli.negatives.analysis.relations import BEING
from hnclip_cli.negatives.analysis.rewriting import replace, swap
from hnclip_cli.streams.edits import Edit

_LINKS = BEING | {"that", "who", "which", "also", "while", "and", ",", "has", "have", "both", "all"}
_STEPS = 6
_PEDALED = {"bicycle", "bicycles", "bike", "bikes"}
# "In front of" is not "in".
_INNER = {"front", "back", "top", "between", "side"}
# Said of the moment of a photograph, these pose a question of degree rather than a contradiction.
_HEDGES = {"not", "n't", "about", "ready", "almost", "no", "to", "trying", "stop"}
# Who stands goes nowhere: not past, along or to anything.
_WAYS = {"past", "along", "to", "towards", "toward", "into", "through", "across", "down", "up"}
_MOVING = {"walk", "run", "jump", "fly", "ride", "drive", "swim", "chase", "land"}
# Who sleeps does nothing else, and who sits goes past nothing; some by their lemmas.
_IDLE, _RESTING = {"sleep", "lie"}, {"sit", "stand"}
_GOING = {"walk", "run", "jump", "fly", "rid", "driv", "swim", "chas", "pass", "cross", "throw"}
_GOING |= {"kick", "catch", "hit", "jog", "climb"}
# "lying on his back", "a frisbee in his hand": no one stands on it, or hits it there.
_LAP = {"back", "lap", "side", "stomach"}
_BODY = _LAP | {"hand", "hands", "mouth", "head", "shoulder", "arms"}
# Meanwhile one may sit and have the same in one's hand.
_ON_FOOT = {"walk", "run", "jump", "stand"}
_PHRASE = ("DT", "JJ", "NN", "CD", "PRP$", "HYPH", "VBN", "PDT")
_ACTING = ("VBG", "VBZ", "VBP")
_JOINING = {"and", ",", "&"}
_BEFORE_NOUN = ("DT", "JJ", "CD", "PRP$", "VBN", "HYPH", "PDT", "RB")


def replace_verb(caption: Caption) -> Iterator[list[Edit]]:
    """Say that someone does something else, in the same form of the verb.

    CE-CLIP's replacement of an action and SVLC's of an action word, by rules.
    """
    known = caption.lexicon.verbs
    verb_forms = known.rule_forms
    if verb_forms.keys().isdisjoint(caption.lowers):
        return
    for index, word in enumerate(caption.words):
        if word.lower not in verb_forms:
            continue
        verb, form = verb_forms[word.lower]
        if not _is_action(caption, index, form) or _is_of_body(caption, index, verb):
            continue
        actor = subject(caption, index)
        if actor and _is_resumed(caption, index):
            continue
        for rule in known.rules.get((actor, verb), ()):
            stop = index + 1 + len(rule.words)
            said = tuple(caption.lower(i) for i in range(index + 1, stop))
            if rule.words and caption.lower(stop) in _INNER:
                continue
            if said == rule.words and _follows(caption, stop, rule):
                if rule.nouns is not None and _goes_somewhere(caption, stop):
                    break
                yield from _other_actions(caption, index, stop, actor, form, rule.instead)
                break  # the first rule that fits is the most special one


def swap_verb(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange the actions of two actors of one class: who sits stands, and who stands sits.

    Both verbs are of one form and say where or how someone is, so that they can trade places.
    """
    postures = caption.lexicon.verbs.postures
    found = [
        (index, actor)
        for index, word in enumerate(caption.words)
        if word.lower in postures and (actor := subject(caption, index))
    ]
    for (one, actor), (other, other_actor) in combinations(found, 2):
        verb, form = postures[caption.lower(one)]
        other_verb, other_form = postures[caption.lower(other)]
        if actor != other_actor or form != other_form or verb == other_verb:
            continue
        if {caption.lower(one + 1), caption.lower(other + 1)} & _WAYS:
            continue
        between = caption.words[one + 1 : other]
        if any(word.is_noun for word in between) and caption.tag(other - 1).startswith("NN"):
            yield from swap(caption, (one, one + 1), (other, other + 1))


def swap_adverb(caption: Caption) -> Iterator[list[Edit]]:
    """Exchange two adverbs of manner, as NegCLIP does; not "easily and skillfully"."""
    refused = caption.lexicon.words["not manner"]
    found = [
        index
        for index, word in enumerate(caption.words)
        if word.tag == "RB" and word.lower.endswith("ly") and word.lower not in refused
    ]
    for one, other in combinations(found, 2):
        is_joined = other == one + 2 and caption.lower(one + 1) in ("and", "or", ",")
        if caption.lower(one) != caption.lower(other) and not is_joined:
            yield from swap(caption, (one, one + 1), (other, other + 1))


def subject(caption: Caption, index: int) -> str:
    """What acts: a class of noun_classes.tsv that acts in some rule, or "".

    Walks left from the verb: over what links it to its noun, over phrases that a preposition
    adds, and over an earlier action of the same actor.
    """
    people = caption.lexicon.words["people"]
    place, is_joined = index - 1, False
    for _ in range(_STEPS):
        while place >= 0 and (caption.lower(place) in _LINKS or caption.tag(place) == "RB"):
            place -= 1
        if place < 0:
            return ""
        if caption.lower(place) in people:
            return "human"
        if caption.tag(place).startswith(("IN", "RP", "VBN")) or caption.tag(place) in _ACTING:
            place -= 1  # "standing up holding a bat", "dressed in a suit"
            continue
        if not caption.words[place].is_noun:
            return ""
        first = _phrase_start(caption, place)
        if caption.lower(first - 1) in _JOINING and not _actor(caption, place):
            place, is_joined = first - 2, True  # "in a suit and a hat"
            continue
        if caption.lower(first - 1) == "of" or first == 0 or not _adds(caption, first - 1):
            return "" if is_joined else _actor(caption, place)
        place = first - 1 if caption.tag(first - 1).startswith("VB") else first - 2
        is_joined = False
    return ""


def _phrase_start(caption: Caption, index: int) -> int:
    """Where the phrase of a noun begins: "black and white shirts", "a smiling man"."""
    first = caption.run_start(index, _PHRASE)
    if caption.lower(first - 1) in _JOINING and caption.tag(first - 2).startswith("JJ"):
        first = caption.run_start(first - 1, _PHRASE)
    if caption.tag(first - 1) == "VBG" and caption.tag(first - 2).startswith(_BEFORE_NOUN):
        first = caption.run_start(first - 1, _PHRASE)
    return first


def _is_resumed(caption: Caption, index: int) -> bool:
    """Whether more is said of the one who acts: who sits in one sentence runs in no other."""
    while index and not caption.words[index - 1].is_noun:
        index -= 1
    return index > 0 and caption.lower(index - 1) in caption.resumed


def _adds(caption: Caption, index: int) -> bool:
    """Whether the word before a noun phrase makes it part of something said before."""
    if caption.lower(index) in ("while", "as", "that", "because"):
        return False
    return caption.tag(index) in ("IN", "TO", "RP", *_ACTING)


def _actor(caption: Caption, index: int) -> str:
    noun = noun_at(caption, index)
    classes = caption.lexicon.verbs.actors.items()
    return next((name for name, one in classes if one.holds(noun)), "") if noun else ""


def _is_action(caption: Caption, index: int, form: str) -> bool:
    before = caption.tag(index - 1)
    if caption.lower(index - 1) in _HEDGES or before in ("DT", "JJ", "PRP$", "IN"):
        return False
    if not caption.is_plain(index):
        return False
    if caption.lower(index + 1) == "and" and caption.tag(index + 2) in _ACTING:
        return False  # who walks and glides does not sit and glide
    tag = caption.tag(index)
    if form == BASE:
        return tag in ("VBP", "VB") and before in ("NNS", "WDT", "WP")
    if form == THIRD:
        may_be_verb = tag.startswith("VB") or (tag == "NNS" and before != "NNS")
        return may_be_verb and before in ("NN", "NNS", "WDT", "WP", "RB")
    return tag in ("VBG", "NN", "JJ", "NNP", "VBN", "VBD") and index > 0


def _is_of_body(caption: Caption, index: int, verb: str) -> bool:
    """Whether a part of the body is said to be where something is: "on his back"."""
    parts = _LAP if verb in _ON_FOOT else _BODY
    return any(
        word.tag == "PRP$" and not parts.isdisjoint(map(caption.lower, (place + 1, place + 2)))
        for place, word in enumerate(caption.words)
        if place > index
    )


def _other_actions(
    caption: Caption, index: int, stop: int, actor: str, form: str, instead: tuple[str, ...]
) -> Iterator[list[Edit]]:
    """Put each of a rule's replacements in the place of words [index, stop)."""
    is_still, others = _rests_too(caption, index), _other_verbs(caption, index)
    is_animal_down = actor in ("pet", "beast") and not caption.lowers.isdisjoint(
        caption.lexicon.words["lying"]
    )
    is_on_foot = not caption.lowers.isdisjoint(_PEDALED)
    for text in instead:
        verb, _, rest = text.partition(" ")
        if verb == "drive" and is_on_foot:
            continue
        if is_animal_down and verb in ("sit", "lie"):  # an animal that lies may be said to sit
            continue
        if is_still and verb in _MOVING:
            continue
        if (verb in _IDLE and others) or (verb in _RESTING and others & _GOING):
            continue
        said = inflected(verb, form)
        if verb in caption.lexicon.verbs.participles:
            said = verb if form == ING else ""  # "parked" is "driving", but not "drives"
        if said and said not in caption.lowers:
            yield [replace(caption, (index, stop), f"{said} {rest}".strip())]


def _rests_too(caption: Caption, index: int) -> bool:
    """Whether another verb says that someone sits, stands or lies: he does not walk meanwhile."""
    postures = caption.lexicon.verbs.postures
    return any(
        word.lower in postures and postures[word.lower][0] not in _MOVING and place != index
        for place, word in enumerate(caption.words)
    )


def _goes_somewhere(caption: Caption, index: int) -> bool:
    """Whether a way follows an object: nobody washes a dog past a house."""
    stop = caption.run_stop(caption.run_stop(index, _BEFORE_NOUN), ("NN",))
    return caption.lower(stop) in _WAYS


def _other_verbs(caption: Caption, index: int) -> set[str]:
    """What else someone does, as far as verbs go on after "and", a comma or a noun's phrase."""
    return {
        verb_lemma(word.lower).removeprefix("to ")
        for place, word in enumerate(caption.words)
        if word.tag == "VBG"
        and place > index
        and (caption.tag(place - 1).startswith((",", "CC", "NN")))
        and word.lower not in caption.lexicon.words["resting"]
    }


def _follows(caption: Caption, index: int, rule: Rule) -> bool:
    """Whether what stands at ``index`` may follow the words of a rule."""
    if rule.after is not None:
        return caption.lower(index) in rule.after
    if rule.nouns is None:
        return True
    name = _object(caption, index)
    nouns = caption.lexicon.nouns.forms
    return name is not None and rule.nouns.holds(nouns.get(name), name)


def _object(caption: Caption, index: int) -> str | None:
    """The noun, as written, of the phrase that begins at ``index``; longest known name first."""
    first = caption.run_stop(index, _BEFORE_NOUN)
    stop = caption.run_stop(first, ("NN",))
    if first == stop:
        return None
    for start in range(first, stop):
        name = " ".join(caption.lower(i) for i in range(start, stop))
        if name in caption.lexicon.nouns.forms:
            return name
    return caption.lower(stop - 1)
