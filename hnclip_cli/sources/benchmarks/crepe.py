"""CREPE, productivity (Ma et al. 2023, arXiv:2212.07796): captions of 4 to 12 atoms.

Systematicity is not read: it is defined only for models trained on three particular data sets.
"""

import ast
from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.benchmarks.official import Benchmark, Official

TYPES = ("atom", "swap", "negate")
COMPLEXITIES = range(4, 13)
FILES = tuple(
    f"{kind}/prod_vg_hard_negs_{kind}_complexity_{complexity}.csv"
    for kind in TYPES
    for complexity in COMPLEXITIES
)
COLUMNS = ("image_id", "caption", "x", "y", "width", "height", "hard_negs")


def read_crepe(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item: a region of an image, its caption, and five negatives."""

    def convert(item: Item) -> dict[str, Any]:
        caption, kind = item.caption, item["kind"]
        return item.record(
            "crepe",
            subset=kind,
            image=vg_image(official, item, "image_id"),
            crops=[[item.number(side) for side in ("x", "y", "width", "height")]],
            caption=caption,
            negatives=[negative(caption, text, kind) for text in _hard_negatives(item)],
            tags={"complexity": item["complexity"]},
        )

    return official.records(_items(official), convert)


def _items(official: Official) -> Iterator[Item]:
    for path in official.files(FILES):
        kind, _, complexity = path.removesuffix(".csv").rpartition("_hard_negs_")[2].split("_")
        for item in official.csv_items(path, COLUMNS):
            item |= {"kind": kind, "complexity": complexity}
            item.key = f"{complexity}/{item.key}"
            yield item


def _hard_negatives(item: Item) -> list[str]:
    """The column with the text of a Python list."""
    text = item.text("hard_negs")
    try:
        texts = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        texts = None
    if not isinstance(texts, list | tuple):
        raise item.error('field "hard_negs" is no list', got=repr(text[:60]), expected="['…', '…']")
    return Item({"hard_negs": list(texts)}, item.source, item.key, item.index).texts("hard_negs")


def vg_image(official: Official, item: Item, name: str) -> str:
    """The path of a Visual Genome image by its number, in one of the folders it is published in."""
    file = f"{item.integer(name)}.jpg"
    return official.image(item, file, f"VG_100K/{file}", f"VG_100K_2/{file}")


CREPE = Benchmark(
    read_crepe,
    path="the folder prod_hard_negatives, with atom/, swap/ and negate/",
    images="Visual Genome, VG_100K and VG_100K_2",
    source="https://github.com/RAIVNLab/CREPE",
    items=None,
    metric="R@1: caption > its negatives",
    aggregation="mean over atom, swap and negate",
)
