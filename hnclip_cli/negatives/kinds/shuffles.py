"""Kinds that only change the order of words: ARO's four perturbations, and n-grams.

All words stay, so only their order tells the caption from the negative; they are seldom
grammatical. Marks stay where they are, as spaces do: a comma that moved would glue two words.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from hashlib import shake_128

from hnclip_cli.language.caption import Caption, Word, is_readable, once
from hnclip_cli.streams.edits import Edit

# Where a word stands, and what it is.
_Piece = tuple[int, int, str]

# What stands between spaces, without the marks at its ends. Whole words in any script, so that no
# letter loses its accents; "10:30" and "3.5" are one.
_MARKS = r".,;:!?\"“”()\[\]"
_PIECE = re.compile(rf"[^\s{_MARKS}]+(?:[{_MARKS}][^\s{_MARKS}]+)*")
_GLUE = re.compile(rf"[^\s{_MARKS}]")
# Orders that are proposed of one caption.
_NUM_ORDERS = 8
_DESCRIBING = ("NN", "JJ")


def shuffle_words(caption: Caption) -> Iterator[list[Edit]]:
    """All words in another order."""
    yield from _blocks(caption, 1)


def shuffle_bigrams(caption: Caption) -> Iterator[list[Edit]]:
    """Blocks of two words in another order (FSC-CLIP)."""
    yield from _blocks(caption, 2)


def shuffle_trigrams(caption: Caption) -> Iterator[list[Edit]]:
    """Blocks of three words in another order (ARO's shuffled trigrams)."""
    yield from _blocks(caption, 3)


def shuffle_within_trigrams(caption: Caption) -> Iterator[list[Edit]]:
    """The words of each block of three in another order, the blocks in place (ARO)."""
    pieces = _pieces(caption)
    for order in _orders(caption, "within", len(pieces)):
        # A stable sort by blocks leaves the drawn order within each.
        yield from _reordered(pieces, sorted(order, key=lambda number: number // 3))


def shuffle_nouns_and_adjectives(caption: Caption) -> Iterator[list[Edit]]:
    """Nouns and adjectives in another order, all else in place (ARO)."""
    yield from _permuted(caption, described=True)


def shuffle_other_words(caption: Caption) -> Iterator[list[Edit]]:
    """All but nouns and adjectives in another order (ARO)."""
    yield from _permuted(caption, described=False)


@once
def _pieces(caption: Caption) -> list[_Piece]:
    """The words, without the marks between them, and without dashes and the like at the end."""
    if not is_readable(caption.text):
        return []
    pieces = [(*found.span(), found[0]) for found in _PIECE.finditer(caption.text)]
    if caption.protected:
        pieces = [piece for piece in pieces if not caption.protects([piece])]
    while pieces and not any(map(str.isalnum, pieces[-1][2])):
        pieces.pop()
    return pieces


def _blocks(caption: Caption, size: int) -> Iterator[list[Edit]]:
    pieces = _pieces(caption)
    blocks = [range(len(pieces))[first : first + size] for first in range(0, len(pieces), size)]
    for order in _orders(caption, f"blocks of {size}", len(blocks)):
        yield from _reordered(pieces, [number for block in order for number in blocks[block]])


def _permuted(caption: Caption, described: bool) -> Iterator[list[Edit]]:
    pieces = [
        (word.start, word.end, word.text)
        for word in caption.words
        if word.tag.startswith(_DESCRIBING) == described and _is_movable(caption, word)
    ]
    for order in _orders(caption, "places", len(pieces)):
        yield from _reordered(pieces, order)


def _is_movable(caption: Caption, word: Word) -> bool:
    """Whether this is a word that may change, and no part of one: not the "n't" of "isn't"."""
    if caption.protects([(word.start, word.end, "")]):
        return False
    around = caption.text[max(0, word.start - 1) : word.start] + caption.text[word.end :][:1]
    return any(map(str.isalnum, word.text)) and _GLUE.search(around) is None


def _orders(caption: Caption, purpose: str, count: int) -> Iterator[list[int]]:
    """The numbers below ``count`` in orders that the caption's own draw decides."""
    for number in range(_NUM_ORDERS if count > 1 else 0):
        drawn = shake_128(caption.draw + f"{purpose} {number}".encode()).digest(4 * count)
        keys = struct.unpack(f"<{count}I", drawn)
        yield sorted(range(count), key=keys.__getitem__)


def _reordered(pieces: Sequence[_Piece], order: Sequence[int]) -> Iterator[list[Edit]]:
    edits = [
        (start, end, pieces[number][2])
        for (start, end, text), number in zip(pieces, order, strict=True)
        if text != pieces[number][2]
    ]
    if edits:
        yield edits
