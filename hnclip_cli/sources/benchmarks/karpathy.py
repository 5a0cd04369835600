"""Image and text retrieval on COCO and Flickr30k, test part of Karpathy and Fei-Fei's split.

Karpathy, Fei-Fei 2015, arXiv:1412.2306. The split is published twice: by its author, all parts
in one file, and as a file of the test part alone, which BLIP and ARO read.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hnclip_cli.benchmarks import Benchmark
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files, read_json, reader
from hnclip_cli.sources.benchmarks.items import Item

COCO_FILES = ("coco_karpathy_test.json", "dataset_coco.json")
FLICKR_FILES = ("flickr30k_test.json", "dataset_flickr30k.json")
SOURCE = "https://storage.googleapis.com/sfr-vision-language-research/datasets"

_COCO_2014 = re.compile(r"COCO_(?:train|val|test)2014_(\d{12}\.jpg)")


def _record(item: Item) -> dict[str, Any]:
    """The records of one image share its path."""
    image = item.image_path(*places(item.image))
    return item.record(image=image, caption=item.caption, subset="test")


def caption_items(files: Files, *names: str) -> Iterator[Item]:
    """An item for each caption of the test part, with ``image`` and ``caption``.

    Args:
        files: the benchmark's files.
        names: of the official file, in either of the two published forms.
    """
    path = files.first(*names)
    content = read_json(path)
    if isinstance(content, dict):  # Karpathy's own file
        content = content.get("images")
    if not isinstance(content, list):
        raise HnclipError("not an official file", where=path, expected="a list of images")
    for entry in files.records(files.items(path, enumerate(content)), _image_and_captions):
        for number, caption in enumerate(entry["captions"]):
            fields = {"image": entry["image"], "caption": caption}
            yield Item(fields, files, path, f"{entry['key']}/{number}")


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


# Their recalls need embeddings of all images and captions (hnclip eval --embeddings).
COCO_RETRIEVAL = Benchmark(
    reader(lambda files: caption_items(files, *COCO_FILES), _record),
    path="coco_karpathy_test.json, or Karpathy's dataset_coco.json",
    images="COCO val2014",
    source=f"{SOURCE}/coco_karpathy_test.json",
    items=25010,
    metric="R@1, R@5, R@10 of captions and of images",
    aggregation="5,000 images, 25,010 captions",
)
FLICKR30K_RETRIEVAL = replace(
    COCO_RETRIEVAL,
    read=reader(lambda files: caption_items(files, *FLICKR_FILES), _record),
    path="flickr30k_test.json, or Karpathy's dataset_flickr30k.json",
    images="flickr30k-images",
    source=f"{SOURCE}/flickr30k_test.json",
    items=5000,
    aggregation="1,000 images, 5,000 captions",
)
