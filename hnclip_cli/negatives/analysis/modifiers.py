"""Attributes in a caption, and the nouns they belong to."""

from functools import cache
from typing import NamedTuple

from hnclip_cli.language.caption import Caption, once
from hnclip_cli.lexicon.attributes import (
    ANIMATE_ONLY,
    ATTRIBUTE_CLASSES,
    BIG_WORDS,
    COLOR_HEADS_REFUSED,
    COLOR_LOOK,
    COLOR_SHADES,
    CONFUSABLE,
    INANIMATE_ONLY,
    NOT_A_COLOR,
    SIZE_HEADS_REFUSED,
    SMALL_WORDS,
)
from hnclip_cli.lexicon.nouns import Noun, nouns

SIZES = SMALL_WORDS | BIG_WORDS

# "old fashioned" and the like are one attribute.
_COMPOUNDING = {"fashioned", "looking", "style", "styled", "time", "school", "colored", "up"}


class Modifier(NamedTuple):
    """An attribute, words [first, stop), of the noun at index ``noun``.

    ``looks`` says what it is within each class (color, size, age, …): synonyms share a look, and
    a chain of attributes has looks of several classes.
    """

    first: int
    stop: int
    noun: int
    looks: frozenset[tuple[str, str]]

    def denies(self, other: "Modifier") -> bool:
        """Whether nothing that has the one attribute could truly be said to have the other."""
        classes = {category for category, _ in self.looks}
        if not classes & {category for category, _ in other.looks}:
            return False
        return not any(
            category == other_category and near(look, other_look)
            for category, look in self.looks
            for other_category, other_look in other.looks
        )

    def fits(self, caption: Caption, index: int) -> bool:
        """Whether the attribute can be said of another noun of the caption."""
        noun = nouns().get(caption.lower(index))
        classes = {category for category, _ in self.looks}
        if noun is None:  # anything can have a color or a size
            return classes <= {"color", "size"}
        if noun.is_human and "color" in classes:
            return False
        lowers = {caption.lower(i) for i in range(self.first, self.stop)}
        return not lowers & (INANIMATE_ONLY if noun.is_animate else ANIMATE_ONLY)


def near(one: str, other: str) -> bool:
    """Whether two looks are the same or easily confused."""
    return one == other or frozenset((one, other)) in CONFUSABLE


def head_noun(caption: Caption, index: int) -> int | None:
    """The noun that a word at ``index`` in a noun phrase describes."""
    index += 1
    while caption.tag(index).startswith(("JJ", "VBN", "CC", "HYPH", "CD")) and not (
        caption.tag(index).startswith("CC") and not _is_describing(caption, index + 1)
    ):
        index += 1
    if not caption.tag(index).startswith("NN"):
        return None
    while caption.tag(index + 1).startswith("NN"):
        index += 1
    return index


def _is_describing(caption: Caption, index: int) -> bool:
    return caption.tag(index).startswith("JJ") or caption.lower(index) in COLOR_LOOK


@once
def colors(caption: Caption) -> list[Modifier]:
    """Color attributes before a noun; "black and white" is one."""
    found: list[Modifier] = []
    if caption.lowers.isdisjoint(COLOR_LOOK):
        return found
    index = 0
    while index < len(caption.words):
        stop = _color_stop(caption, index)
        if stop > index:
            noun = head_noun(caption, stop - 1)
            if noun is not None and _is_color_of(caption, index, stop, noun):
                looks = frozenset(
                    ("color", COLOR_LOOK[caption.lower(i)])
                    for i in range(index, stop)
                    if caption.lower(i) in COLOR_LOOK
                )
                found.append(Modifier(index, stop, noun, looks))
        index = max(stop, index + 1)
    return found


