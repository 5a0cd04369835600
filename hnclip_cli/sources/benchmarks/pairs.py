"""Two images and two captions, each image true for one of the captions.

- Winoground (Thrush et al. 2022, arXiv:2204.03162) and ColorSwap (arXiv:2402.04492): the captions
  have the same words.
- EqBen (Wang et al. 2023, arXiv:2303.14465): the images differ by a small visual change. The full
  annotation, the public tenth of it and the sample for language models have the same form. The
  annotations of single subsets hold the same items in objects by video and subject.
- MMVP-VLM (Tong et al. 2024, arXiv:2401.06209): images that CLIP takes for the same.
- InpaintCOCO (Rösch et al. 2024, arXiv:2403.02875): a COCO photograph and a part of it repainted.
  The parquet files hold the images themselves. They are unpacked into the folder of the images, so
  that records can name them.
"""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from hnclip_cli.benchmarks import Leaf, Metric, Place, by_subset, by_tag, winoground
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files, benchmark, reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.streams.arrow_files import arrow_rows

TRUTH = [[0, 0], [1, 1]]  # each caption of the image at its own place

WINOGROUND_FILE = "examples.jsonl"
COLORSWAP_FILE = "test.json"


def _winoground(item: Item) -> dict[str, Any]:
    """``tags`` are the linguistic phenomena that the authors assigned."""
    names = [item.text(f"image_{side}") for side in (0, 1)]
    return item.record(
        images=[item.image_path(f"{name}.png", name) for name in names],
        captions=[item.text(f"caption_{side}") for side in (0, 1)],
        truth=TRUTH,
        tags=_tags(item, "collapsed_tag", "tag", "secondary_tag"),
    )


def _colorswap(item: Item) -> dict[str, Any]:
    names = [item.text(f"image_{side}") for side in (1, 2)]
    return item.record(
        images=[item.image_path(name, name.rpartition("/")[2]) for name in names],
        captions=[item.text(f"caption_{side}") for side in (1, 2)],
        truth=TRUTH,
        tags=_tags(item, "image_source", "caption_source"),
    )


def _tags(item: Item, *names: str) -> dict[str, str]:
    return {name: item.text(name) for name in names if item.get(name)}


WINOGROUND = benchmark(
    "winoground",
    reader(lambda files: files.jsonl_items(files.first(WINOGROUND_FILE)), _winoground),
    winoground(vl_compo=True),
)
COLORSWAP = benchmark(
    "colorswap",
    reader(lambda files: files.json_items(files.paths([COLORSWAP_FILE]), list), _colorswap),
    winoground(vl_compo=True),
)

EQBEN_FILES = ("private_info_global.json", "eqben_subset_10percent_final.json", "all_select.json")


def _eqben(item: Item) -> dict[str, Any]:
    """The subset is the folder that the images lie in, as ``eqbenag``.

    Of several captions of an image the first is taken, as the official code does.
    """
    names = [item.text("image0"), item.text("image1")]
    return item.record(
        subset=names[0].partition("/")[0],
        # The lighter release of the images has them as JPEG.
        images=[item.image_path(name, re.sub(r"\.png$", ".jpg", name)) for name in names],
        captions=[_first_caption(item, "caption0"), _first_caption(item, "caption1")],
        truth=TRUTH,
    )


def _nested(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All items of nested lists and objects, with the way to them as their key."""
    if isinstance(content, dict) and "image0" not in content:
        inner: Iterable[tuple[Any, Any]] = content.items()
    elif isinstance(content, list):
        inner = enumerate(content)
    else:
        yield key, content
        return
    for name, value in inner:
        yield from _nested(value, f"{key}/{name}" if key else str(name))


def _first_caption(item: Item, name: str) -> str:
    return item.texts(name)[0] if isinstance(item.get(name), list) else item.text(name)


def image_set(place: Place) -> Leaf | None:
    """The three sets made with Kubric are one of five."""
    is_kubric = "kubric" in place.subset.lower()
    return ("kubric", place.subset) if is_kubric else by_subset(place)


EQBEN = benchmark(
    "eqben",
    reader(lambda files: files.json_items([files.first(*EQBEN_FILES)], object, _nested), _eqben),
    winoground(Metric("group score, mean of {} sets", (("group",),), image_set, vl_compo=True)),
)


MMVP_FILE = "Questions.csv"
MMVP_COLUMNS = ("id", "type", "statement")  # the official code goes by their places
MMVP_PROMPT = "a photo of "  # before each statement, in the official evaluation


def _mmvp_items(files: Files) -> Iterator[Item]:
    """Two rows each."""
    path = files.first(MMVP_FILE)
    rows = files.csv_items(path, MMVP_COLUMNS, by_place=True)
    pairs = iter(lambda: list(itertools.islice(rows, 2)), [])
    for number, pair in enumerate(pairs, start=1):
        yield Item({"rows": pair}, files, path, number)


def _mmvp(item: Item) -> dict[str, Any]:
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
        captions=[MMVP_PROMPT + row.text("statement") for row in rows],
        truth=TRUTH,
        tags={"pattern": pattern},
    )


MMVP = benchmark(
    "mmvp",
    reader(_mmvp_items, _mmvp),
    winoground(
        Metric("text to image pairs, {} patterns", (("image",),), by_tag("pattern")),
        Metric("group score, mean of {} patterns", (("group",),), by_tag("pattern"), vl_compo=True),
    ),
)


PARQUET_FILES = tuple(f"test-{part:05d}-of-00003.parquet" for part in range(3))
SIDES = ("coco", "inpaint")
PARQUET_COLUMNS = [
    "concept",
    *(f"{side}_{what}" for side in SIDES for what in ("caption", "image")),
]


def _inpaintcoco(item: Item) -> dict[str, Any]:
    """Some rows have no second caption; each is a bad item."""
    concept = item.text("concept")
    captions = [item.text(f"{side}_caption") for side in SIDES]
    return item.record(
        subset=concept,
        images=[_unpacked(item, side) for side in SIDES],
        captions=captions,
        truth=TRUTH,
        tags={"concept": concept},
    )


def _parquet_items(files: Files) -> Iterator[Item]:
    for path in files.paths(PARQUET_FILES):
        part = int(os.path.basename(path).split("-")[1])
        for index, row in enumerate(arrow_rows(path, partial(_columns, path))):
            yield Item(row, files, path, f"{part}/{index}")


def _columns(path: str, names: Sequence[str]) -> list[str]:
    if absent := [name for name in PARQUET_COLUMNS if name not in names]:
        raise HnclipError("not an official file", where=path, expected=f"also {' '.join(absent)}")
    return PARQUET_COLUMNS


def _unpacked(item: Item, side: str) -> str:
    stem = f"{item.key.replace('/', '-')}-{side}"
    return item.files.unpacked(item, f"{side}_image", stem)


INPAINTCOCO = benchmark(
    "inpaintcoco",
    reader(_parquet_items, _inpaintcoco),
    winoground(),
)
