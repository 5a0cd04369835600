"""ImageCoDe (Krojer et al. 2022, arXiv:2203.15867): the one of ten images that a text describes."""

import os
import re
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import TEXT_TO_IMAGE, Benchmark, Metric, by_word
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.streams.files import inside

FILE = "valid_data.json"
NUM_IMAGES = 10

_NAME = re.compile(r"img(\d+)\.jpg")


def _record(item: Item) -> dict[str, Any]:
    """A description, with the ten images of its set.

    The official index counts the images in the order of the numbers in their names, which leave
    numbers out: index 2 of img1.jpg, img4.jpg, img6.jpg is img6.jpg.
    """
    images = _images(item)
    kind = "static" if item["set"].startswith("open-images") else "video"
    return item.record(
        subset=kind,
        images=images,
        captions=[item.caption],
        truth=[[item.integer("index", len(images)), 0]],
        group=images[0],
        tags={"type": kind},
    )


def _descriptions(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, texts in content.items():
        if not isinstance(texts, dict):
            yield name, texts
            continue
        for index, text in texts.items():
            yield f"{name}/{index}", {"set": name, "index": index, "caption": text}


def _images(item: Item) -> list[str]:
    name, images = item.text("set"), item.files.images
    try:
        folder = inside(images, name, "image folder")
        matches = filter(None, map(_NAME.fullmatch, os.listdir(folder)))
        found = {int(match[1]): match[0] for match in matches}
    except HnclipError as error:
        raise item.error(str(error)) from None
    except (OSError, ValueError):
        found = {}
    if len(found) != NUM_IMAGES:
        raise item.error(
            "image not found" if not found else "images are missing",
            got=f"{len(found)} files img*.jpg in {os.path.join(images, name)!r}",
            expected=str(NUM_IMAGES),
            hint="another --images folder",
        )
    return [os.path.join(folder, found[number]) for number in sorted(found)]


IMAGECODE = Benchmark(
    reader(lambda files: files.json_items([files.first(FILE)], dict, _descriptions), _record),
    (
        Metric("accuracy, micro", (TEXT_TO_IMAGE,), vl_compo=True),
        Metric("accuracy, {}", (TEXT_TO_IMAGE,), by_word("static", "video"), each=True),
    ),
    path=FILE,
    images="image-sets, one folder a set",
    source="https://github.com/McGill-NLP/imagecode/tree/main/data",
    items=2302,
    metric="accuracy: the described image > the nine others",
    aggregation="micro; static and video apart",
)
