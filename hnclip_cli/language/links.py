"""Which words of a caption belong together: who does what to what, what is where, what is how.

Read from tags alone, by the nearest word that can be meant. A dependency parser would err less
often and cost more than all else that is done with a caption; what counts is that captions are
read in the same way where a model is fitted and where it is used.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from hnclip_cli.language.caption import Caption, Word, once
from hnclip_cli.lexicon import Lexicon

# What stands before "of", and names no thing of its own: "a group of men" is men.
_COUNTING = {
    *("group", "couple", "pair", "bunch", "herd", "lot", "lots", "number", "row", "rows", "flock"),
    *("crowd", "set", "variety", "pile", "stack", "team", "line", "piece", "pieces", "slice"),
    *("slices", "type", "types", "kind", "kinds", "plenty", "dozens", "collection", "assortment"),
    *("array", "bunches", "groups", "pairs", "stacks", "piles", "sets", "flocks", "herds"),
}
_AUXILIARIES = {
    *(
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "'s",
        "'re",
        "has",
        "have",
        "had",
        "having",
    ),
    *("gets", "getting", "get", "am", "'m", "do", "does"),
}
_SEVERAL = {"two", "three", "four", "five", "six", "several", "many", "some", "few", "multiple"}
_OWNING = {"his", "her", "their", "its", "my", "your", "our"}
_IN_PHRASE = ("DT", "PRP$", "CD", "JJ", "VBN", "VBG", "PDT", "HYPH", "POS", "RB", ",", "CC", "NN")
_BEGINS_PHRASE = ("DT", "PRP$", "CD", "JJ", "NN", "PDT")
_JOINS_NOUNS = ("NN", "HYPH", "POS")

NOUN, VERB, PREPOSITION, PARTICLE, AND, BEING, OTHER = range(7)

# What the determiner of what is counted begins with.
SEVERAL = "#"

MODIFIER, COMPOUND, DETERMINER, PLACE = "modifier", "compound", "determiner", "place"
SUBJECT, OBJECT, PATIENT, JOINED = "subject", "object", "patient", "and"


class Unit(NamedTuple):
    """A noun phrase, or another word that links some: words [first, stop).

    Attributes:
        kind: ``NOUN``, ``VERB``, ``PREPOSITION``, ``PARTICLE``, ``AND``, ``BEING`` or ``OTHER``.
        lemma: what names it in links.
        head: the index of its head word.
        name: of a noun, where its name begins: "fire" of "a red fire hydrant".
        modifiers, compounds: of a noun, the words that describe it.
        determiner: of a noun, its article, "#" for a number or "his" for an owner, and whether it
            is plural.
    """

    kind: int
    lemma: str
    first: int
    stop: int
    head: int
    name: int = 0
    modifiers: tuple[int, ...] = ()
    compounds: tuple[int, ...] = ()
    determiner: str = ""


class Link(NamedTuple):
    """One word and another one that depends on it.

    Attributes:
        relation: ``modifier``, ``compound``, ``determiner``, ``place`` (preposition and noun),
            ``subject``, ``object``, ``patient`` (who acts, and on what), ``and``; or whether a
            noun or a verb is placed, and by which preposition: "noun on", "verb on".
        head, dependent: lemmas.
        at, to: the indices of the two words.
    """

    relation: str
    head: str
    dependent: str
    at: int
    to: int


@once
def links(caption: Caption) -> list[Link]:
    """The links of a caption, in order of place; needs tags."""
    return _linked(caption.words, units(caption), caption.lexicon)


@once
def units(caption: Caption) -> list[Unit]:
    """The noun phrases of a caption, and what stands between them; needs tags."""
    return list(_units(caption.words, caption.lexicon))


@once
def phrases(caption: Caption) -> dict[int, Unit]:
    """The base noun phrases of a caption by the word behind each; needs tags."""
    return {unit.stop: unit for unit in units(caption) if unit.kind == NOUN}


def links_of(words: Sequence[Word], lexicon: Lexicon) -> list[Link]:
    """The links of tagged words that are no caption."""
    return _linked(words, _units(words, lexicon), lexicon)


def _linked(words: Sequence[Word], read: Iterable[Unit], lexicon: Lexicon) -> list[Link]:
    found: list[Link] = []
    reader = _Reader(found, lexicon)
    for unit in read:
        if unit.kind == NOUN:
            _describe(found, words, unit)
            reader.noun(unit)
        elif unit.kind == VERB:
            reader.verb(unit)
        reader.before.append(unit)
    return found


def lemmas(found: Sequence[Link]) -> dict[int, str]:
    """The lemma of each word that names a thing or an action in some link."""
    named: dict[int, str] = {}
    for relation, head, dependent, at, to in found:
        if relation != PLACE:
            named[at] = head
        if relation != DETERMINER:
            named[to] = dependent
    return named


class _Reader:
    """Links nouns to what stands before them.

    Attributes:
        before: the units that were read, but for counting ones, as "a group of".
    """

    def __init__(self, found: list[Link], lexicon: Lexicon) -> None:
        self._found = found
        self._nouns = lexicon.nouns.forms
        self.before: list[Unit] = []
        self._things: list[tuple[Unit, bool]] = []  # and whether each depends on another
        self._verb: Unit | None = None
        self._object: Unit | None = None
        self._subject: Unit | None = None
        self._governor: tuple[str, Unit] | None = None

    def _add(self, relation: str, head: Unit, dependent: Unit) -> None:
        link = Link(relation, head.lemma, dependent.lemma, head.head, dependent.head)
        self._found.append(link)

    def noun(self, noun: Unit) -> None:
        previous, earlier = self._last(1), self._last(2)
        kind = OTHER if previous is None else previous.kind
        verb = previous if kind == VERB else earlier
        if kind == PREPOSITION:
            assert previous is not None
            if previous.lemma == "of" and earlier and earlier.lemma in _COUNTING:
                if self._things:
                    self._things.pop()
                self._link_as(noun, earlier)
            else:
                self._place(previous, noun)
                self._governor = PLACE, previous
        elif verb and verb.kind == VERB and kind in (VERB, PARTICLE):
            self._add(OBJECT, verb, noun)
            if self._subject:
                self._add(PATIENT, self._subject, noun)
            self._object = noun
            self._governor = OBJECT, verb
        elif kind == AND and earlier and earlier.kind == NOUN:
            self._add(JOINED, earlier, noun)
            if self._governor:
                self._add(self._governor[0], self._governor[1], noun)
        else:
            self._governor = None
        depends = kind in (PREPOSITION, VERB, PARTICLE)
        if kind == AND and self._things:  # "a man in a shirt and jeans"
            depends = self._things[-1][1]
        self._things.append((noun, depends))

    def _link_as(self, noun: Unit, counting: Unit) -> None:
        """Let a noun have the links of the word that counts it."""
        for place, link in enumerate(self._found):
            if link.to == counting.head and link.relation != DETERMINER:
                self._found[place] = link._replace(dependent=noun.lemma, to=noun.head)
        if self._object is counting:
            self._object = noun

    def _place(self, preposition: Unit, noun: Unit) -> None:
        self._add(PLACE, preposition, noun)
        placed = self._last(2)
        if placed and placed.kind == PARTICLE:
            placed = self._last(3)
        if placed is None:
            return
        of_noun, of_verb = f"noun {preposition.lemma}", f"verb {preposition.lemma}"
        if placed.kind == NOUN:
            self._add(of_noun, placed, noun)
            if self._verb and self._object is placed:
                self._add(of_verb, self._verb, noun)
        elif placed.kind == VERB:
            self._add(of_verb, placed, noun)
            if self._subject:
                self._add(of_noun, self._subject, noun)
        elif placed.kind == BEING and self._things:
            self._add(of_noun, self._things[-1][0], noun)

    def verb(self, verb: Unit) -> None:
        """Link a verb to its subject: the nearest noun, or the living one that it describes."""
        self._subject = self._object = None
        if self._things:
            place = len(self._things) - 1
            while place and self._things[place][1] and not self._is_alive(place):
                place -= 1
            if not self._is_alive(place):
                place = len(self._things) - 1
            self._subject = self._things[place][0]
            self._add(SUBJECT, verb, self._subject)
        self._verb = verb

    def _is_alive(self, place: int) -> bool:
        noun = self._nouns.get(self._things[place][0].lemma)
        return noun is not None and noun.is_animate

    def _last(self, number: int) -> Unit | None:
        return self.before[-number] if len(self.before) >= number else None


def _describe(found: list[Link], words: Sequence[Word], noun: Unit) -> None:
    for index in noun.modifiers:
        found.append(Link(MODIFIER, noun.lemma, words[index].lower, noun.head, index))
    for index in noun.compounds:
        found.append(Link(COMPOUND, noun.lemma, words[index].lower, noun.head, index))
    found.append(Link(DETERMINER, noun.lemma, noun.determiner, noun.head, noun.head))


def _units(words: Sequence[Word], lexicon: Lexicon) -> Iterator[Unit]:
    index = 0
    while index < len(words):
        unit = _unit(words, index, lexicon)
        if unit.kind != OTHER or not words[index].tag.startswith("RB"):
            yield unit
        index = unit.stop


def _unit(words: Sequence[Word], index: int, lexicon: Lexicon) -> Unit:
    _, lower, _, _, tag = words[index]
    if tag in ("IN", "TO", "RP") or lower in lexicon.relations.first_words:
        stop = _preposition_stop(words, index, lexicon)
        if stop > index + 1 or tag in ("IN", "TO", "RP"):
            kind = PARTICLE if tag == "RP" and stop == index + 1 else PREPOSITION
            name = " ".join([word.lower for word in words[index:stop]])
            return Unit(kind, name, index, stop, index)
    following = words[index + 1].tag if index + 1 < len(words) else ""
    if tag.startswith(_BEGINS_PHRASE) or (tag == "VBN" and following.startswith("NN")):
        return _noun_phrase(words, index, lexicon)
    if tag.startswith("VB"):
        kind = BEING if lower in _AUXILIARIES else VERB
        return Unit(kind, verb_lemma(lower), index, index + 1, index)
    kind = AND if tag == "CC" or lower in (",", "&") else OTHER
    return Unit(kind, lower, index, index + 1, index)


def _preposition_stop(words: Sequence[Word], index: int, lexicon: Lexicon) -> int:
    names = lexicon.relations.names
    for length in range(min(lexicon.relations.max_words, len(words) - index), 1, -1):
        if " ".join([word.lower for word in words[index : index + length]]) in names:
            return index + length
    return index + 1


def _noun_phrase(words: Sequence[Word], first: int, lexicon: Lexicon) -> Unit:
    """The noun phrase that begins here; without a noun it is something else."""
    index, determiner, names = first, "", lexicon.nouns.forms
    modifiers: list[int] = []
    nouns: list[int] = []
    while index < len(words) and words[index].tag.startswith(_IN_PHRASE):
        lower, tag = words[index].lower, words[index].tag
        following = words[index + 1].tag if index + 1 < len(words) else ""
        if tag.startswith("NN"):
            nouns.append(index)
            if index + 1 < len(words) and f"{lower} {words[index + 1].lower}" in names:
                index += 1  # taggers err about names of several words: "hydrant" as an adjective
                nouns.append(index)
                following = words[index + 1].tag if index + 1 < len(words) else ""
            if not following.startswith(_JOINS_NOUNS):
                index += 1
                break
        elif nouns and tag not in ("HYPH", "POS"):
            break
        elif tag.startswith("JJ"):
            modifiers.append(index)
        elif tag in ("VBN", "VBG"):
            if not following.startswith(("NN", "JJ")):
                break
            modifiers.append(index)
        elif tag in ("RB", ",", "CC"):  # "black and white", "large, red"
            if not (modifiers or tag == "RB") or not following.startswith(("JJ", "VBN")):
                break
        elif tag in ("DT", "PRP$", "CD"):
            if modifiers:
                break
            determiner = _determiner(lower, tag)
        index += 1
    if not nouns:
        return Unit(OTHER, words[first].lower, first, max(index, first + 1), first)
    head = nouns[-1]
    name = _name_start(words, first, head, lexicon)
    lemma = noun_lemma(" ".join([word.lower for word in words[name : head + 1]]), lexicon)
    if words[head].tag.endswith("S"):
        determiner += " plural"
    return Unit(
        NOUN,
        lemma,
        first,
        index,
        head,
        name,
        tuple(place for place in modifiers if place < name),
        tuple(place for place in nouns if place < name),
        determiner,
    )


def _determiner(lower: str, tag: str) -> str:
    if (tag == "CD" and lower not in ("one", "1")) or lower in _SEVERAL:
        return SEVERAL
    if lower in _OWNING:
        return "his"
    return "a" if lower == "an" else lower


def _name_start(words: Sequence[Word], first: int, head: int, lexicon: Lexicon) -> int:
    """Where the longest name of the lexicon begins that ends in a word."""
    for start in range(max(first, head - 2), head):
        if " ".join([word.lower for word in words[start : head + 1]]) in lexicon.nouns.forms:
            return start
    return head


def noun_lemma(text: str, lexicon: Lexicon) -> str:
    """What names a thing: its singular, if it has one."""
    noun = lexicon.nouns.forms.get(text)
    return (noun.singular or noun.plural) if noun else _singular(text)


@lru_cache(maxsize=2048)
def _singular(text: str) -> str:
    if text.endswith("ies") and len(text) > 4:
        return text[:-3] + "y"
    if re.search(r"(?:ch|sh|ss|x|z)es$", text):
        return text[:-2]
    if re.search(r"[^sui]s$", text) and len(text) > 3:
        return text[:-1]
    return text


@lru_cache(maxsize=2048)
def verb_lemma(text: str) -> str:
    """What names an action, in whichever form it is said; no word: "rides" is "to rid"."""
    if text.endswith("ing") and len(text) > 5:
        text = text[:-3]
    elif text.endswith(("ied", "ies")):
        text = text[:-3] + "y"
    elif (text.endswith("ed") and len(text) > 4) or re.search(r"[sxzho]es$", text):
        text = text[:-2]
    elif re.search(r"[^s]s$", text) and len(text) > 3:
        text = text[:-1]
    if text.endswith("e") and len(text) > 3:
        text = text[:-1]
    if re.search(r"([^aeioulsz])\1$", text) and len(text) > 3:
        text = text[:-1]
    return f"to {text}"
