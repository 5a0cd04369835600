"""SugarCrepe (Hsieh et al. 2023, arXiv:2306.14610) and SugarCrepe++ (Dumpala et al. 2024).

Both are on the photographs of COCO val2017: one caption against one negative, and two captions
that say the same against one negative (arXiv:2406.11171).
"""

from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.benchmarks.official import Benchmark, Official

FILES = (
    "add_att.json",
    "add_obj.json",
    "replace_att.json",
    "replace_obj.json",
    "replace_rel.json",
    "swap_att.json",
    "swap_obj.json",
)
FILES_PP = tuple(name for name in FILES if not name.startswith("add"))


def read_sugarcrepe(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item, captions exactly as published; the official score counts all 7 files."""

    def convert(item: Item) -> dict[str, Any]:
        caption, kind = item.caption, item.subset.replace("_", "-")
        return item.record(
            "sugarcrepe",
            image=official.image(item, item.text("filename")),
            caption=caption,
            negatives=[negative(caption, item.text("negative_caption"), kind)],
        )

    return official.records(official.json_items(FILES), convert)


def read_sugarcrepe_pp(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item: an image, its two captions, then the negative, which is never true."""

    def convert(item: Item) -> dict[str, Any]:
        image = official.image(item, item.text("filename"))
        return item.record(
            "sugarcrepe-pp",
            images=[image],
            captions=[item.caption, item.text("caption2"), item.text("negative_caption")],
            truth=[[0, 0], [0, 1]],
            group=image,
        )

    return official.records(official.json_items(FILES_PP, list), convert)


SUGARCREPE = Benchmark(
    read_sugarcrepe,
    path="the folder of " + " ".join(FILES),
    images="COCO val2017",
    source="https://github.com/RAIVNLab/sugar-crepe/tree/main/data",
    items=7511,
    metric="accuracy: caption > negative",
    aggregation="micro within replace, swap and add, then their mean",
)
SUGARCREPE_PP = Benchmark(
    read_sugarcrepe_pp,
    path="the folder of " + " ".join(FILES_PP),
    images="COCO val2017",
    source="https://huggingface.co/datasets/Aman-J/SugarCrepe_pp",
    items=4757,
    metric="ITT: both captions > negative",
    aggregation="by file",
)
