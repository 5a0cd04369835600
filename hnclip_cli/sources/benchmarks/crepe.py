"""CREPE, productivity (Ma et al. 2023, arXiv:2212.07796): captions of 4 to 12 atoms.

Systematicity is not read: it is defined only for models trained on three particular data sets.
"""

import ast
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import Benchmark, Metric, by_word
from hnclip_cli.sources.benchmarks.files import Files, reader
from hnclip_cli.sources.benchmarks.items import Item

TYPES = ("atom", "swap", "negate")
FILES = tuple(
    f"{kind}/prod_vg_hard_negs_{kind}_complexity_{complexity}.csv"
    for kind in TYPES
    for complexity in range(4, 13)
)
COLUMNS = ("image_id", "caption", "x", "y", "width", "height", "hard_negs")


def _record(item: Item) -> dict[str, Any]:
    """A region of an image, its caption, and five negatives."""
    return item.short(
        vg_image(item, "image_id"),
        item.caption,
        _hard_negatives(item),
        item["kind"],
        box=("x", "y", "width", "height"),
        subset=item["kind"],
        tags={"complexity": item["complexity"]},
    )


def _items(files: Files) -> Iterator[Item]:
    for path in files.paths(FILES):
        kind, _, complexity = path.removesuffix(".csv").rpartition("_hard_negs_")[2].split("_")
        for item in files.csv_items(path, COLUMNS):
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
    item["hard_negs"] = list(texts)
    return item.texts("hard_negs")


def vg_image(item: Item, name: str) -> str:
    """The path of a Visual Genome image by its number, in one of the folders it is published in."""
    file = f"{item.integer(name)}.jpg"
    return item.image_path(file, f"VG_100K/{file}", f"VG_100K_2/{file}")


CREPE = Benchmark(
    reader(_items, _record),
    (
        Metric("R@1, mean of {} forms", leaf=by_word(*TYPES), vl_compo=True),
        Metric("R@1, {}", leaf=by_word(*TYPES), each=True),
        *(Metric(f"R@{k}, micro", rank=k) for k in (1, 3, 5, 10)),
    ),
    path="the folder prod_hard_negatives, with atom/, swap/ and negate/",
    images="Visual Genome, VG_100K and VG_100K_2",
    source="https://github.com/RAIVNLab/CREPE",
    metric="R@1: caption > its negatives",
    aggregation="mean over atom, swap and negate",
)
