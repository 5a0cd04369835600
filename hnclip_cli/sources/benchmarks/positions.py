"""An image and captions that differ in where things are.

- What'sUp (Kamath et al. 2023, arXiv:2310.19785): prepositions. The photographs A and B, in which
  one object stands in four relations to another, and captions of one or two objects on COCO and
  on GQA images.
- CounterCurate (Zhang et al. 2024, arXiv:2402.13254): left and right, above and below. A row is a
  photograph and its counterpart, flipped or painted, and their two captions.
"""

import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import Leaf, Metric, Place, by_subset, mean
from hnclip_cli.sources.benchmarks.files import Files, benchmark, reader
from hnclip_cli.sources.benchmarks.items import Item

WHATSUP_FILES = (
    "controlled_images_dataset.json",
    "controlled_clevr_dataset.json",
    "coco_qa_one_obj.json",
    "coco_qa_two_obj.json",
    "vg_qa_one_obj.json",
    "vg_qa_two_obj.json",
)


def _whatsup(item: Item) -> dict[str, Any]:
    """The first option is the caption, the others its negatives.

    ``tags`` of A and B name the relation and the set, the photographs that differ only in it:
    the official pair and set accuracies go over them.
    """
    options = item.texts("caption_options")
    if len(options) < 2:
        raise item.error('field "caption_options" holds no negative', got=str(options))
    caption, *others = options
    image, tags = _controlled(item) if "image_path" in item else (_natural_image(item), None)
    return item.short(image, caption, others, "replace-preposition", tags=tags)


def _triples(content: list[Any]) -> Iterator[tuple[int, Any]]:
    """``[image, caption, negative]`` as one object; anything else as it is."""
    for index, entry in enumerate(content):
        match entry:
            case [image, caption, foil]:
                yield index, {"image_id": image, "caption_options": [caption, foil]}
            case _:
                yield index, entry


def _controlled(item: Item) -> tuple[str, dict[str, str]]:
    """The photograph, and what its name says, as mug_left_of_plate.jpeg."""
    path = item.text("image_path").removeprefix("data/")
    name = os.path.basename(path)
    image = item.image_path(path, name)
    stem = os.path.splitext(name)[0]
    parts = stem.split("_")
    if len(parts) < 3:
        raise item.error("image name says no relation", got=repr(stem), expected="A_left_of_B")
    return image, {"relation": parts[1], "set": f"{parts[0]}_{parts[-1]}"}


def _natural_image(item: Item) -> str:
    number = item.integer("image_id")
    if item.subset.startswith("coco"):
        return item.image_path(f"val2017/{number:012d}.jpg", f"{number:012d}.jpg")
    return item.image_path(f"vg_images/{number}.jpg", f"{number}.jpg")


def photographs(place: Place) -> Leaf | None:
    """The four photographs of two objects, which differ in their relation only."""
    name = place.named("set")
    return (place.subset, name) if name else None


def opposites(place: Place) -> Leaf | None:
    """Two of a set: left with right, on with under, in front with behind."""
    four = photographs(place)
    is_across = place.named("relation") in ("left", "right")
    return four and (*four, "across" if is_across else "along")


WHATSUP = benchmark(
    "whatsup",
    reader(lambda files: files.json_items(files.paths(WHATSUP_FILES), list, _triples), _whatsup),
    (
        mean("subsets", by_subset, vl_compo=True),
        Metric("individual, {}", leaf=by_subset, each=True),
        Metric("pairs, {}", leaf=by_subset, each=True, joined=opposites, members=2),
        Metric("sets, {}", leaf=by_subset, each=True, joined=photographs, members=4),
    ),
)


COUNTERCURATE_FILES = tuple(
    f"clip_sample_data/test_{what}_.csv" for what in ("left_right", "up_down", "left_right_up_down")
)
COUNTERCURATE_COLUMNS = ("captions", "images", "neg_captions", "neg_images")


def _countercurate_items(files: Files) -> Iterator[Item]:
    """Two of a row: each of its images with its caption first."""
    for path in files.paths(COUNTERCURATE_FILES):
        for row in files.csv_items(path, COUNTERCURATE_COLUMNS, delimiter="\t"):
            for side, names in (("pos", ("", "neg_")), ("neg", ("neg_", ""))):
                yield Item(row | {"sides": names}, files, path, f"{row.key}/{side}")


def _countercurate(item: Item) -> dict[str, Any]:
    """Paths start at the folder of the training images, which the archive is unpacked to.

    The first image is a photograph of Flickr30k. The second may have the same name in its own
    folder, so it is not looked for without that.
    """
    own, other = item["sides"]
    name = item.text(f"{own}images").rpartition("train_data/")[2]
    places = [name, f"train_data/{name}"]
    if not own:
        base = os.path.basename(name)
        places += [f"flickr30k-images/{base}", f"flickr30k_images/{base}"]
    image = item.image_path(*places)
    caption, foil = item.text(f"{own}captions"), item.text(f"{other}captions")
    subset = item.subset.removeprefix("test_").strip("_")
    return item.short(image, caption, [foil], "flip-relation", subset=subset)


COUNTERCURATE = benchmark(
    "countercurate",
    reader(_countercurate_items, _countercurate),
    # The three files are drawn apart, so no mean is over them.
    (Metric("accuracy, {}", leaf=by_subset, each=True),),
)
