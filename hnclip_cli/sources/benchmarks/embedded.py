"""Files that hold the images themselves: two images and two captions, or an image and three.

The images are unpacked into the folder of the images, so that records can name them.

- InpaintCOCO (Rösch et al. 2024, arXiv:2403.02875): a COCO photograph and a part of it repainted.
- BiVLC (Miranda et al. 2024, arXiv:2406.09952): SugarCrepe's captions, and an image made for each
  negative one. Its captions were reformatted, so they do not equal those of SugarCrepe.
- VisMin (Awal et al. 2024, arXiv:2407.16772): an object, attribute, count or relation changes.
- Half-Truths (CS-CLIP, arXiv:2602.23906): a true part of what an image shows, and the same with a
  false and with a true addition.
"""

import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from hnclip_cli.benchmarks import Leaf, Metric, Place, by_subset, winoground
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files, benchmark, reader
from hnclip_cli.sources.benchmarks.foils import form
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.benchmarks.pairs import named, two_by_two
from hnclip_cli.streams.arrow_files import arrow_rows


def _rows(files: Files, columns: Sequence[str], *releases: Sequence[str]) -> Iterator[Item]:
    """The rows of all parts; the key is the number of the part, and the row's place in it."""
    for path in files.paths(*releases):
        part = re.search(r"\d+", os.path.basename(path))
        for row, fields in enumerate(arrow_rows(path, partial(_all_of, columns, path))):
            yield Item(fields, files, path, f"{int(part[0]) if part else 0}/{row}")


def _all_of(columns: Sequence[str], path: str, names: Sequence[str]) -> Sequence[str]:
    if absent := [name for name in columns if name not in names]:
        raise HnclipError("not an official file", where=path, expected=f"also {' '.join(absent)}")
    return columns


def _unpacked(item: Item, name: str) -> str:
    """The image of a field, as 0-17-coco.jpg of row 17 of part 0."""
    stem = f"{item.key}/{name.removesuffix('_image')}".replace("/", "-")
    return item.files.unpacked(item, name, stem)


INPAINT_PARTS = tuple(f"data/test-{part:05d}-of-00003.parquet" for part in range(3))
INPAINT_IMAGES = ("coco_image", "inpaint_image")
INPAINT_CAPTIONS = ("coco_caption", "inpaint_caption")

INPAINTCOCO = benchmark(
    "inpaintcoco",
    reader(
        lambda files: _rows(files, ("concept", *INPAINT_CAPTIONS, *INPAINT_IMAGES), INPAINT_PARTS),
        # Some rows have no second caption; each is a bad item.
        two_by_two(
            INPAINT_IMAGES, INPAINT_CAPTIONS, _unpacked, subset=["concept"], tags=["concept"]
        ),
    ),
    winoground(),
)

BIVLC_RELEASES = (
    tuple(f"data/test-{part:05d}-of-00002.parquet" for part in range(2)),
    (
        "data/test-00000-of-00002-23fe2e02660e9182.parquet",
        "data/test-00001-of-00002-14f2e7301669b3c1.parquet",
    ),
    tuple(f"default/test/{part:04d}.parquet" for part in range(2)),  # as the page converts it
)
BIVLC_IMAGES = ("image", "negative_image")
BIVLC_CAPTIONS = ("caption", "negative_caption")
BIVLC_TYPES = ("type", "subtype")
# The names of the authors' evaluation, in its order.
BIVLC_SCORES = {
    "I2T": "text",
    "T2I": "image",
    "Group": "group",
    "Ipos_2T": "first_image",
    "Ineg_2T": "second_image",
    "Tpos_2I": "first_caption",
    "Tneg_2I": "second_caption",
}

BIVLC = benchmark(
    "bivlc",
    reader(
        lambda files: _rows(files, BIVLC_IMAGES + BIVLC_CAPTIONS + BIVLC_TYPES, *BIVLC_RELEASES),
        two_by_two(BIVLC_IMAGES, BIVLC_CAPTIONS, _unpacked, subset=BIVLC_TYPES, tags=BIVLC_TYPES),
    ),
    (
        *(Metric(name, ((measure,),)) for name, measure in BIVLC_SCORES.items()),
        *(
            Metric(f"{name}, {{}}", ((measure,),), form, each=True)
            for name, measure in BIVLC_SCORES.items()
        ),
    ),
)

VISMIN_PARTS = tuple(f"data/test/data-{part:05d}-of-00003.arrow" for part in range(3))
VISMIN_IMAGES, VISMIN_CAPTIONS = ("image_0", "image_1"), ("text_0", "text_1")

VISMIN = benchmark(
    "vismin",
    reader(
        lambda files: _rows(files, (*VISMIN_IMAGES, *VISMIN_CAPTIONS, "category"), VISMIN_PARTS),
        two_by_two(
            VISMIN_IMAGES, VISMIN_CAPTIONS, _unpacked, subset=["category"], tags=["category"]
        ),
    ),
    # The authors report no mean of the categories.
    tuple(
        Metric(f"{measure} score, {{}}", ((measure,),), by_subset, each=True)
        for measure in ("text", "image", "group")
    ),
)

HALF_TRUTH_FILES = ("data/coco_qwen", "data/coco_mistral", "data/cc3m_qwen")
HALF_TRUTH_CAPTIONS = ("full_truth", "anchor", "half_truth")  # each says more that is true
HALF_TRUTH_COLUMNS = ("image", *HALF_TRUTH_CAPTIONS, "triplet_type")


def _half_truth_items(files: Files) -> Iterator[Item]:
    """Rows of parquet files with images, or lines of JSON with their names."""
    releases = [[f"{name}.{end}" for name in HALF_TRUTH_FILES] for end in ("parquet", "jsonl")]
    for path in files.paths(*releases):
        if path.endswith(".jsonl"):
            yield from files.jsonl_items(path)
        else:
            rows = arrow_rows(path, partial(_all_of, HALF_TRUTH_COLUMNS, path))
            yield from (Item(fields, files, path, row) for row, fields in enumerate(rows))


def _half_truth(item: Item) -> dict[str, Any]:
    captions = [item.text(name) for name in HALF_TRUTH_CAPTIONS]
    tags = {"type": item.text("triplet_type")}
    if isinstance(item.get("image"), str):
        image = named("{}", "{base}", "images/{base}")(item, "image")
    else:
        image = item.files.unpacked(item, "image", f"{item.subset}-{item.key}")
    return item.record(
        images=[image], captions=captions, truth=[[0, 0], [0, 1]], ordered=True, tags=tags
    )


def _of_type(place: Place) -> Leaf | None:
    kind = place.named("type")
    return (f"{place.subset}, {kind}",) if kind else None


HALF_TRUTHS = benchmark(
    "half-truths",
    reader(_half_truth_items, _half_truth),
    tuple(
        metric
        for name, measure in (("HT", "half_truth"), ("COR", "ordered"))
        for metric in (
            Metric(f"{name}, mean of {{}} files", ((measure,),), by_subset),
            Metric(f"{name}, {{}}", ((measure,),), by_subset, each=True),
            Metric(f"{name}, {{}}", ((measure,),), _of_type, each=True),
        )
    ),
)
