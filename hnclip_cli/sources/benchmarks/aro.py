"""ARO's Visual Genome sets (Yuksekgonul et al. 2023, arXiv:2210.01936).

The official evaluation shows the model only the box that holds what the captions speak of. Which
relations and pairs of attributes the macro averages leave out is a matter of the score, so all
published items become records, tagged with what the averages go over.
"""

from collections.abc import Callable, Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.benchmarks.official import Benchmark, Official

RELATION_FILE = "visual_genome_relation.json"
ATTRIBUTION_FILE = "visual_genome_attribution.json"
BOX = ("bbox_x", "bbox_y", "bbox_w", "bbox_h")


def read_vg_relation(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item: two objects of the caption exchanged around its relation."""

    def tags(item: Item) -> dict[str, str]:
        return {"relation": item.text("relation_name")}

    return _read(official, "aro-vg-relation", RELATION_FILE, "swap-object", tags)


def read_vg_attribution(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item: the attributes of two objects exchanged."""

    def tags(item: Item) -> dict[str, str]:
        return {"attributes": "_".join(item.texts("attributes"))}

    return _read(official, "aro-vg-attribution", ATTRIBUTION_FILE, "swap-attribute", tags)


def _read(
    official: Official, name: str, file: str, kind: str, tags: Callable[[Item], dict[str, str]]
) -> Iterator[dict[str, Any]]:
    def convert(item: Item) -> dict[str, Any]:
        caption = item.text("true_caption")
        return item.record(
            name,
            image=official.image(item, item.text("image_path")),
            crops=[[item.number(side) for side in BOX]],
            caption=caption,
            negatives=[negative(caption, item.text("false_caption"), kind)],
            tags=tags(item),
        )

    return official.records(official.json_items([file], list), convert)


ARO_VG_RELATION = Benchmark(
    read_vg_relation,
    path=RELATION_FILE,
    images="the GQA subset that the same page links",
    source="https://github.com/mertyg/vision-language-models-are-bows",
    items=23937,
    metric="accuracy: caption > negative",
    aggregation="macro over relations, without the symmetric ones",
)
ARO_VG_ATTRIBUTION = Benchmark(
    read_vg_attribution,
    path=ATTRIBUTION_FILE,
    images="the GQA subset that the same page links",
    source="https://github.com/mertyg/vision-language-models-are-bows",
    items=28748,
    metric="accuracy: caption > negative",
    aggregation="macro over pairs of attributes with at least 25 items",
)
