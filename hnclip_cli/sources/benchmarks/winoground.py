"""Winoground (Thrush et al. 2022, arXiv:2204.03162) and ColorSwap (arXiv:2402.04492).

Two images and two captions of the same words; each image is true for one of the captions.
"""

from typing import Any

from hnclip_cli.benchmarks import Benchmark, winoground
from hnclip_cli.sources.benchmarks.files import reader
from hnclip_cli.sources.benchmarks.items import PAIRS, Item

WINOGROUND_FILE = "examples.jsonl"
COLORSWAP_FILE = "test.json"
IMAGES = "images.zip of the same page, unpacked"


def _winoground(item: Item) -> dict[str, Any]:
    """``tags`` are the linguistic phenomena that the authors assigned."""
    names = [item.text(f"image_{side}") for side in (0, 1)]
    return item.record(
        images=[item.image_path(f"{name}.png", name) for name in names],
        captions=[item.text(f"caption_{side}") for side in (0, 1)],
        truth=PAIRS,
        tags=_tags(item, "collapsed_tag", "tag", "secondary_tag"),
    )


def _colorswap(item: Item) -> dict[str, Any]:
    names = [item.text(f"image_{side}") for side in (1, 2)]
    return item.record(
        images=[item.image_path(name, name.rpartition("/")[2]) for name in names],
        captions=[item.text(f"caption_{side}") for side in (1, 2)],
        truth=PAIRS,
        tags=_tags(item, "image_source", "caption_source"),
    )


def _tags(item: Item, *names: str) -> dict[str, str]:
    return {name: item.text(name) for name in names if item.get(name)}


WINOGROUND = Benchmark(
    reader(lambda files: files.jsonl_items(files.first(WINOGROUND_FILE)), _winoground),
    winoground(vl_compo=True),
    path=WINOGROUND_FILE,
    images=IMAGES,
    source="https://huggingface.co/datasets/facebook/winoground",
    items=400,
    metric="text, image and group score",
    aggregation="micro",
)
COLORSWAP = Benchmark(
    reader(lambda files: files.json_items(files.paths([COLORSWAP_FILE]), list), _colorswap),
    winoground(vl_compo=True),
    path=COLORSWAP_FILE,
    images=IMAGES,
    source="https://github.com/Top34051/colorswap",
    items=300,
    metric="text, image and group score",
    aggregation="micro",
)
