"""SPEC (Peng et al. 2024, arXiv:2312.00081): size, position, existence, count; both directions."""

import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.benchmarks.official import Benchmark, Official, read_json

SUBSETS = (
    "absolute_size",
    "relative_size",
    "absolute_spatial",
    "relative_spatial",
    "existence",
    "count",
)
DIRECTIONS = {"image2text.json": "i2t", "text2image.json": "t2i"}
FILES = tuple(f"{subset}/{file}" for subset in SUBSETS for file in DIRECTIONS)


def read_spec(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item: an image among texts (i2t) or a text among images (t2i)."""

    def image(item: Item, name: str) -> str:
        return official.image(item, f"{item['subset']}/{name}")

    def convert(item: Item) -> dict[str, Any]:
        query, keys = item.text("query"), item.texts("keys")
        label, direction = item.integer("label", len(keys)), item["direction"]
        fields: dict[str, Any] = (
            {"images": [image(item, query)], "captions": keys, "truth": [[0, label]]}
            if direction == "i2t"
            else {
                "images": [image(item, name) for name in keys],
                "captions": [query],
                "truth": [[label, 0]],
            }
        )
        return item.record("spec", subset=item["subset"], tags={"direction": direction}, **fields)

    return official.records(_items(official), convert)


def _items(official: Official) -> Iterator[Item]:
    for path in official.files(FILES):
        folder, file = os.path.split(os.path.abspath(path))
        subset, direction = os.path.basename(folder), DIRECTIONS[file]
        pairs = ((f"{direction}/{i}", value) for i, value in enumerate(read_json(path, list)))
        for item in official.items(path, pairs):
            item |= {"subset": subset, "direction": direction}
            yield item


SPEC = Benchmark(
    read_spec,
    path="the folder with " + " ".join(f"{subset}/" for subset in SUBSETS),
    images="the same folder",
    source="https://huggingface.co/datasets/wjpoom/SPEC",
    items=None,
    metric="accuracy of image to text, and of text to image",
    aggregation="mean over 6 subsets, each direction apart",
)
