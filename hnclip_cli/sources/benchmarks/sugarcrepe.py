"""SugarCrepe (Hsieh et al. 2023, arXiv:2306.14610): COCO val2017, one negative a caption."""

from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.official import Item, Official
from hnclip_cli.streams.edits import edit_between

FILES = (
    "add_att.json",
    "add_obj.json",
    "replace_att.json",
    "replace_obj.json",
    "replace_rel.json",
    "swap_att.json",
    "swap_obj.json",
)


def read_sugarcrepe(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item, captions exactly as published; the official score counts all 7 files."""

    def convert(item: Item) -> dict[str, Any]:
        caption, negative = item.caption, item.text("negative_caption")
        return {
            "id": f"sugarcrepe/{item.subset}/{item.key}",
            "image": official.image(item, item.text("filename")),
            "caption": caption,
            "negatives": [
                {
                    "caption": negative,
                    "kind": item.subset.replace("_", "-"),
                    "edits": edit_between(caption, negative),
                }
            ],
            "benchmark": "sugarcrepe",
            "subset": item.subset,
        }

    return official.records(official.json_items(FILES), convert)
