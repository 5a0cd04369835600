"""Image and text retrieval on COCO and Flickr30k, test part of Karpathy and Fei-Fei's split.

Karpathy, Fei-Fei 2015, arXiv:1412.2306. The split is published twice: by its author, all parts
in one file, and as a file of the test part alone, which BLIP and ARO read.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.benchmarks.official import Benchmark, Official, read_json

COCO_FILES = ("coco_karpathy_test.json", "dataset_coco.json")
FLICKR_FILES = ("flickr30k_test.json", "dataset_flickr30k.json")

_COCO_2014 = re.compile(r"COCO_(?:train|val|test)2014_(\d{12}\.jpg)")


def read_coco_retrieval(official: Official) -> Iterator[dict[str, Any]]:
    """A record a caption; the records of one image share its path."""
    return _read(official, "coco-retrieval", COCO_FILES)


def read_flickr30k_retrieval(official: Official) -> Iterator[dict[str, Any]]:
    """A record a caption; the records of one image share its path."""
    return _read(official, "flickr30k-retrieval", FLICKR_FILES)


def _read(official: Official, name: str, files: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    def convert(item: Item) -> dict[str, Any]:
        image = official.image(item, *places(item.image))
        return item.record(name, image=image, caption=item.caption, subset="test")

    return official.records(caption_items(official, official.file(*files)), convert)


def caption_items(official: Official, path: str) -> Iterator[Item]:
    """An item for each caption of the test part, with ``image`` and ``caption``.

    Raises:
        HnclipError: the file is neither of the two published forms.
    """
    content = read_json(path)
    if isinstance(content, dict):  # Karpathy's own file
        content = content.get("images")
    if not isinstance(content, list):
        raise HnclipError("not an official file", where=path, expected="a list of images")
    entries = ((str(index), value) for index, value in enumerate(content))
    index = 0
    for entry in official.records(official.items(path, entries), _image_and_captions):
        for number, caption in enumerate(entry["captions"]):
            fields = {"image": entry["image"], "caption": caption}
            yield Item(fields, path, f"{entry['key']}/{number}", index)
            index += 1


def _image_and_captions(item: Item) -> dict[str, Any] | None:
    if "sentences" not in item:
        captions = item.field("caption", list)
        return {"image": item.image, "captions": captions, "key": item.key}
    if item.text("split") != "test":
        return None
    sentences = item.field("sentences", list)
    captions = [
        sentence.get("raw") if isinstance(sentence, dict) else None for sentence in sentences
    ]
    folder = item.get("filepath", "")
    image = os.path.join(folder if isinstance(folder, str) else "", item.text("filename"))
    return {"image": image, "captions": captions, "key": item.key}


def places(name: str) -> list[str]:
    """Where an image may lie: as published, without its folder, under its COCO 2017 name."""
    base = os.path.basename(name)
    renamed = _COCO_2014.fullmatch(base)
    return [name, base, *([renamed[1]] if renamed else [])]


COCO_RETRIEVAL = Benchmark(
    read_coco_retrieval,
    path="coco_karpathy_test.json, or Karpathy's dataset_coco.json",
    images="COCO val2014",
    source="https://storage.googleapis.com/sfr-vision-language-research/datasets/coco_karpathy_test.json",
    items=25010,
    metric="R@1, R@5, R@10 of captions and of images",
    aggregation="5,000 images, 25,010 captions",
)
FLICKR30K_RETRIEVAL = Benchmark(
    read_flickr30k_retrieval,
    path="flickr30k_test.json, or Karpathy's dataset_flickr30k.json",
    images="flickr30k-images",
    source="https://storage.googleapis.com/sfr-vision-language-research/datasets/flickr30k_test.json",
    items=5000,
    metric="R@1, R@5, R@10 of captions and of images",
    aggregation="1,000 images, 5,000 captions",
)
