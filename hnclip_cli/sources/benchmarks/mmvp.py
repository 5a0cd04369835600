"""MMVP-VLM (Tong et al. 2024, arXiv:2401.06209): pairs of images that CLIP takes for the same."""

import itertools
from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.items import PAIRS, Item
from hnclip_cli.sources.benchmarks.official import Benchmark, Official

FILE = "Questions.csv"
COLUMNS = ("id", "type", "statement")  # the official code goes by their places
PROMPT = "a photo of "  # before each statement, in the official evaluation


def read_mmvp(official: Official) -> Iterator[dict[str, Any]]:
    """A record two rows: each row's image belongs to its statement."""

    def convert(item: Item) -> dict[str, Any]:
        rows: list[Item] = item["rows"]
        if len(rows) < 2:
            raise rows[0].error("the last row has no partner", expected="pairs of rows")
        pattern = rows[0].text("type")
        images = [f"{pattern}/{row.integer('id')}.jpg" for row in rows]
        return item.record(
            "mmvp",
            subset=pattern,
            images=[
                official.image(row, name, f"MLLM_VLM Images/{name}")
                for row, name in zip(rows, images, strict=True)
            ],
            captions=[PROMPT + row.text("statement") for row in rows],
            truth=PAIRS,
            tags={"pattern": pattern},
        )

    path = official.file(FILE)
    rows = official.csv_items(path, COLUMNS, by_place=True)
    pairs = iter(lambda: list(itertools.islice(rows, 2)), [])
    items = (
        Item({"rows": pair}, path, str(number), number - 1)
        for number, pair in enumerate(pairs, start=1)
    )
    return official.records(items, convert)


MMVP = Benchmark(
    read_mmvp,
    path=FILE,
    images="MLLM_VLM Images, one folder a pattern",
    source="https://huggingface.co/datasets/MMVP/MMVP_VLM",
    items=135,
    metric="pair accuracy: each statement prefers its image",
    aggregation="mean over 9 visual patterns",
)
