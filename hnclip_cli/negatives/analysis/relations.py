"""Whether what stands between two things has a direction."""

from hnclip_cli.language.caption import Caption, Word

BEING = {"is", "are", "was", "were", "be", "being", "been", "'s"}
_ENDS = {"left", "right", "front", "top", "out", "inside", "outside", "side"}
# Where in the image something is: "a cat on the left and a dog on the right".
SIDES = {"left", "right", "top", "bottom", "foreground", "background", "front", "back"}


def is_resting(caption: Caption, word: str) -> bool:
    """Whether a verb says where something is, not what it does: people and things do it alike."""
    return word in BEING or word in caption.lexicon.words["resting"]


def order_matters(caption: Caption, first: int, stop: int) -> bool:
    """Whether exchanging what stands before and after words [first, stop) changes the meaning."""
    between = [word for word in caption.words[first:stop] if word.text.strip()]
    if not between:
        return False
    words = caption.lexicon.words
    lowers = [word.lower for word in between]
    has_noun = any(
        word.is_noun and word.lower not in words["directed"] and word.lower != "side"
        for word in between
    )
    if (lowers[0] in {"and", "or", ",", "&", ";", "/"} and not has_noun) or "other" in lowers:
        return False
    if lowers[-1] in words["mutual"] and not ends_directed(lowers):
        has_place = any(word.is_noun and word.lower in SIDES | {"side"} for word in between)
        return has_place and lowers[-1] in {"and", ",", "while"}
    return may_matter(caption, first, stop)


def may_matter(caption: Caption, first: int, stop: int) -> bool:
    """Whether `order_matters` can hold up to any word before ``stop``: never too strict."""
    directed = caption.lexicon.words["directed"]
    return any(word.lower in directed or _acts(caption, word) for word in caption.words[first:stop])


def ends_directed(lowers: list[str]) -> bool:
    """Whether the words end in a directed relation of several words, as "to the left of"."""
    return lowers[-1] == "of" and len(lowers) > 1 and lowers[-2] in _ENDS


def _acts(caption: Caption, word: Word) -> bool:
    """Whether this is a verb, of something that is not done together."""
    words = caption.lexicon.words
    return (
        word.tag.startswith("VB")
        and not is_resting(caption, word.lower)
        and word.lower not in words["mutual verb"]
        and not word.lower.startswith(caption.lexicon.word_lists["mutual beginning"])
    )
