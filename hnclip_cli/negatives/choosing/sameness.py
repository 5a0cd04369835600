"""Whether other words in another order say the same."""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import chain, filterfalse, groupby

from hnclip_cli.lexicon import Lexicon

_WORD_OR_PAUSE = re.compile(r"[^\W_]+|[,;.&]")
_PAUSES = {"and", ",", ";", ".", "&"}
# Around these it does not matter which thing is named first: "A near B" is "B near A".
_MUTUAL = {"near", "nearby", "beside", "alongside", "by", "with"}
_ARTICLES = {"a", "an", "the"}
_NO_CONTENT = _PAUSES | _ARTICLES
# "On a bench a man sits" is "a man sits on a bench".
_MOVABLE = {
    *("on", "in", "at", "near", "under", "behind", "over", "across", "beside", "along", "while"),
    *("inside", "outside", "with", "by", "next", "during", "through", "against", "around", "above"),
}


def content_words(text: str) -> list[str]:
    """The words without articles and pauses, in alphabetic order."""
    words = _WORD_OR_PAUSE.findall(text.casefold())
    return sorted(filterfalse(_NO_CONTENT.__contains__, words))


class Saying:
    """What a caption says, whatever the order of what may stand in any order.

    Conjuncts and the things around "near" may trade places, as may attributes of one thing; a place
    may be named first or last.
    """

    def __init__(self, caption: str, lexicon: Lexicon) -> None:
        self._attributes = lexicon.attributes.describing | lexicon.attributes.sizes.keys()
        self._words = self._in_order(caption)

    def is_said_by(self, text: str) -> bool:
        words = self._in_order(text)
        return (
            _parts(words) == self._parts
            or _around_joints(words) == self._around_joints
            or " ".join(words) in self._rotations
        )

    def _in_order(self, text: str) -> list[str]:
        """The words without articles, attributes that follow each other in alphabetic order."""
        words = _WORD_OR_PAUSE.findall(" ".join(text.casefold().replace("next to", "near").split()))
        kept = filterfalse(_ARTICLES.__contains__, words)
        runs = groupby(kept, self._attributes.__contains__)
        return list(chain.from_iterable(sorted(run) if are else run for are, run in runs))

    @cached_property
    def _parts(self) -> list[list[str]]:
        return _parts(self._words)

    @cached_property
    def _around_joints(self) -> list[str]:
        return _around_joints(self._words)

    @cached_property
    def _rotations(self) -> set[str]:
        """The caption with a place moved to its other end."""
        words = list(filterfalse(_PAUSES.__contains__, self._words))
        starts_so = bool(words) and words[0] in _MOVABLE
        return {
            " ".join(words[place:] + words[:place])
            for place, word in enumerate(words)
            if starts_so or word in _MOVABLE
        }


def _parts(words: Sequence[str]) -> list[list[str]]:
    """The conjuncts in alphabetic order."""
    pieces = groupby(words, lambda word: word in _PAUSES or word in _MUTUAL)
    return sorted(list(part) for is_joint, part in pieces if not is_joint)


def _around_joints(words: Sequence[str]) -> list[str]:
    """The words, those beside each "and" in alphabetic order: "man and woman dance"."""
    found = list(words)
    for place in range(1, len(found) - 1):
        if found[place] in ("and", "&"):
            found[place - 1], found[place + 1] = sorted((found[place - 1], found[place + 1]))
    return found
