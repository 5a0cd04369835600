"""Kinds that add something: a negation, an attribute, a thing."""

import re
from collections.abc import Iterator

from hnclip_cli.language.caption import Caption
from hnclip_cli.lexicon.spelling import article
from hnclip_cli.negatives.analysis.attributes import named_looks
from hnclip_cli.negatives.analysis.nouns import (
    Mention,
    before_phrase,
    mentions,
    named_things,
    noun_at,
)
from hnclip_cli.negatives.analysis.rewriting import replace
from hnclip_cli.streams.edits import Edit

_ACCOMPANYING = {"with", "to", "beside", "near", "by", "has", "holds", "behind", "and"}
_BEING = {"is", "are", "was", "were"}
_DENIED = {"on", "in", "under", "behind", "near", "next", "beside", "inside", "at"}
_NEGATIVE = {"not", "no", "without", "n't", "never", "nothing", "none", "empty"}


def negate(caption: Caption) -> Iterator[list[Edit]]:
    """Deny an action, a place or a thing: "not", "no", "without" (CoN-CLIP, by rules)."""
    if caption.lowers & _NEGATIVE:
        return
    for index, word in enumerate(caption.words):
        if not caption.is_plain(index):
            continue
        after = caption.lower(index + 1)
        if word.lower == "with" and after in ("a", "an"):
            yield [replace(caption, (index, index + 2), f"without {after}")]
        elif word.lower in _BEING and caption.lower(index - 1) == "there":
            stop = index + 2 if after in ("a", "an", "some") else index + 1
            yield [replace(caption, (index, stop), f"{word.lower} no")]
        elif word.lower in _BEING and caption.tag(index + 1).startswith(("VBG", "JJ", "IN", "VBN")):
            yield [replace(caption, (index, index + 1), f"{word.lower} not")]
        elif _is_denied(caption, index):
            yield [replace(caption, (index, index + 1), f"not {word.lower}")]


def add_attribute(caption: Caption) -> Iterator[list[Edit]]:
    """Give a thing without attributes a color that its like never has (SugarCrepe's add-att)."""
    known = caption.lexicon.attributes
    of_any_color = caption.lexicon.nouns.classes["of any color"]
    named = named_looks(caption)
    for mention in mentions(caption):
        first = caption.lower(mention.first)
        if mention.modifies or mention.is_modified or first in known.looks:
            continue
        before = caption.lower(mention.first - 1)
        if before not in ("a", "an", "the", "two", "three", "his", "her"):
            continue
        if of_any_color.holds(mention.noun):
            continue
        for color in known.color_range(mention.noun, "")[1]:
            if not any(known.near(color, other) for other in named):
                yield [replace(caption, (mention.first, mention.first + 1), f"{color} {first}")]


def add_object(caption: Caption) -> Iterator[list[Edit]]:
    """Add a thing that no caption of the image names (SugarCrepe's add-obj)."""
    named = named_things(caption)
    for mention in mentions(caption):
        if mention.modifies or not _ends_phrase(caption, mention):
            continue
        word = caption.words[mention.head]
        before = before_phrase(caption, mention.first)
        # What is on a street or in a bag is not on a street and an elephant.
        joint = "and" if before in _ACCOMPANYING or before.endswith("ing") else "near"
        for noun in caption.lexicon.nouns.classes["added"].nouns:
            if noun.key not in named:
                text = f"{word.text} {joint} {article(noun.singular)} {noun.singular}"
                yield [(word.start, word.end, text)]


def _is_denied(caption: Caption, index: int) -> bool:
    """Whether "not" fits before this word: a participle or a place right after its noun."""
    if not caption.tag(index - 1).startswith(("NN", "PRP")) or index == 0:
        return False
    word = caption.words[index]
    if word.tag == "VBG":
        return word.lower.endswith("ing") and noun_at(caption, index) is None
    return word.lower in _DENIED and caption.lower(index + 1) in ("a", "an", "the", "to", "top")


def _ends_phrase(caption: Caption, mention: Mention) -> bool:
    """Whether "and a …" can follow: "a …" after a preposition or verb, and then a break."""
    first = caption.run_start(mention.first, ("JJ", "NN", "VBN"))
    follower = caption.lower(mention.stop)
    return (
        not mention.is_plural
        and caption.lower(first - 1) in ("a", "an")
        and caption.tag(first - 2).startswith(("IN", "VBG", "VBZ"))
        and re.fullmatch(r"[.!]?|on|in|at|while|outside", follower) is not None
    )
