"""ARO's COCO-Order and Flickr30k-Order (Yuksekgonul et al. 2023, arXiv:2210.01936, section 2).

Their negatives are not published but made: each caption with its words in four other orders.
The official code draws those orders at random when it is run. Here a hash of the image's name, the
caption and the perturbation decides, so a caption has the same negatives wherever they are made.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hnclip_cli.errors import InputError
from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.benchmarks.karpathy import (
    COCO_FILES,
    FLICKR_FILES,
    caption_items,
    places,
)
from hnclip_cli.sources.benchmarks.official import Benchmark, Official

MAX_WORDS = 30  # of an option, in the official code
_BATCH = 256  # captions tagged at a time

# Words as the Penn Treebank splits them: "isn't" is "is" and "n't", "dog's" is "dog" and "'s".
_WORD = re.compile(r"\w+?(?=n't\b)|n't\b|'\w+|\w+(?:-\w+)*|[^\w\s]", re.IGNORECASE)

Tagged = Sequence[tuple[str, str]]
# Puts anything in another order.
Order = Callable[[Sequence[Any]], list[Any]]


def shuffle_nouns_and_adjectives(text: str, tagged: Tagged, order: Order) -> list[str]:
    """Nouns among themselves, adjectives among themselves, all else in place."""
    words = [word for word, _ in tagged]
    for prefix in ("NN", "JJ"):
        words = _permuted(words, [tag.startswith(prefix) for _, tag in tagged], order)
    return words


def shuffle_other_words(text: str, tagged: Tagged, order: Order) -> list[str]:
    """All but nouns and adjectives."""
    moves = [not tag.startswith(("NN", "JJ")) for _, tag in tagged]
    return _permuted([word for word, _ in tagged], moves, order)


def shuffle_within_trigrams(text: str, tagged: Tagged, order: Order) -> list[str]:
    """The words of each block of three, the blocks in place."""
    return [word for block in _trigrams(text) for word in order(block)]


def shuffle_trigrams(text: str, tagged: Tagged, order: Order) -> list[str]:
    """The blocks of three, their words in place."""
    return [word for block in order(_trigrams(text)) for word in block]


PERTURBATIONS: dict[str, Callable[[str, Tagged, Order], list[str]]] = {
    "shuffle-nouns-and-adjectives": shuffle_nouns_and_adjectives,
    "shuffle-other-words": shuffle_other_words,
    "shuffle-within-trigrams": shuffle_within_trigrams,
    "shuffle-trigrams": shuffle_trigrams,
}


def read_coco_order(official: Official) -> Iterator[dict[str, Any]]:
    """A record a caption, with a negative for each of the four perturbations."""
    return _read(official, "aro-coco-order", COCO_FILES[0])


def read_flickr_order(official: Official) -> Iterator[dict[str, Any]]:
    """A record a caption, with a negative for each of the four perturbations."""
    return _read(official, "aro-flickr-order", FLICKR_FILES[0])


def _read(official: Official, name: str, file: str) -> Iterator[dict[str, Any]]:
    def convert(item: Item) -> dict[str, Any]:
        image = official.image(item, *places(item.image))
        caption = normalized(item.caption)
        if not caption:
            raise item.error("no word is left of the caption", got=repr(item.caption))
        return item.record(name, image=image, caption=caption, negatives=_negatives(item, caption))

    items = _tagged(official, caption_items(official, official.file(file)))
    return official.records(items, convert)


def _tagged(official: Official, items: Iterator[Item]) -> Iterator[Item]:
    """The items with their words and tags, tagged in batches."""
    while batch := list(itertools.islice(items, _BATCH)):
        texts = [_text_or_empty(item) for item in batch]
        for item, tagged in zip(batch, official.tag(texts), strict=True):
            item["tagged"] = tagged
            yield item


def _text_or_empty(item: Item) -> str:
    try:
        return item.caption
    except InputError:
        return ""  # named when it is its turn


def _negatives(item: Item, caption: str) -> list[dict[str, Any]]:
    """The perturbed captions.

    One that comes out as the caption itself is no negative. The official evaluation compares
    the caption with it, finds a tie and counts a tie as right, so leaving it out is the same.
    """
    found = []
    for kind, perturb in PERTURBATIONS.items():
        order = _order(f"{item.image}/{item.caption}/{kind}")
        text = normalized(" ".join(perturb(item.caption, item["tagged"], order)))
        if text and text != caption:
            found.append(negative(caption, text, kind))
    return found


def _order(seed: str) -> Order:
    """Orders that depend on the seed and on how many were asked for before."""
    number = itertools.count()

    def order(things: Sequence[Any]) -> list[Any]:
        def key(index: int) -> bytes:
            return hashlib.blake2b(f"{seed}/{turn}/{index}".encode(), digest_size=8).digest()

        turn = next(number)
        return [things[index] for index in sorted(range(len(things)), key=key)]

    return order


def _permuted(words: list[str], moves: Sequence[bool], order: Order) -> list[str]:
    """The words that move in another order, on the places of their kind."""
    moved = iter(order([word for word, moving in zip(words, moves, strict=True) if moving]))
    return [next(moved) if moving else word for word, moving in zip(words, moves, strict=True)]


def _trigrams(text: str) -> list[list[str]]:
    words = _WORD.findall(text)
    return [words[first : first + 3] for first in range(0, len(words), 3)]


def normalized(text: str) -> str:
    """An option as ARO shows it to the model: lower case, few marks, at most 30 words."""
    words = re.sub(r'[.!"()*#:;~]', " ", text.lower()).split()
    return " ".join(words[:MAX_WORDS])


ARO_COCO_ORDER = Benchmark(
    read_coco_order,
    path=COCO_FILES[0],
    images="COCO val2014",
    source="https://storage.googleapis.com/sfr-vision-language-research/datasets/coco_karpathy_test.json",
    items=25010,
    metric="Precision@1: caption > its four perturbations",
    aggregation="micro",
)
ARO_FLICKR_ORDER = Benchmark(
    read_flickr_order,
    path=FLICKR_FILES[0],
    images="flickr30k-images",
    source="https://storage.googleapis.com/sfr-vision-language-research/datasets/flickr30k_test.json",
    items=5000,
    metric="Precision@1: caption > its four perturbations",
    aggregation="micro",
)
