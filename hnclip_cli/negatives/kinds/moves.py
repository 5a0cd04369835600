"""The kind that says of one thing what the caption says of another."""

from collections.abc import Iterator

from hnclip_cli.language.caption import Caption
from hnclip_cli.language.links import MODIFIER, Unit, phrases
from hnclip_cli.negatives.analysis.attributes import Modifier, attributes
from hnclip_cli.negatives.analysis.nouns import Mention, mentions
from hnclip_cli.negatives.analysis.rewriting import replace
from hnclip_cli.streams.edits import Edit

# A color that so many things of a sort have may be that of this one, though it is not said.
_TYPICAL = 0.15
_BESIDE = ("CC", ",", "RB", "HYPH", "JJ")


def move_attribute(caption: Caption) -> Iterator[list[Edit]]:
    """Move a color to a thing without one: "a black cat on a couch", "a cat on a black couch".

    As SugarCrepe's swapped attributes, but one thing has none.
    """
    for modifier in attributes(caption):
        if not _is_alone(caption, modifier):
            continue
        color = caption.lower(modifier.first)
        for mention in mentions(caption):
            if _is_of(caption, modifier, mention):
                continue
            if _may_have(caption, mention, color) and modifier.fits(caption, mention.head):
                after, name = caption.lower(modifier.stop), caption.lower(mention.first)
                yield [
                    replace(caption, (modifier.first, modifier.stop + 1), after),
                    replace(caption, (mention.first, mention.first + 1), f"{color} {name}"),
                ]


def _is_alone(caption: Caption, modifier: Modifier) -> bool:
    """Whether a color stands alone before the name of a thing that is named once."""
    is_color = {name for name, _ in modifier.looks} == {"color"}
    return (
        is_color
        and modifier.stop == modifier.first + 1
        and caption.tag(modifier.stop).startswith("NN")
        and not caption.tag(modifier.first - 1).startswith(_BESIDE)
        and caption.lower(modifier.noun) not in caption.resumed
    )


def _is_of(caption: Caption, modifier: Modifier, mention: Mention) -> bool:
    """Whether one thing is said to be of another: a silhouette of a horse has its color."""
    between = caption.words[modifier.noun + 1 : mention.first]
    return bool(between) and between[0].lower == "of"


def _may_have(caption: Caption, mention: Mention, color: str) -> bool:
    """Whether captions speak of such a thing in this color, and this one says nothing of it."""
    phrase = phrases(caption).get(mention.stop)
    if phrase is None or not _is_bare(phrase, mention) or mention.noun.is_human:
        return False
    if mention.modifies or caption.lower(mention.head) in caption.resumed:
        return False
    known, word = caption.lexicon.attributes, caption.lower(mention.head)
    if known.looks[color] not in known.color_range(mention.noun, word)[0]:
        return False
    if word in caption.lexicon.words["never colored"] or mention.noun.family.place:
        return False
    gaps = caption.gaps
    if gaps is None:
        return True
    share = gaps.usage.share(MODIFIER, phrase.lemma, color, known.looks)
    return 0 < share < _TYPICAL


def _is_bare(phrase: Unit, mention: Mention) -> bool:
    """Whether nothing but a determiner stands before a name."""
    return (
        phrase.name == mention.first
        and not phrase.modifiers
        and not phrase.compounds
        and bool(phrase.determiner)
    )
