"""Kinds that add something: a negation, an attribute, a thing."""

import re
from collections.abc import Iterator

from hnclip_cli.language.caption import Caption, Word
from hnclip_cli.lexicon.spelling import article, cased_like
from hnclip_cli.negatives.analysis.attributes import named_looks
from hnclip_cli.negatives.analysis.nouns import (
    Mention,
    before_phrase,
    mentions,
    named_things,
    noun_at,
)
from hnclip_cli.negatives.analysis.rewriting import replace
from hnclip_cli.negatives.analysis.scope import denied
from hnclip_cli.streams.edits import Edit

_ACCOMPANYING = {"to", "beside", "near", "by", "behind", "and"}
_BEING = {"is", "are", "was", "were"}
_DENIED = {"on", "in", "under", "behind", "near", "next", "beside", "inside"}
# Of these there may be none; the longest first.
_SOME = (
    *(("a", "lot", "of"), ("a", "couple", "of"), ("lots", "of"), ("plenty", "of"), ("a", "few")),
    *(("a",), ("an",), ("some",), ("several",), ("many",), ("multiple",), ("numerous",)),
    *(("various",), ("one",), ("1",)),
)


def negate(caption: Caption) -> Iterator[list[Edit]]:
    """Deny an action, a place or a thing: "not", "no", "without" (CoN-CLIP, by rules)."""
    if denied(caption) or caption.lowers & {"empty", "?"}:
        return
    for index, word in enumerate(caption.words):
        if not caption.is_plain(index):
            continue
        after = caption.lower(index + 1)
        # Who plays with a ball may play without one; what is covered with snow is not without it.
        if word.lower == "with" and after in ("a", "an"):
            if caption.tag(index - 1).startswith(("NN", "PRP", "VBG")):
                yield [replace(caption, (index, index + 2), f"without {after}")]
        elif word.lower in _BEING and caption.lower(index - 1) == "there":
            stop = _some_stop(caption, index + 1)
            if stop:
                yield [replace(caption, (index, stop), f"{word.lower} no")]
        elif word.lower in _BEING and caption.tag(index + 1).startswith(("VBG", "JJ", "IN", "VBN")):
            yield [replace(caption, (index, index + 1), f"{word.lower} not")]
        elif _is_denied(caption, index):
            yield [(word.start, word.end, _before(caption, "not", word))]


def add_attribute(caption: Caption) -> Iterator[list[Edit]]:
    """Give a thing without attributes a color that such things never have."""
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
                word = caption.words[mention.first]
                yield [(word.start, word.end, _before(caption, color, word))]


def add_object(caption: Caption) -> Iterator[list[Edit]]:
    """Add a thing that no caption of the image names (SugarCrepe's add-obj)."""
    named = named_things(caption)
    for mention in mentions(caption):
        if mention.modifies or not _ends_phrase(caption, mention):
            continue
        word = caption.words[mention.head]
        before = before_phrase(caption, mention.first)
        # What is on a street is not on a street and an elephant, nor does one read both.
        joint = "and" if before in _ACCOMPANYING else "near"
        for noun in caption.lexicon.nouns.classes["added"].nouns:
            if noun.key not in named:
                added = f"{joint} {article(noun.singular)} {noun.singular}"
                if caption.text.isupper():
                    added = added.upper()
                yield [(word.start, word.end, f"{word.text} {added}")]


def _some_stop(caption: Caption, index: int) -> int:
    """The word behind those that say that there is some of a thing; 0 where none do.

    "The" says so of one thing, and several pages may be no two pages.
    """
    if caption.lower(index) in caption.lexicon.numbers.values:
        return index + 1
    for words in _SOME:
        if all(caption.lower(index + place) == word for place, word in enumerate(words)):
            return index + len(words)
    return index if caption.tag(index) in ("NNS", "JJ") else 0


def _before(caption: Caption, added: str, word: Word) -> str:
    """A word with another one before it, in its case where that is one of all words."""
    text = word.text
    if caption.is_capitalized and text[0].isupper():
        added = cased_like(added, text if len(text) > 1 else text * 2)
    return f"{added} {text}"


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
