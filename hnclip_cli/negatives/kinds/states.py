"""Kinds that deny an attribute: another color, size or material, or the opposite state."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from hnclip_cli.language.caption import Caption
from hnclip_cli.negatives.analysis.attributes import (
    colors,
    described,
    may_have_size,
    named_looks,
    sizes,
)
from hnclip_cli.negatives.analysis.nouns import known_head, noun_at
from hnclip_cli.negatives.analysis.rewriting import replace
from hnclip_cli.negatives.analysis.scope import denied
from hnclip_cli.streams.edits import Edit

_UNSTABLE_AFTER = {"not", "well", "too", "so", "half", "and", "brand"}
_ON_SNOW = ("ski", "snowboard", "sled", "snowshoe")
_UNSTABLE_BEFORE = {"and", "fashioned", "looking", "style", "covered"}


def replace_color(caption: Caption) -> Iterator[list[Edit]]:
    """Give a thing a color that it does not have and the caption does not name."""
    found = colors(caption)
    if not found:
        return
    known, shades = caption.lexicon.attributes, caption.lexicon.words["shade"]
    named = named_looks(caption)
    for modifier in found:
        head = caption.lower(modifier.noun)
        if head in caption.resumed:
            continue
        looks = known.color_range(known_head(caption, modifier.noun), head)[0]
        for index in range(modifier.first, modifier.stop):
            if caption.lower(index) not in known.looks:
                continue
            # There is navy blue and lime green, but nothing is navy red.
            is_shaded = index > modifier.first and caption.lower(index - 1) in shades
            for look in looks:
                if not any(known.near(look, other) for other in named):
                    yield [replace(caption, (index - is_shaded, index + 1), look)]


def replace_size(caption: Caption) -> Iterator[list[Edit]]:
    """Turn small to large, tall to short, wide to narrow, and back."""
    known = caption.lexicon.attributes
    if known.opposites.keys().isdisjoint(caption.lowers):
        return
    for modifier in sizes(caption):
        noun, word = known_head(caption, modifier.noun), caption.lower(modifier.first)
        is_of_age = word == "little" and noun is not None and noun.is_human
        is_resumed = caption.lower(modifier.noun) in caption.resumed
        if word in known.opposites and not is_resumed and not is_of_age:
            yield _opposite(caption, modifier.first)
    others = known.opposites.keys() - known.sizes.keys()
    for index, head in described(caption, others, ("JJ",)):
        if may_have_size(caption, index, head):
            yield _opposite(caption, index)


def replace_state(caption: Caption) -> Iterator[list[Edit]]:
    """Say the opposite of a state: open/closed, wet/dry, empty/full (SVLC's state words)."""
    states = caption.lexicon.attributes.states
    if states.keys().isdisjoint(caption.lowers):
        return
    for index, head in _attributes(caption, states.keys()):
        word, noun = caption.lower(head), noun_at(caption, head)
        if word in caption.resumed:
            continue
        if caption.lower(index) == "empty" and denied(caption):  # "with not a single car"
            continue
        if caption.lower(index) == "snowy" and any(
            one.startswith(_ON_SNOW) for one in caption.lowers
        ):
            continue
        if caption.lower(index) == "lush" and "green" in caption.lowers:
            continue
        for state in states[caption.lower(index)]:
            if state.is_said_of(noun, word):
                for text in state.instead:
                    if text not in caption.lowers:
                        yield [replace(caption, (index, index + 1), text)]
                break


def replace_material(caption: Caption) -> Iterator[list[Edit]]:
    """Say that a thing is made of something else (SVLC's material words)."""
    known = caption.lexicon.attributes
    if known.materials.keys().isdisjoint(caption.lowers):
        return
    named = {known.materials[word] for word in caption.lowers if word in known.materials}
    for index, head in _attributes(caption, known.materials.keys()):
        if caption.lower(index - 1) in ("stainless", "wrought", "cast"):
            continue
        materials = known.made_of.get(caption.lower(head))
        if materials is None:
            materials = known.made_of.get("any", ())
            if known.materials[caption.lower(index)] not in materials:
                continue
        for text in materials:
            if text not in named:
                yield [replace(caption, (index, index + 1), text)]


def _opposite(caption: Caption, index: int) -> list[Edit]:
    text = caption.lexicon.attributes.opposites[caption.lower(index)]
    return [replace(caption, (index, index + 1), text)]


def _attributes(caption: Caption, words: AbstractSet[str]) -> Iterator[tuple[int, int]]:
    """Where such words are attributes by themselves, each with the noun that it describes."""
    for index, noun in described(caption, words, ("JJ", "NN", "VBN", "VBD", "FW")):
        after, before = caption.lower(index + 1), caption.lower(index - 1)
        if before not in _UNSTABLE_AFTER and after not in _UNSTABLE_BEFORE:
            yield index, noun
