"""What is known to be true of an image, so that no negative says it."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

from hnclip_cli.errors import InputError
from hnclip_cli.lexicon import Lexicon, load_lexicon
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import as_records, hash64

_MARKS = re.compile(r"[\W_]+")
_ASCII_MARKS = bytes(code for code in range(128) if not chr(code).isalnum())


def normalized(caption: str) -> str:
    """A caption without case, spacing and punctuation; marks alone stay as they are."""
    folded = caption.casefold()
    if folded.isascii():  # the same, three times as fast
        letters = folded.encode().translate(None, _ASCII_MARKS).decode()
    else:
        letters = _MARKS.sub("", folded)
    return letters or folded.strip()


def facts(caption: str, lexicon: Lexicon) -> set[str]:
    """The things, colors and actions that a caption names, whichever synonym it uses."""
    looks, actions = lexicon.attributes.looks, lexicon.verbs.actions
    words = re.findall(r"[a-z]+", caption.lower())
    found = {looks[word] for word in words if word in looks}
    found |= {actions[word] for word in words if word in actions}
    names = lexicon.nouns.by_first_word
    for first, word in enumerate(words):
        for others, noun in names.get(word, ()):
            if not others or tuple(words[first + 1 : first + 1 + len(others)]) == others:
                found.add(noun.key)
    return found


class TrueCaptions:
    """The true captions of every group, and the things, colors and actions that they name.

    Kept as 64-bit hashes, 8 bytes each.

    Args:
        records: short records, or matching items whose ``captions`` are all true.
        policy: what to do with a bad record; by default it is an error.
        lexicon: what there is to be named; by default the built-in one.
    """

    def __init__(
        self,
        records: Iterable[Mapping[str, Any]] = (),
        policy: ErrorPolicy | None = None,
        lexicon: Lexicon | None = None,
    ) -> None:
        lexicon = lexicon or load_lexicon()
        self._hashes = array("Q")
        for record in as_records(records):
            try:
                group, captions = record.group, record.caption_list
            except InputError as error:
                (policy or ErrorPolicy()).bad(error)
                continue
            for caption in captions:
                self._hashes.append(hash64("caption", group, normalized(caption)))
                self._hashes.extend(hash64("fact", group, fact) for fact in facts(caption, lexicon))
        self._hashes = array("Q", sorted(self._hashes))

    def has(self, group: str, caption: str) -> bool:
        """Whether the group has this caption, up to case, spacing and punctuation."""
        return self._holds(hash64("caption", group, normalized(caption)))

    def names(self, group: str, fact: str) -> bool:
        """Whether some caption of the group names this thing, color or action."""
        return self._holds(hash64("fact", group, fact))

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def _holds(self, key: int) -> bool:
        place = bisect_left(self._hashes, key)
        return place < len(self._hashes) and self._hashes[place] == key
