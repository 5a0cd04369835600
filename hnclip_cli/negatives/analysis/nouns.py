"""The nouns that a caption names, and where their phrases begin."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hnclip_cli.language.caption import Caption, Word, once
from hnclip_cli.lexicon.nouns import Noun

# "a heart shaped cake" names no heart.
_COMPOUNDING = {"shaped", "legged", "like", "sized", "style", "colored", "themed", "covered"}
_FILLERS = ("DT", "JJ", "CD", "PRP$", "VBN", "RB")


class Mention(NamedTuple):
    """A noun of the lexicon in a caption, words [first, stop)."""

    first: int
    stop: int
    noun: Noun
    is_plural: bool
    modifies: bool  # another noun follows that this one only describes, as in "dog house"
    is_modified: bool  # an unknown noun stands before it in the same name, as in "key lime pie"

    @property
    def head(self) -> int:
        return self.stop - 1


@once
def mentions(caption: Caption) -> list[Mention]:
    """The known nouns, longest match first, in order; needs tags."""
    names = caption.lexicon.nouns.by_first_word
    found: list[Mention] = []
    stop = 0
    for index, word in enumerate(caption.words):
        if index >= stop and word.lower in names:
            mention = _mention_at(caption, index, names[word.lower])
            if mention:
                found.append(mention)
                stop = mention.stop
    return found


@once
def named_things(caption: Caption) -> set[str]:
    """The keys of the nouns that the caption names."""
    return {mention.noun.key for mention in mentions(caption)}


def known_head(caption: Caption, index: int) -> Noun | None:
    """The lexicon's noun at a word, also where it ends a name of several words."""
    return next((one.noun for one in mentions(caption) if one.head == index), None)


def noun_at(caption: Caption, index: int) -> Noun | None:
    """The lexicon's noun of this one word."""
    return caption.lexicon.nouns.forms.get(caption.lower(index))


def before_phrase(caption: Caption, first: int) -> str:
    """The word before a noun's article and adjectives."""
    return caption.lower(caption.run_start(first, _FILLERS) - 1)


def head_noun(caption: Caption, index: int) -> int | None:
    """The noun that a word at ``index`` in a noun phrase describes."""
    index += 1
    while caption.tag(index).startswith(("JJ", "VBN", "CC", "HYPH", "CD")) and not (
        caption.tag(index).startswith("CC") and not _is_describing(caption, index + 1)
    ):
        index += 1
    if not caption.tag(index).startswith("NN"):
        return None
    return caption.run_stop(index, ("NN",)) - 1


def _mention_at(
    caption: Caption, first: int, choices: Iterable[tuple[tuple[str, ...], Noun]]
) -> Mention | None:
    words = caption.words
    for others, noun in choices:
        stop = first + 1 + len(others)
        # Taggers err about names of several words: "hydrant" as an adjective.
        if not others:
            if not words[first].is_noun:
                continue
        elif others != tuple([word.lower for word in words[first + 1 : stop]]):
            continue
        attributes = caption.lexicon.attributes
        if caption.lower(stop) in _COMPOUNDING:
            return None
        if noun.singular in attributes.looks and caption.tag(stop).startswith(("JJ", "NN", "CC")):
            return None  # "an orange tabby cat" holds no fruit
        if caption.touches_hyphen(first, stop) or not caption.has_plain_case(stop - 1):
            return None
        return Mention(
            first,
            stop,
            noun,
            is_plural=_is_plural(noun, words[first:stop]) or _are_counted(caption, first, noun),
            modifies=_describes_next(caption, first, stop, noun),
            is_modified=caption.tag(first - 1).startswith("NN")
            and caption.lower(first - 1) not in attributes.describing,
        )
    return None


def _describes_next(caption: Caption, first: int, stop: int, noun: Noun) -> bool:
    """Whether the word behind a noun is one that it describes; taggers may take a verb for one."""
    tag, lower = caption.tag(stop), caption.lower(stop)
    if noun.is_animate and (tag.startswith("VB") or lower.endswith("ing")):
        return False  # "a man smoking"
    if noun.is_human and tag == "NNS" and not caption.tag(stop + 1).startswith(("NN", "VB")):
        determiner = caption.lower(caption.run_start(first, ("JJ", "NN")) - 1)
        return determiner not in ("a", "an", "one")  # "a man skis"
    if tag in ("VBN", "VBD") and caption.tag(stop + 1).startswith("NN"):
        return not noun.is_animate  # "a wall mounted bottle opener"
    return tag.startswith("NN") or lower in caption.lexicon.nouns.forms


def _is_plural(noun: Noun, words: Sequence[Word]) -> bool:
    if noun.singular == noun.plural:
        return words[-1].tag in ("NNS", "NNPS")
    return " ".join(word.lower for word in words) == noun.plural


def _are_counted(caption: Caption, first: int, noun: Noun) -> bool:
    """Whether animals are several that are said as one: "two giraffe", "a herd of zebra"."""
    if noun.family.nature != "animal" or not caption.is_plain(first):
        return False
    first = caption.run_start(first, ("JJ",))
    before = caption.lower(first - 1)
    if before == "of":
        return caption.lower(first - 2) in ("herd", "group", "couple", "pair")
    return caption.tag(first - 1) == "CD" and before not in ("one", "1")


def _is_describing(caption: Caption, index: int) -> bool:
    return (
        caption.tag(index).startswith("JJ")
        or caption.lower(index) in caption.lexicon.attributes.looks
    )
