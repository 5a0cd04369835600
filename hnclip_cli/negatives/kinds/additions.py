"""Kinds that add something: a negation, an attribute, a thing."""

import re
from collections.abc import Iterator
from functools import cache

from hnclip_cli.language.caption import Caption, Mention
from hnclip_cli.lexicon.attributes import COLOR_LOOK
from hnclip_cli.lexicon.nouns import nouns
from hnclip_cli.lexicon.spelling import article
from hnclip_cli.negatives.analysis.modifiers import near
from hnclip_cli.negatives.analysis.rewriting import replace
from hnclip_cli.negatives.kinds.replacements import before_phrase
from hnclip_cli.streams.edits import Edit

_ACCOMPANYING = {"with", "to", "beside", "near", "by", "has", "holds", "behind", "and"}
_BEING = {"is", "are", "was", "were"}
_DENIED = {"on", "in", "under", "behind", "near", "next", "beside", "inside", "at"}
_NEGATIVE = {"not", "no", "without", "n't", "never", "nothing", "none", "empty"}

# What these things hardly ever are, so that it is false although the caption is silent about it.
_ODD_COLORS = {
    "small animal": ("purple", "green", "blue", "pink"),
    "large animal": ("purple", "green", "blue", "pink"),
    "vehicle": ("pink", "purple"),
    "furniture": ("pink", "purple"),
    "appliance": ("pink", "purple"),
    "building": ("purple", "pink"),
    "produce": ("blue", "pink"),
    "dish": ("blue", "purple"),
    "device": ("pink", "purple"),
}
# Of these there are some in every color: beds by their covers, cakes by their icing.
_OF_ANY_COLOR = {"bed", "cake", "donut"}
# Seen by itself and seldom left out of a caption, so false where no caption names it.
_ADDED = ("elephant", "giraffe", "zebra", "cow", "fire hydrant", "motorcycle", "kite", "surfboard")


def negate(caption: Caption) -> Iterator[list[Edit]]:
    """Deny an action, a place or a thing: "not", "no", "without" (CoN-CLIP, by rules)."""
    if caption.lowers & _NEGATIVE:
        return
    for index, word in enumerate(caption.words):
        if not caption.has_plain_case(index) or caption.touches_hyphen(index, index + 1):
            continue
        if word.lower == "with" and caption.lower(index + 1) in ("a", "an"):
            yield [replace(caption, (index, index + 2), "without " + caption.lower(index + 1))]
        elif word.lower in _BEING and caption.lower(index - 1) == "there":
            stop = index + 2 if caption.lower(index + 1) in ("a", "an", "some") else index + 1
            yield [replace(caption, (index, stop), f"{word.lower} no")]
        elif word.lower in _BEING and caption.tag(index + 1).startswith(("VBG", "JJ", "IN", "VBN")):
            yield [replace(caption, (index, index + 1), f"{word.lower} not")]
        elif _is_denied(caption, index):
            yield [replace(caption, (index, index + 1), f"not {word.lower}")]


def _is_denied(caption: Caption, index: int) -> bool:
    """Whether "not" fits before this word: a participle or a place right after its noun."""
    if not caption.tag(index - 1).startswith(("NN", "PRP")) or index == 0:
        return False
    word = caption.words[index]
    if word.tag == "VBG":
        return word.lower.endswith("ing") and word.lower not in nouns()
    return word.lower in _DENIED and caption.lower(index + 1) in ("a", "an", "the", "to", "top")


def add_attribute(caption: Caption) -> Iterator[list[Edit]]:
    """Give a thing without attributes a color that its like never has (SugarCrepe's add-att)."""
    named = {COLOR_LOOK[word] for word in caption.lowers if word in COLOR_LOOK}
    for mention in caption.mentions:
        if mention.modifies or mention.is_modified:
            continue
        before = caption.lower(mention.first - 1)
        if before not in ("a", "an", "the", "two", "three", "his", "her"):
            continue
        if mention.noun.key in _of_any_color() or caption.lower(mention.first) in COLOR_LOOK:
            continue
        for color in _ODD_COLORS.get(mention.noun.family, ()):
            if not any(near(color, other) for other in named):
                first = caption.words[mention.first]
                yield [
                    replace(caption, (mention.first, mention.first + 1), f"{color} {first.lower}")
                ]


@cache
def _of_any_color() -> set[str]:
    return {nouns()[name].key for name in _OF_ANY_COLOR}


def add_object(caption: Caption) -> Iterator[list[Edit]]:
    """Add a thing that no caption of the image names (SugarCrepe's add-obj)."""
    named = {mention.noun.key for mention in caption.mentions}
    for mention in caption.mentions:
        if mention.modifies or not _ends_phrase(caption, mention):
            continue
        word = caption.words[mention.head]
        before = before_phrase(caption, mention.first)
        # What is on a street or in a bag is not on a street and an elephant.
        joint = "and" if before in _ACCOMPANYING or before.endswith("ing") else "near"
        for name in _ADDED:
            if nouns()[name].key not in named:
                text = f"{word.text} {joint} {article(name)} {name}"
                yield [(word.start, word.end, text)]


def _ends_phrase(caption: Caption, mention: Mention) -> bool:
    """Whether "and a …" can follow: "a …" after a preposition or verb, and then a break."""
    if caption.lower(mention.stop) in ("of", "and", ",", "'s") or mention.is_plural:
        return False
    first = mention.first
    while caption.tag(first - 1).startswith(("JJ", "NN", "VBN")):
        first -= 1
    if caption.lower(first - 1) not in ("a", "an"):
        return False
    if not caption.tag(first - 2).startswith(("IN", "VBG", "VBZ")):
        return False
    follower = caption.lower(mention.stop)
    return not follower or bool(re.fullmatch(r"[.,!]|on|in|at|while|outside", follower))
