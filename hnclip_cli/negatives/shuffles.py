"""Kinds that only change the order of words: ARO's four perturbations, and n-grams.

All words stay, so only their order tells the caption from the negative; they are seldom
grammatical. Marks at the end of the caption stay where they are.
"""

import hashlib
from collections.abc import Iterator, Sequence

from hnclip_cli.negatives.parsing import Caption
from hnclip_cli.streams.edits import Edit

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
    places = _places(caption)
    for number in range(_NUM_ORDERS):
        order: list[int] = []
        for first in range(0, len(places), 3):
            order += _shuffled(places[first : first + 3], caption.text, number)
        yield from _reordered(caption, places, order)


def shuffle_nouns_and_adjectives(caption: Caption) -> Iterator[list[Edit]]:
    """Nouns and adjectives in another order, all else in place (ARO)."""
    yield from _permuted(caption, [i for i in _places(caption) if _is_describing(caption, i)])


def shuffle_other_words(caption: Caption) -> Iterator[list[Edit]]:
    """All but nouns and adjectives in another order (ARO)."""
    yield from _permuted(caption, [i for i in _places(caption) if not _is_describing(caption, i)])


def _is_describing(caption: Caption, index: int) -> bool:
    return caption.tag(index).startswith(_DESCRIBING)


def _places(caption: Caption) -> list[int]:
    """The words, without spaces and without the marks that end the caption."""
    places = [index for index, word in enumerate(caption.words) if word.text.strip()]
    while places and not any(map(str.isalnum, caption.words[places[-1]].text)):
        places.pop()
    return places


def _blocks(caption: Caption, size: int) -> Iterator[list[Edit]]:
    places = _places(caption)
    blocks = [places[first : first + size] for first in range(0, len(places), size)]
    for number in range(_NUM_ORDERS):
        order = _shuffled(range(len(blocks)), caption.text, number)
        yield from _reordered(caption, places, [i for block in order for i in blocks[block]])


def _permuted(caption: Caption, places: list[int]) -> Iterator[list[Edit]]:
    for number in range(_NUM_ORDERS):
        yield from _reordered(caption, places, _shuffled(places, caption.text, number))


def _shuffled(items: Sequence[int], text: str, number: int) -> list[int]:
    """The items in the order of a hash of the caption: the same wherever it is made."""

    def key(item: int) -> bytes:
        data = f"{number}\0{item}\0{text}".encode("utf-8", "replace")
        return hashlib.blake2b(data, digest_size=8).digest()

    return sorted(items, key=key)


def _reordered(
    caption: Caption, places: Sequence[int], order: Sequence[int]
) -> Iterator[list[Edit]]:
    words = caption.words
    edits = [
        (words[place].start, words[place].end, words[source].text)
        for place, source in zip(places, order, strict=True)
        if words[place].text != words[source].text
    ]
    if edits:
        yield edits
