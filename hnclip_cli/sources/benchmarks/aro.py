"""ARO's Visual Genome sets (Yuksekgonul et al. 2023, arXiv:2210.01936).

The official evaluation shows the model only the box that holds what the captions speak of. Which
relations and pairs of attributes the macro averages leave out is a matter of the score, so all
published items become records, tagged with what the averages go over.
"""

from typing import Any

from hnclip_cli.benchmarks import Benchmark, accuracy, by_tag, mean
from hnclip_cli.sources.benchmarks.files import reader
from hnclip_cli.sources.benchmarks.items import Item

RELATION_FILE = "visual_genome_relation.json"
ATTRIBUTION_FILE = "visual_genome_attribution.json"
IMAGES = "the GQA subset that the same page links"
SOURCE = "https://github.com/mertyg/vision-language-models-are-bows"


def _relation(item: Item) -> dict[str, Any]:
    """Two objects of the caption exchanged around its relation."""
    return _record(item, "swap-object", {"relation": item.text("relation_name")})


def _attribution(item: Item) -> dict[str, Any]:
    """The attributes of two objects exchanged."""
    return _record(item, "swap-attribute", {"attributes": "_".join(item.texts("attributes"))})


def _record(item: Item, kind: str, tags: dict[str, str]) -> dict[str, Any]:
    return item.short(
        item.image_path(item.text("image_path")),
        item.text("true_caption"),
        [item.text("false_caption")],
        kind,
        box=("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
        tags=tags,
    )


ARO_VG_RELATION = Benchmark(
    reader(lambda files: files.json_items(files.paths([RELATION_FILE]), list), _relation),
    accuracy(mean("relations", by_tag("relation"), vl_compo=True)),
    path=RELATION_FILE,
    images=IMAGES,
    source=SOURCE,
    items=23937,
    metric="accuracy: caption > negative",
    aggregation="macro over relations, without the symmetric ones",
)
ARO_VG_ATTRIBUTION = Benchmark(
    reader(lambda files: files.json_items(files.paths([ATTRIBUTION_FILE]), list), _attribution),
    accuracy(mean("pairs of >= 25", by_tag("attributes"), least=25, vl_compo=True)),
    path=ATTRIBUTION_FILE,
    images=IMAGES,
    source=SOURCE,
    items=28748,
    metric="accuracy: caption > negative",
    aggregation="macro over pairs of attributes with at least 25 items",
)
