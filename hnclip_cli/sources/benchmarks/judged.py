"""Retrieval of COCO with all pairs that people judged true.

All images and captions of Karpathy's test part are candidates; the queries, and what is true for
each, are in files of their own, by COCO's numbers.

- ECCV Caption (Chun et al. 2022, arXiv:2204.03359).
- CxC, Crisscrossed Captions (Parekh et al. 2021, arXiv:2004.15020): the pairs of a score of 3 or
  more, from its own file or as ECCV Caption's package holds them.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from hnclip_cli.benchmarks import Benchmark, Metric, retrieval
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files, benchmark, read_json, reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.benchmarks.karpathy import COCO_FILES, caption_items
from hnclip_cli.sources.places import coco_places

# The captions that are true for an image, and the images that are true for a caption.
Judgments = tuple[dict[str, list[str]], dict[str, list[str]]]

CXC_FILE = "sits_test.csv"
CXC_COLUMNS = ("caption", "image", "agg_score")
CXC_TRUE = 3.0

_CXC_CAPTION = re.compile(r"COCO_val2014:sentid:(\d+)")
_CXC_IMAGE = re.compile(r"COCO_val2014_0*(\d+)\.jpg")


def _record(item: Item) -> dict[str, Any]:
    """A caption and its image; both have a list of what is true, and without one are no query."""
    image, caption = str(item.integer("cocoid")), str(item.integer("sentid"))
    captions, images = item["judgments"]
    item.key = caption
    prefix = f"{item.files.benchmark}/test/"
    return item.record(
        image=item.image_path(*coco_places(item.image)),
        caption=item.caption,
        subset="test",
        group=image,
        true_images=images.get(caption, []),
        true_captions=[f"{prefix}{name}" for name in captions.get(image, [])],
    )


def _judged(
    name: str, judgments: Callable[[Files], Judgments], official: tuple[Metric, ...]
) -> Benchmark:
    def items(files: Files) -> Iterator[Item]:
        found = judgments(files)
        for item in caption_items(files, COCO_FILES[1]):
            item["judgments"] = found
            yield item

    return benchmark(name, reader(items, _record), official)


def _of_package(files: Files, name: str) -> Judgments:
    """Two files of ECCV Caption's package, ``{"image": [captions]}`` and the other way."""
    captions, images = (
        _numbers(files.first(f"{name}_{way}.json"))
        for way in ("image_to_caption", "caption_to_image")
    )
    return captions, images


def _numbers(path: str) -> dict[str, list[str]]:
    found = {}
    for query, true in read_json(path, dict).items():
        is_official = isinstance(true, list) and true and all(type(one) is int for one in true)
        if not query.isdecimal() or not is_official:
            raise HnclipError(
                "not an official file",
                where=path,
                got=f"{query!r}: {str(true)[:40]}",
                expected="numbers of COCO, of each query a list",
            )
        found[query] = list(map(str, dict.fromkeys(true)))
    return found


def _of_cxc(files: Files) -> Judgments:
    path = files.first("cxc_image_to_caption.json", CXC_FILE)
    if not path.endswith(CXC_FILE):
        return _of_package(files, "cxc")
    captions: dict[str, list[str]] = {}
    images: dict[str, list[str]] = {}
    for row in files.csv_items(path, CXC_COLUMNS):
        caption = _CXC_CAPTION.fullmatch(row.text("caption"))
        image = _CXC_IMAGE.fullmatch(row.text("image"))
        if not caption or not image:
            got = f"{row['caption']} {row['image']}"
            raise row.error("no caption and image of COCO val2014", got=got)
        if row.number("agg_score") >= CXC_TRUE:
            captions.setdefault(image[1], []).append(caption[1])
            images.setdefault(caption[1], []).append(image[1])
    return captions, images


ECCV_CAPTION = _judged(
    "eccv-caption",
    lambda files: _of_package(files, "eccv"),
    retrieval("mAP@R", "R-Precision", "R@1"),
)
CXC = _judged("cxc", _of_cxc, retrieval("R@1", "R@5", "R@10"))
