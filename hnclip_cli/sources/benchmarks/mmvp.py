"""MMVP-VLM (Tong et al. 2024, arXiv:2401.06209): pairs of images that CLIP takes for the same."""

import itertools
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import Benchmark, Metric, by_tag, winoground
from hnclip_cli.sources.benchmarks.files import Files, reader
from hnclip_cli.sources.benchmarks.items import PAIRS, Item

FILE = "Questions.csv"
COLUMNS = ("id", "type", "statement")  # the official code goes by their places
PROMPT = "a photo of "  # before each statement, in the official evaluation


def _items(files: Files) -> Iterator[Item]:
    """Two rows each."""
    path = files.first(FILE)
    rows = files.csv_items(path, COLUMNS, by_place=True)
    pairs = iter(lambda: list(itertools.islice(rows, 2)), [])
    for number, pair in enumerate(pairs, start=1):
        yield Item({"rows": pair}, files, path, number)


def _record(item: Item) -> dict[str, Any]:
    """Each row's image belongs to its statement."""
    rows: list[Item] = item["rows"]
    if len(rows) < 2:
        raise rows[0].error("the last row has no partner", expected="pairs of rows")
    pattern = rows[0].text("type")
    images = [f"{pattern}/{row.integer('id')}.jpg" for row in rows]
    return item.record(
        subset=pattern,
        images=[
            row.image_path(name, f"MLLM_VLM Images/{name}")
            for row, name in zip(rows, images, strict=True)
        ],
        captions=[PROMPT + row.text("statement") for row in rows],
        truth=PAIRS,
        tags={"pattern": pattern},
    )


MMVP = Benchmark(
    reader(_items, _record),
    winoground(
        Metric("text to image pairs, {} patterns", (("image",),), by_tag("pattern")),
        Metric("group score, mean of {} patterns", (("group",),), by_tag("pattern"), vl_compo=True),
    ),
    path=FILE,
    images="MLLM_VLM Images, one folder a pattern",
    source="https://huggingface.co/datasets/MMVP/MMVP_VLM",
    items=135,
    metric="pair accuracy: each statement prefers its image",
    aggregation="mean over 9 visual patterns",
)
