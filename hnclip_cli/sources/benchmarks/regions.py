"""A box in an image of Visual Genome, its caption, and captions that are false for it.

- ARO's Visual Genome sets (Yuksekgonul et al. 2023, arXiv:2210.01936). The official evaluation
  shows the model only the box that holds what the captions speak of. Which relations and pairs of
  attributes the macro averages leave out is a matter of the score, so all published items become
  records, tagged with what the averages go over.
- CREPE, productivity (Ma et al. 2023, arXiv:2212.07796): captions of 4 to 12 atoms. Systematicity
  is not read: it is defined only for models trained on three particular data sets.
"""

from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import Metric, accuracy, by_tag, by_word, mean
from hnclip_cli.sources.benchmarks.files import Files, benchmark, reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.places import visual_genome_places

RELATION_FILE = "visual_genome_relation.json"
ATTRIBUTION_FILE = "visual_genome_attribution.json"


def _relation(item: Item) -> dict[str, Any]:
    """Two objects of the caption exchanged around its relation."""
    return _aro(item, "swap-object", {"relation": item.text("relation_name")})


def _attribution(item: Item) -> dict[str, Any]:
    """The attributes of two objects exchanged."""
    return _aro(item, "swap-attribute", {"attributes": "_".join(item.texts("attributes"))})


def _aro(item: Item, kind: str, tags: dict[str, str]) -> dict[str, Any]:
    return item.short(
        item.image_path(item.text("image_path")),
        item.text("true_caption"),
        [item.text("false_caption")],
        kind,
        box=("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
        tags=tags,
    )


ARO_VG_RELATION = benchmark(
    "aro-vg-relation",
    reader(lambda files: files.json_items(files.paths([RELATION_FILE]), list), _relation),
    accuracy(
        mean("relations", by_tag("relation"), vl_compo=True, is_without="symmetric relations")
    ),
)
ARO_VG_ATTRIBUTION = benchmark(
    "aro-vg-attribution",
    reader(lambda files: files.json_items(files.paths([ATTRIBUTION_FILE]), list), _attribution),
    accuracy(mean("pairs of >= 25", by_tag("attributes"), least=25, vl_compo=True)),
)

CREPE_TYPES = ("atom", "swap", "negate")
CREPE_FILES = tuple(
    f"{kind}/prod_vg_hard_negs_{kind}_complexity_{complexity}.csv"
    for kind in CREPE_TYPES
    for complexity in range(4, 13)
)
CREPE_COLUMNS = ("image_id", "caption", "x", "y", "width", "height", "hard_negs")


def _crepe(item: Item) -> dict[str, Any]:
    """A region of an image, its caption, and five negatives."""
    return item.short(
        vg_image(item, "image_id"),
        item.caption,
        item.literal_texts("hard_negs"),
        item["kind"],
        box=("x", "y", "width", "height"),
        subset=item["kind"],
        tags={"complexity": item["complexity"]},
    )


def _crepe_items(files: Files) -> Iterator[Item]:
    for path in files.paths(CREPE_FILES):
        kind, _, complexity = path.removesuffix(".csv").rpartition("_hard_negs_")[2].split("_")
        for item in files.csv_items(path, CREPE_COLUMNS):
            item |= {"kind": kind, "complexity": complexity}
            item.key = f"{complexity}/{item.key}"
            yield item


def vg_image(item: Item, name: str) -> str:
    """The path of a Visual Genome image by its number, in one of the folders it is published in."""
    return item.image_path(*visual_genome_places(item.integer(name)))


CREPE = benchmark(
    "crepe",
    reader(_crepe_items, _crepe),
    (
        Metric("R@1, mean of {} forms", leaf=by_word(*CREPE_TYPES), vl_compo=True),
        Metric("R@1, {}", leaf=by_word(*CREPE_TYPES), each=True),
        *(Metric(f"R@{k}, micro", rank=k) for k in (1, 3, 5, 10)),
    ),
)
