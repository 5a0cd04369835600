"""What somebody else's negative changes of a caption, as exact edits on word borders."""

import re
from difflib import SequenceMatcher

from hnclip_cli.streams.edits import Edit

# A word with its apostrophes, a run of spaces, or one mark.
_PIECE = re.compile(r"\w+(?:['’]\w+)*|\s+|[^\w\s]")

# Between two changes this far from the ends, word by word would take too long.
MAX_PIECES = 400


def edits_between(caption: str, negative: str) -> list[Edit]:
    """The edits, word by word, that turn a caption into a negative; none where they are equal.

    ``apply_edits(caption, edits_between(caption, negative)) == negative`` for all texts. Where
    the texts differ over more than `MAX_PIECES` words, one edit covers it all.
    """
    old, new = _PIECE.findall(caption), _PIECE.findall(negative)
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    start = sum(map(len, old[:first]))
    old, new = old[first : len(old) - last], new[first : len(new) - last]
    if not old and not new:
        return []
    if max(len(old), len(new)) > MAX_PIECES:
        return [(start, start + sum(map(len, old)), "".join(new))]
    edits = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        length = sum(map(len, old[i:j]))
        if tag != "equal":
            edits.append((start, start + length, "".join(new[k:m])))
        start += length
    return edits
