"""What'sUp (Kamath et al. 2023, arXiv:2310.19785): prepositions.

Six files: the photographs A and B, in which one object stands in four relations to another, and
captions of one or two objects on COCO and on GQA images.
"""

import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.benchmarks.official import Benchmark, Official, read_json

CONTROLLED = ("controlled_images_dataset.json", "controlled_clevr_dataset.json")
NATURAL = (
    "coco_qa_one_obj.json",
    "coco_qa_two_obj.json",
    "vg_qa_one_obj.json",
    "vg_qa_two_obj.json",
)
KIND = "replace-preposition"


def read_whatsup(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item: the first option is the caption, the others its negatives.

    ``tags`` of A and B name the relation and the set, the photographs that differ only in it:
    the official pair and set accuracies go over them.
    """
    return official.records(_items(official), lambda item: _convert(official, item))


def _convert(official: Official, item: Item) -> dict[str, Any]:
    options = item.texts("caption_options")
    if len(options) < 2:
        raise item.error('field "caption_options" holds no negative', got=str(options))
    caption, *others = options
    is_controlled = "image_path" in item
    image = _controlled_image(official, item) if is_controlled else _natural_image(official, item)
    return item.record(
        "whatsup",
        image=image,
        caption=caption,
        negatives=[negative(caption, text, KIND) for text in others],
        tags=_controlled_tags(item) if is_controlled else None,
    )


def _items(official: Official) -> Iterator[Item]:
    for path in official.files(CONTROLLED + NATURAL):
        pairs = ((str(index), _fields(entry)) for index, entry in enumerate(read_json(path, list)))
        yield from official.items(path, pairs)


def _fields(entry: Any) -> Any:
    """``[image, caption, negative]`` as one object; anything else as it is."""
    match entry:
        case [image, caption, foil]:
            return {"image_id": image, "caption_options": [caption, foil]}
    return entry


def _controlled_image(official: Official, item: Item) -> str:
    path = item.text("image_path").removeprefix("data/")
    return official.image(item, path, os.path.basename(path))


def _natural_image(official: Official, item: Item) -> str:
    number = item.integer("image_id")
    if item.subset.startswith("coco"):
        return official.image(item, f"val2017/{number:012d}.jpg", f"{number:012d}.jpg")
    return official.image(item, f"vg_images/{number}.jpg", f"{number}.jpg")


def _controlled_tags(item: Item) -> dict[str, str]:
    """What the name of a photograph says, as mug_left_of_plate.jpeg."""
    stem = os.path.splitext(os.path.basename(item.text("image_path")))[0]
    parts = stem.split("_")
    if len(parts) < 3:
        raise item.error("image name says no relation", got=repr(stem), expected="A_left_of_B")
    return {"relation": parts[1], "set": f"{parts[0]}_{parts[-1]}"}


WHATSUP = Benchmark(
    read_whatsup,
    path="the folder of " + " ".join(CONTROLLED + NATURAL),
    images="the folders controlled_images, controlled_clevr, val2017 and vg_images",
    source="https://github.com/amitakamath/whatsup_vlms",
    items=4958,
    metric="individual accuracy; pair and set accuracy of A and B",
    aggregation="mean over the 6 files",
)
