"""Which words of a negative are not those of its caption."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable

from hnclip_cli.streams.edits import Edit, apply_edits

# A word or a mark with the space before it; space at the end.
_WORD = re.compile(r"\s*(?:\w+(?:['’-]\w+)*|[^\w\s])|\s+")

ALIKE = 0.4  # share of words in common
MAX_CHANGES = 4  # places
MAX_SWAPS = 2  # places where the same words stand in another order
MAX_EQUAL = 4_000  # pairs of equal words, whose number squared is what finding changes takes

KEPT, GONE, NEW = 0, -1, 1
Parts = list[tuple[int, str]]


def changes(caption: str, negative: str, edits: Iterable[Edit] | None = None) -> str | Parts:
    """A negative in parts: what it keeps of the caption, what is gone, what is new.

    All parts but those that are gone, one after the other, are the negative.

    Where its edits are known, words are compared within each. Plain text comes where marks would
    only confuse: it shares little, or it is the caption shuffled; and where finding them would
    take too long, as it says the same words again and again.
    """
    spans: Iterable[Edit] = [(0, len(caption), negative)]
    if edits and _leads_to(negative, caption, edits):
        spans = sorted(edits)
    old, new = (_words(text) for text in (caption, negative))
    before, after = Counter(old), Counter(new)
    if sum(before[word] * count for word, count in after.items()) > MAX_EQUAL:
        return negative
    parts: Parts = []
    position = num_places = 0
    for start, end, replacement in spans:
        inside, count = _compared(caption[start:end], replacement)
        parts += [(KEPT, caption[position:start]), *inside]
        position, num_places = end, num_places + count
    parts = [part for part in [*parts, (KEPT, caption[position:])] if part[1]]
    num_kept = sum(len(_words(text)) for mark, text in parts if mark == KEPT)
    most = MAX_SWAPS if before == after else MAX_CHANGES
    if 2 * num_kept < ALIKE * (len(old) + len(new)) or num_places > most:
        return negative
    return parts


def _compared(old_text: str, new_text: str) -> tuple[Parts, int]:
    """The parts of one text beside another, and at how many places they differ."""
    old, new = _WORD.findall(old_text), _WORD.findall(new_text)
    old_words, new_words = ([word.strip() for word in text] for text in (old, new))
    matcher = difflib.SequenceMatcher(None, old_words, new_words, autojunk=False)
    parts: Parts = []
    steps = matcher.get_opcodes()
    for name, start, stop, first, last in steps:
        if name == "equal":
            parts.append((KEPT, "".join(new[first:last])))
            continue
        parts += [(GONE, "".join(old[start:stop])), (NEW, "".join(new[first:last]))]
    return parts, sum(name != "equal" for name, *_ in steps)


def _leads_to(negative: str, caption: str, edits: Iterable[Edit]) -> bool:
    try:
        return apply_edits(caption, edits) == negative
    except (ValueError, TypeError):  # of other hands
        return False


def _words(text: str) -> list[str]:
    return [word for found in _WORD.findall(text) if (word := found.strip())]
