"""Captions of COCO and Flickr30k, test part of Karpathy and Fei-Fei's split (arXiv:1412.2306).

The split is published twice: by its author, all parts in one file, and as a file of the test part
alone, which BLIP and ARO read. Two things are made of it:

- Image and text retrieval.
- ARO's COCO-Order and Flickr30k-Order (Yuksekgonul et al. 2023, arXiv:2210.01936, section 2).
  Their negatives are not published but made: each caption with its words in four other orders.
  The official code draws those orders at random when it is run. Here a hash of the image's name,
  the caption and the perturbation decides, so a caption has the same negatives wherever they are
  made.
"""

import hashlib
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hnclip_cli.benchmarks import Metric, retrieval
from hnclip_cli.errors import HnclipError
from hnclip_cli.language.caption import TAGS
from hnclip_cli.language.parser import Parser
from hnclip_cli.language.window import tokens
from hnclip_cli.sources.benchmarks.files import Files, benchmark, read_json, reader
from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.places import coco_places

COCO_FILES = ("coco_karpathy_test.json", "dataset_coco.json")
FLICKR_FILES = ("flickr30k_test.json", "dataset_flickr30k.json")


def _retrieval_record(item: Item) -> dict[str, Any]:
    """The records of one image share its path."""
    image = item.image_path(*coco_places(item.image))
    return item.record(image=image, caption=item.caption, subset="test")


def caption_items(files: Files, *names: str) -> Iterator[Item]:
    """An item for each caption of the test part, with ``image`` and ``caption``.

    Karpathy's own file has their numbers, too: ``cocoid`` and ``sentid``.
    """
    path = files.first(*names)
    content = read_json(path)
    if isinstance(content, dict):  # Karpathy's own file
        content = content.get("images")
    if not isinstance(content, list):
        raise HnclipError("not an official file", where=path, expected="a list of images")
    for entry in files.records(files.items(path, enumerate(content)), _image_and_captions):
        for number, of_caption in enumerate(entry["captions"]):
            fields = {"image": entry["image"], "cocoid": entry["cocoid"]} | of_caption
            yield Item(fields, files, path, f"{entry['key']}/{number}")


def _image_and_captions(item: Item) -> dict[str, Any] | None:
    if "sentences" not in item:
        captions = [{"caption": caption} for caption in item.field("caption", list)]
        return {"image": item.image, "captions": captions, "cocoid": None, "key": item.key}
    if item.text("split") != "test":
        return None
    sentences = item.field("sentences", list)
    known = [one if isinstance(one, dict) else {} for one in sentences]
    captions = [{"caption": one.get("raw"), "sentid": one.get("sentid")} for one in known]
    folder = item.get("filepath", "")
    image = os.path.join(folder if isinstance(folder, str) else "", item.text("filename"))
    return {"image": image, "captions": captions, "cocoid": item.get("cocoid"), "key": item.key}


RECALLS = retrieval("R@1", "R@5", "R@10")
COCO_RETRIEVAL = benchmark(
    "coco-retrieval",
    reader(lambda files: caption_items(files, *COCO_FILES), _retrieval_record),
    RECALLS,
)
FLICKR30K_RETRIEVAL = benchmark(
    "flickr30k-retrieval",
    reader(lambda files: caption_items(files, *FLICKR_FILES), _retrieval_record),
    RECALLS,
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


def _order_record(item: Item) -> dict[str, Any]:
    """A caption, with a negative for each of the four perturbations."""
    image = item.image_path(*coco_places(item.image))
    caption = normalized(item.caption)
    if not caption:
        raise item.error("no word is left of the caption", got=repr(item.caption))
    return item.record(image=image, caption=caption, negatives=_negatives(item, caption))


def _order_items(files: Files, name: str) -> Iterator[Item]:
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

    One that is the caption itself, or is to CLIP, is no negative. The official evaluation compares
    the caption with it, finds a tie and counts a tie as right, so leaving it out is the same.
    """
    found = []
    for kind, perturb in PERTURBATIONS.items():
        order = _order(f"{item.image}/{item.caption}/{kind}")
        text = normalized(" ".join(perturb(item.caption, item["tagged"], order)))
        if text and not _is_same(text, caption):
            found.append(negative(caption, text, kind))
    return found


def _is_same(text: str, caption: str) -> bool:
    """Whether CLIP's tokens are the same, as those of "a field ," and "a field,"."""
    alike = "".join(text.split()) == "".join(caption.split())
    return alike and (text == caption or tokens(text) == tokens(caption))


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


ORDER_METRICS = (Metric("Precision@1", vl_compo=True),)
ARO_COCO_ORDER = benchmark(
    "aro-coco-order",
    reader(lambda files: _order_items(files, COCO_FILES[0]), _order_record),
    ORDER_METRICS,
)
ARO_FLICKR_ORDER = benchmark(
    "aro-flickr-order",
    reader(lambda files: _order_items(files, FLICKR_FILES[0]), _order_record),
    ORDER_METRICS,
)
