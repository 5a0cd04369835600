"""VALSE (Parcalabescu et al. 2022, arXiv:2112.07566): 11 files of 7 linguistic phenomena."""

from typing import Any

from hnclip_cli.benchmarks import Benchmark, Leaf, Place, accuracy, by_subset, mean
from hnclip_cli.sources.benchmarks.files import reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.benchmarks.karpathy import places

FILES = (
    "actant-swap.json",
    "action-replacement.json",
    "coreference-hard.json",
    "coreference-standard.json",
    "counting-adversarial.json",
    "counting-hard.json",
    "counting-small-quant.json",
    "existence.json",
    "foil-it.json",
    "plurals.json",
    "relations.json",
)

# The images come from several data sets; each may have its own folder.
FOLDERS = ("visual7w", "swig", "val2017", "train2014", "val2014", "VisualDialog_val2018")

# Of three annotators, those who had to see the caption, and not the foil, in the image.
MIN_VOTES = 2


def _record(item: Item) -> dict[str, Any] | None:
    """Nothing of an item that the annotators did not confirm: the official score counts none."""
    votes = Item(item.field("mturk", dict), item.files, item.source, item.key)
    if votes.integer("caption") < MIN_VOTES:
        return None
    names = places(item.text("image_file"))
    image = item.image_path(*names, *(f"{folder}/{name}" for folder in FOLDERS for name in names))
    tags = {"phenomenon": item.text("linguistic_phenomena")}
    return item.short(image, item.caption, [item.text("foil")], item.subset, tags=tags)


def phenomenon(place: Place) -> Leaf | None:
    """Parcalabescu et al. 2022, table 1: 11 files make 7 phenomena."""
    if not place.subset:
        return None
    stem = place.subset.split("-")[0]
    return ("actions" if stem in ("action", "actant") else stem, place.subset)


VALSE = Benchmark(
    reader(lambda files: files.json_items(files.paths(FILES)), _record),
    accuracy(mean("phenomena", phenomenon, vl_compo=True), mean("files", by_subset)),
    path="the folder of " + " ".join(FILES),
    images="Visual7W, SWiG, COCO and VisDial images, together or in " + " ".join(FOLDERS),
    source="https://github.com/Heidelberg-NLP/VALSE/tree/main/data",
    items=7702,
    metric="pairwise accuracy acc_r: caption > foil",
    aggregation="mean over 11 files, or over 7 phenomena",
)