def _color_stop(caption: Caption, index: int) -> int:
    """Where a run of colors that begins at ``index`` ends."""
    stop = index
    if caption.lower(stop) in COLOR_SHADES and caption.lower(stop + 1) in COLOR_LOOK:
        stop += 1
    if caption.lower(stop) not in COLOR_LOOK:
        return index
    stop += 1
    while True:
        joint = stop
        while caption.lower(joint) in ("and", ",", "&", "/", "-"):
            joint += 1
        if caption.lower(joint) in COLOR_LOOK and joint - stop <= 2:
            stop = joint + 1
        else:
            return stop


def _is_color_of(caption: Caption, first: int, stop: int, noun: int) -> bool:
    if caption.touches_hyphen(first, stop):
        return False
    if not all(caption.has_plain_case(i) for i in range(first, stop)):
        return False
    follower = caption.lower(stop)
    if follower in NOT_A_COLOR.get(caption.lower(stop - 1), ()):
        return False
    known = nouns().get(caption.lower(noun))
    if known is not None and known.is_human:  # skin, hair or clothes, not the person's color
        return False
    return caption.lower(noun) not in COLOR_HEADS_REFUSED | COLOR_LOOK.keys()


@once
def sizes(caption: Caption) -> list[Modifier]:
    """Words of size before the noun they describe."""
    found: list[Modifier] = []
    if caption.lowers.isdisjoint(SIZES):
        return found
    for index, word in enumerate(caption.words):
        if word.lower not in SIZES or not word.tag.startswith(("JJ", "NN")):
            continue
        noun = head_noun(caption, index)
        if noun is None or caption.touches_hyphen(index, index + 1):
            continue
        if caption.lower(noun) in SIZE_HEADS_REFUSED or not caption.has_plain_case(index):
            continue
        if caption.lower(index + 1) in SIZE_HEADS_REFUSED:
            continue
        look = "small" if word.lower in SMALL_WORDS else "big"
        found.append(Modifier(index, index + 1, noun, frozenset({("size", look)})))
    return found


@once
def others(caption: Caption) -> list[Modifier]:
    """Attributes of the other known classes: age, material, pattern, condition, …"""
    found: list[Modifier] = []
    table = _attribute_table()
    if caption.lowers.isdisjoint(table):
        return found
    for index, word in enumerate(caption.words):
        if word.lower not in table or not word.tag.startswith(("JJ", "NN", "VBN")):
            continue
        noun = head_noun(caption, index)
        if noun is None or caption.touches_hyphen(index, index + 1):
            continue
        if not caption.has_plain_case(index) or caption.lower(index + 1) in _COMPOUNDING:
            continue
        category, look = table[word.lower]
        modifier = Modifier(index, index + 1, noun, frozenset({(category, look)}))
        if modifier.fits(caption, noun):
            found.append(modifier)
    return found


@once
def attributes(caption: Caption) -> list[Modifier]:
    """All known attributes, in order of place."""
    found = [*colors(caption), *sizes(caption), *others(caption)]
    return sorted(found, key=lambda modifier: modifier.first)


def chains(modifiers: list[Modifier]) -> list[Modifier]:
    """Whole runs of neighboring attributes of one noun, as "small red", where there are two."""
    runs: list[list[Modifier]] = []
    for modifier in modifiers:
        last = runs[-1][-1] if runs else None
        if last and last.stop == modifier.first and last.noun == modifier.noun:
            runs[-1].append(modifier)
        else:
            runs.append([modifier])
    return [
        Modifier(
            run[0].first, run[-1].stop, run[0].noun, frozenset().union(*(m.looks for m in run))
        )
        for run in runs
    ]


@cache
def _attribute_table() -> dict[str, tuple[str, str]]:
    table: dict[str, tuple[str, str]] = {}
    for category, text in ATTRIBUTE_CLASSES.items():
        for line in filter(None, map(str.strip, text.splitlines())):
            words = line.replace("|", " ").split()
            for word in words:
                table.setdefault(word, (category, words[0]))
    return table


def known_head(caption: Caption, index: int) -> Noun | None:
    """The lexicon's noun at a word, also where it ends a name of several words."""
    return next((m.noun for m in caption.mentions if m.head == index), None)
