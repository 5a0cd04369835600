"""SugarCrepe (Hsieh et al. 2023, arXiv:2306.14610) and SugarCrepe++ (Dumpala et al. 2024).

Both are on the photographs of COCO val2017: one caption against one negative, and two captions
that say the same against one negative (arXiv:2406.11171).
"""

from typing import Any

from hnclip_cli.benchmarks import Benchmark, Leaf, Metric, Place, accuracy, by_subset, mean
from hnclip_cli.sources.benchmarks.files import reader
from hnclip_cli.sources.benchmarks.items import Item

FILES_PP = (
    "replace_att.json",
    "replace_obj.json",
    "replace_rel.json",
    "swap_att.json",
    "swap_obj.json",
)
FILES = ("add_att.json", "add_obj.json", *FILES_PP)
BOTH = (("image_to_text_all",),)  # both captions above the negative


def _record(item: Item) -> dict[str, Any]:
    """Captions exactly as published; the official score counts all 7 files."""
    image, foil = item.image_path(item.text("filename")), item.text("negative_caption")
    return item.short(image, item.caption, [foil], item.subset.replace("_", "-"))


def _record_pp(item: Item) -> dict[str, Any]:
    """An image, its two captions, then the negative, which is never true."""
    image = item.image_path(item.text("filename"))
    return item.record(
        images=[image],
        captions=[item.caption, item.text("caption2"), item.text("negative_caption")],
        truth=[[0, 0], [0, 1]],
        group=image,
    )


def form(place: Place) -> Leaf | None:
    """replace, swap or add: the first word of replace_att and its like."""
    return (place.subset.split("_")[0],) if place.subset else None


SUGARCREPE = Benchmark(
    reader(lambda files: files.json_items(files.paths(FILES)), _record),
    accuracy(mean("forms", form, vl_compo=True), mean("files", by_subset)),
    path="the folder of " + " ".join(FILES),
    images="COCO val2017",
    source="https://github.com/RAIVNLab/sugar-crepe/tree/main/data",
    items=7511,
    metric="accuracy: caption > negative",
    aggregation="micro within replace, swap and add, then their mean",
)
SUGARCREPE_PP = Benchmark(
    reader(lambda files: files.json_items(files.paths(FILES_PP), list), _record_pp),
    (
        Metric("ITT, mean of {} files", BOTH, by_subset),
        Metric("ITT, {}", BOTH, by_subset, each=True),
        Metric("ITT, micro", BOTH),
    ),
    path="the folder of " + " ".join(FILES_PP),
    images="COCO val2017",
    source="https://huggingface.co/datasets/Aman-J/SugarCrepe_pp",
    items=4757,
    metric="ITT: both captions > negative",
    aggregation="by file",
)
