"""Attributes in a caption, and the nouns they belong to."""

from collections.abc import Container
from typing import NamedTuple

from hnclip_cli.language.caption import Caption, once
from hnclip_cli.negatives.analysis.nouns import head_noun, noun_at

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

    def fits(self, caption: Caption, index: int) -> bool:
        """Whether the attribute can be said of another noun of the caption."""
        noun = noun_at(caption, index)
        classes = {name for name, _ in self.looks}
        if noun is None:  # anything can have a color or a size
            return classes <= {"color", "size"}
        if noun.is_human and "color" in classes:
            return False
        known = caption.lexicon.attributes
        materials = {look for name, look in self.looks if name == "material"}
        if not materials <= set(known.made_of.get(caption.lower(index), materials)):
            return False  # no leather floor
        refused = known.inanimate_only if noun.is_animate else known.animate_only
        return refused.isdisjoint([caption.lower(i) for i in range(self.first, self.stop)])


def deny(caption: Caption, one: Modifier, other: Modifier) -> bool:
    """Whether nothing that has the one attribute could truly be said to have the other."""
    near = caption.lexicon.attributes.near
    pairs = [
        (look, other_look)
        for name, look in one.looks
        for other_name, other_look in other.looks
        if name == other_name
    ]
    return bool(pairs) and not any(near(*pair) for pair in pairs)


@once
def colors(caption: Caption) -> list[Modifier]:
    """Color attributes before a noun; "black and white" is one."""
    found: list[Modifier] = []
    looks = caption.lexicon.attributes.looks
    if looks.keys().isdisjoint(caption.lowers):
        return found
    index = 0
    while index < len(caption.words):
        stop = _color_stop(caption, index)
        if stop > index:
            noun = head_noun(caption, stop - 1)
            if noun is not None and _is_color_of(caption, index, stop, noun):
                words = map(caption.lower, range(index, stop))
                said = frozenset(("color", looks[word]) for word in words if word in looks)
                found.append(Modifier(index, stop, noun, said))
        index = max(stop, index + 1)
    return found


def named_looks(caption: Caption) -> set[str]:
    """The looks of all colors in the caption."""
    looks = caption.lexicon.attributes.looks
    return {looks[word] for word in caption.lowers if word in looks}


@once
def sizes(caption: Caption) -> list[Modifier]:
    """Words of size before the noun they describe."""
    looks = caption.lexicon.attributes.sizes
    if looks.keys().isdisjoint(caption.lowers):
        return []
    return [
        Modifier(index, index + 1, noun, frozenset({("size", looks[caption.lower(index)])}))
        for index, noun in described(caption, looks, ("JJ", "NN"))
        if may_have_size(caption, index, noun)
    ]


def may_have_size(caption: Caption, index: int, noun: int) -> bool:
    """Whether a word of size before this noun says its size, unlike in "a little league"."""
    refused = caption.lexicon.words["never sized"]
    return caption.lower(noun) not in refused and caption.lower(index + 1) not in refused


@once
def others(caption: Caption) -> list[Modifier]:
    """Attributes of the other known classes: age, material, pattern, condition, …"""
    known = caption.lexicon.attributes.known
    if known.keys().isdisjoint(caption.lowers):
        return []
    found = (
        Modifier(index, index + 1, noun, frozenset({known[caption.lower(index)]}))
        for index, noun in described(caption, known, ("JJ", "NN", "VBN"))
        if caption.lower(index + 1) not in _COMPOUNDING
    )
    return [modifier for modifier in found if modifier.fits(caption, modifier.noun)]


def described(
    caption: Caption, words: Container[str], tags: tuple[str, ...]
) -> list[tuple[int, int]]:
    """Where such words stand as attributes, each with the noun that it describes."""
    return [
        (index, noun)
        for index, word in enumerate(caption.words)
        if word.lower in words
        and word.tag.startswith(tags)
        and (noun := head_noun(caption, index)) is not None
        and caption.is_plain(index)
    ]


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


def _color_stop(caption: Caption, index: int) -> int:
    """Where a run of colors that begins at ``index`` ends."""
    looks = caption.lexicon.attributes.looks
    stop = index + 1
    if caption.lower(index) not in looks:
        is_shade = caption.lower(index) in caption.lexicon.words["shade"]
        if not is_shade or caption.lower(stop) not in looks:
            return index
        stop += 1
    while True:
        joint = stop
        while caption.lower(joint) in ("and", ",", "&", "/", "-"):
            joint += 1
        if caption.lower(joint) in looks and joint - stop <= 2:
            stop = joint + 1
        else:
            return stop


def _is_color_of(caption: Caption, first: int, stop: int, noun: int) -> bool:
    known, head = caption.lexicon.attributes, caption.lower(noun)
    if caption.touches_hyphen(first, stop):
        return False
    if not all(map(caption.has_plain_case, range(first, stop))):
        return False
    if (caption.lower(stop - 1), caption.lower(stop)) in known.color_names:
        return False
    thing = noun_at(caption, noun)
    if thing is not None and thing.is_human:  # skin, hair or clothes, not the person's color
        return False
    return head not in known.looks and head not in caption.lexicon.words["never colored"]
