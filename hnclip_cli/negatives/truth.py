"""What is known to be true of an image, so that no negative says it."""

import hashlib
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache

from hnclip_cli.errors import InputError
from hnclip_cli.negatives.attributes import COLOR_LOOK
from hnclip_cli.negatives.inflection import actions
from hnclip_cli.negatives.lexicon import nouns
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record

_MARKS = re.compile(r"[\W_]+")


def normalized(caption: str) -> str:
    """A caption without case, spacing and punctuation; marks alone stay as they are."""
    letters = _MARKS.sub("", caption.casefold())
    return letters or caption.casefold().strip()


def parts(caption: str) -> list[str]:
    """The conjuncts of a caption in alphabetic order: "A and B" says what "B and A" says."""
    pieces = re.split(r"\band\b|[,;.&]", caption.casefold())
    words = (re.sub(r"\b(?:an?|the)\b", " ", piece) for piece in pieces)
    return sorted(filter(None, (" ".join(piece.split()) for piece in words)))


def facts(caption: str) -> set[str]:
    """The things, colors and actions that a caption names, whichever synonym it uses."""
    words = re.findall(r"[a-z]+", caption.lower())
    found = {COLOR_LOOK[word] for word in words if word in COLOR_LOOK}
    found |= {actions()[word] for word in words if word in actions()}
    for first, word in enumerate(words):
        for length in _lengths().get(word, ()):
            noun = nouns().get(" ".join(words[first : first + length]))
            if noun:
                found.add(noun.key)
    return found


@cache
def _lengths() -> dict[str, list[int]]:
    """How many words the nouns have that begin with a word."""
    found: dict[str, list[int]] = {}
    for form in nouns():
        words = form.split(" ")
        lengths = found.setdefault(words[0], [])
        if len(words) not in lengths:
            lengths.append(len(words))
    return found


class TrueCaptions:
    """The true captions of every group, kept as 64-bit hashes: 8 bytes each.

    Holds a hash of each whole caption, and one of each thing, color and action named for
    the group.

    Args:
        records: short records, or matching items whose ``captions`` are all true.
        policy: what a bad record does.
    """

    def __init__(self, records: Iterable[Record] = (), policy: ErrorPolicy | None = None) -> None:
        self._hashes = array("Q")
        for record in records:
            try:
                group, captions = record.group, record.caption_list
            except InputError as error:
                (policy or ErrorPolicy()).bad(error)
                continue
            for caption in captions:
                self._hashes.append(_hash("caption", group, normalized(caption)))
                self._hashes.extend(_hash("fact", group, fact) for fact in facts(caption))
        self._hashes = array("Q", sorted(self._hashes))

    def has(self, group: str, caption: str) -> bool:
        """Whether the group has this caption, up to case, spacing and punctuation."""
        return self._holds(_hash("caption", group, normalized(caption)))

    def names(self, group: str, fact: str) -> bool:
        """Whether some caption of the group names this thing, color or action."""
        return self._holds(_hash("fact", group, fact))

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def _holds(self, key: int) -> bool:
        place = bisect_left(self._hashes, key)
        return place < len(self._hashes) and self._hashes[place] == key


def _hash(*parts: str) -> int:
    data = "\0".join(parts).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
