"""ARO's COCO-Order and Flickr30k-Order (Yuksekgonul et al. 2023, arXiv:2210.01936, section 2).

Their negatives are not published but made: each caption with its words in four other orders.
The official code draws those orders at random when it is run. Here a hash of the image's name, the
caption and the perturbation decides, so a caption has the same negatives wherever they are made.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hnclip_cli.benchmarks import Benchmark, Metric
from hnclip_cli.language.caption import TAGS
from hnclip_cli.language.parser import Parser
from hnclip_cli.sources.benchmarks.files import Files, reader
from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.benchmarks.karpathy import (
    COCO_FILES,
    COCO_RETRIEVAL,
    FLICKR30K_RETRIEVAL,
    FLICKR_FILES,
    caption_items,
    places,
)

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


def _record(item: Item) -> dict[str, Any]:
    """A caption, with a negative for each of the four perturbations."""
    image = item.image_path(*places(item.image))
    caption = normalized(item.caption)
    if not caption:
        raise item.error("no word is left of the caption", got=repr(item.caption))
    return item.record(image=image, caption=caption, negatives=_negatives(item, caption))


def _items(files: Files, name: str) -> Iterator[Item]:
    """The captions with their words and tags, tagged in batches as by ``hnclip negatives``."""
    items = caption_items(files, name)
    parser = Parser(TAGS)
    while batch := list(itertools.islice(items, _BATCH)):
        texts = [str(item["caption"]) for item in batch]  # what is no text is named in its turn
        for item, caption in zip(batch, parser.parse(texts), strict=True):
            item["tagged"] = [(word.text, word.tag) for word in caption.words]
            yield item


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


def _benchmark(retrieval: Benchmark, name: str) -> Benchmark:
    """Of the captions of this file of a benchmark of retrieval."""
    return replace(
        retrieval,
        read=reader(lambda files: _items(files, name), _record),
        official=(Metric("Precision@1", vl_compo=True),),
        path=name,
        metric="Precision@1: caption > its four perturbations",
        aggregation="micro",
    )


ARO_COCO_ORDER = _benchmark(COCO_RETRIEVAL, COCO_FILES[0])
ARO_FLICKR_ORDER = _benchmark(FLICKR30K_RETRIEVAL, FLICKR_FILES[0])
