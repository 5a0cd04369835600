"""Winoground (Thrush et al. 2022, arXiv:2204.03162) and ColorSwap (arXiv:2402.04492).

Two images and two captions of the same words; each image is true for one of the captions.
"""

from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.items import PAIRS, Item
from hnclip_cli.sources.benchmarks.official import Benchmark, Official

WINOGROUND_FILE = "examples.jsonl"
WINOGROUND_TAGS = ("collapsed_tag", "tag", "secondary_tag")
COLORSWAP_FILE = "test.json"
COLORSWAP_TAGS = ("image_source", "caption_source")


def read_winoground(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item; ``tags`` are the linguistic phenomena that the authors assigned."""

    def convert(item: Item) -> dict[str, Any]:
        names = [item.text(f"image_{side}") for side in (0, 1)]
        return item.record(
            "winoground",
            images=[official.image(item, f"{name}.png", name) for name in names],
            captions=[item.text(f"caption_{side}") for side in (0, 1)],
            truth=PAIRS,
            tags=_tags(item, WINOGROUND_TAGS),
        )

    return official.records(official.jsonl_items(official.file(WINOGROUND_FILE)), convert)


def read_colorswap(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item of the test part."""

    def convert(item: Item) -> dict[str, Any]:
        names = [item.text(f"image_{side}") for side in (1, 2)]
        return item.record(
            "colorswap",
            images=[official.image(item, name, name.rpartition("/")[2]) for name in names],
            captions=[item.text(f"caption_{side}") for side in (1, 2)],
            truth=PAIRS,
            tags=_tags(item, COLORSWAP_TAGS),
        )

    return official.records(official.json_items([COLORSWAP_FILE], list), convert)


def _tags(item: Item, names: tuple[str, ...]) -> dict[str, str]:
    return {name: item.text(name) for name in names if item.get(name)}


WINOGROUND = Benchmark(
    read_winoground,
    path=WINOGROUND_FILE,
    images="images.zip of the same page, unpacked",
    source="https://huggingface.co/datasets/facebook/winoground",
    items=400,
    metric="text, image and group score",
    aggregation="micro",
)
COLORSWAP = Benchmark(
    read_colorswap,
    path=COLORSWAP_FILE,
    images="images.zip of the same page, unpacked",
    source="https://github.com/Top34051/colorswap",
    items=300,
    metric="text, image and group score",
    aggregation="micro",
)
