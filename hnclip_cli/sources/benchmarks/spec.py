"""SPEC (Peng et al. 2024, arXiv:2312.00081): size, position, existence, count; both directions."""

import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import IMAGE_TO_TEXT, TEXT_TO_IMAGE, Benchmark, Metric, by_subset
from hnclip_cli.sources.benchmarks.files import Files, reader
from hnclip_cli.sources.benchmarks.items import Item

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


def _record(item: Item) -> dict[str, Any]:
    """An image among texts (i2t) or a text among images (t2i)."""
    subset, direction = item["subset"], item["direction"]
    query, keys = item.text("query"), item.texts("keys")
    label = item.integer("label", len(keys))
    is_image = direction == "i2t"
    images, captions = ([query], keys) if is_image else (keys, [query])
    return item.record(
        subset=subset,
        images=[item.image_path(f"{subset}/{name}") for name in images],
        captions=captions,
        truth=[[0, label] if is_image else [label, 0]],
        tags={"direction": direction},
    )


def _items(files: Files) -> Iterator[Item]:
    for path in files.paths(FILES):
        folder, file = os.path.split(os.path.abspath(path))
        subset, direction = os.path.basename(folder), DIRECTIONS[file]
        for item in files.json_items([path], list):
            item |= {"subset": subset, "direction": direction}
            item.key = f"{direction}/{item.key}"
            yield item


SPEC = Benchmark(
    reader(_items, _record),
    (
        Metric("image to text, mean of {} subsets", (IMAGE_TO_TEXT,), by_subset),
        Metric("text to image, mean of {} subsets", (TEXT_TO_IMAGE,), by_subset),
        Metric("mean of {} directions", (IMAGE_TO_TEXT, TEXT_TO_IMAGE), by_subset),
    ),
    path="the folder with " + " ".join(f"{subset}/" for subset in SUBSETS),
    images="the same folder",
    source="https://huggingface.co/datasets/wjpoom/SPEC",
    metric="accuracy of image to text, and of text to image",
    aggregation="mean over 6 subsets, each direction apart",
)
