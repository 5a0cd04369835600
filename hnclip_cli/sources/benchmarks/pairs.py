"""Two images and two captions, each image true for one of the captions.

- Winoground (Thrush et al. 2022, arXiv:2204.03162) and ColorSwap (arXiv:2402.04492): the captions
  have the same words.
- EqBen (Wang et al. 2023, arXiv:2303.14465): the images differ by a small visual change. The full
  annotation, the public tenth of it and the sample for language models have the same form. The
  annotations of single subsets hold the same items in objects by video and subject.
- MMVP-VLM (Tong et al. 2024, arXiv:2401.06209): images that CLIP takes for the same.
"""

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hnclip_cli.benchmarks import Benchmark, Leaf, Metric, Place, by_subset, by_tag, winoground
from hnclip_cli.sources.benchmarks.files import Files, reader
from hnclip_cli.sources.benchmarks.items import PAIRS, Item

WINOGROUND_FILE = "examples.jsonl"
COLORSWAP_FILE = "test.json"
IMAGES = "images.zip of the same page, unpacked"


def _winoground(item: Item) -> dict[str, Any]:
    """``tags`` are the linguistic phenomena that the authors assigned."""
    names = [item.text(f"image_{side}") for side in (0, 1)]
    return item.record(
        images=[item.image_path(f"{name}.png", name) for name in names],
        captions=[item.text(f"caption_{side}") for side in (0, 1)],
        truth=PAIRS,
        tags=_tags(item, "collapsed_tag", "tag", "secondary_tag"),
    )


def _colorswap(item: Item) -> dict[str, Any]:
    names = [item.text(f"image_{side}") for side in (1, 2)]
    return item.record(
        images=[item.image_path(name, name.rpartition("/")[2]) for name in names],
        captions=[item.text(f"caption_{side}") for side in (1, 2)],
        truth=PAIRS,
        tags=_tags(item, "image_source", "caption_source"),
    )


def _tags(item: Item, *names: str) -> dict[str, str]:
    return {name: item.text(name) for name in names if item.get(name)}


WINOGROUND = Benchmark(
    reader(lambda files: files.jsonl_items(files.first(WINOGROUND_FILE)), _winoground),
    winoground(vl_compo=True),
    path=WINOGROUND_FILE,
    images=IMAGES,
    source="https://huggingface.co/datasets/facebook/winoground",
    items=400,
    metric="text, image and group score",
    aggregation="micro",
)
COLORSWAP = replace(
    WINOGROUND,
    read=reader(lambda files: files.json_items(files.paths([COLORSWAP_FILE]), list), _colorswap),
    path=COLORSWAP_FILE,
    source="https://github.com/Top34051/colorswap",
    items=300,
)

EQBEN_FILES = ("private_info_global.json", "eqben_subset_10percent_final.json", "all_select.json")


def _eqben(item: Item) -> dict[str, Any]:
    """The subset is the folder that the images lie in, as ``eqbenag``.

    Of several captions of an image the first is taken, as the official code does.
    """
    names = [item.text("image0"), item.text("image1")]
    return item.record(
        subset=names[0].partition("/")[0],
        images=[item.image_path(name, _as_jpg(name)) for name in names],
        captions=[_first_caption(item, "caption0"), _first_caption(item, "caption1")],
        truth=PAIRS,
    )


def _nested(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All items of nested lists and objects, with the way to them as their key."""
    if isinstance(content, dict) and "image0" not in content:
        inner = [(str(name), value) for name, value in content.items()]
    elif isinstance(content, list):
        inner = [(str(index), value) for index, value in enumerate(content)]
    else:
        yield key, content
        return
    for name, value in inner:
        yield from _nested(value, f"{key}/{name}" if key else name)


def _first_caption(item: Item, name: str) -> str:
    return item.texts(name)[0] if isinstance(item.get(name), list) else item.text(name)


def _as_jpg(name: str) -> str:
    """The name in the lighter release of the images."""
    stem, ending = os.path.splitext(name)
    return f"{stem}.jpg" if ending == ".png" else name


def image_set(place: Place) -> Leaf | None:
    """The three sets made with Kubric are one of five."""
    is_kubric = "kubric" in place.subset.lower()
    return ("kubric", place.subset) if is_kubric else by_subset(place)


EQBEN = Benchmark(
    reader(lambda files: files.json_items([files.first(*EQBEN_FILES)], object, _nested), _eqben),
    winoground(Metric("group score, mean of {} sets", (("group",),), image_set, vl_compo=True)),
    path=", or ".join(EQBEN_FILES),
    images="the folders eqbenag, eqbenyoucook2, eqbengebc, eqbenkubric_* and eqbensd",
    source="https://github.com/Wangt-CN/EqBen",
    items=251048,
    metric="text, image and group score",
    aggregation="mean over AG, YouCook2, GEBC, Kubric (mean of 3) and SD",
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
        truth=PAIRS,
        tags={"pattern": pattern},
    )


MMVP = Benchmark(
    reader(_mmvp_items, _mmvp),
    winoground(
        Metric("text to image pairs, {} patterns", (("image",),), by_tag("pattern")),
        Metric("group score, mean of {} patterns", (("group",),), by_tag("pattern"), vl_compo=True),
    ),
    path=MMVP_FILE,
    images="MLLM_VLM Images, one folder a pattern",
    source="https://huggingface.co/datasets/MMVP/MMVP_VLM",
    items=135,
    metric="pair accuracy: each statement prefers its image",
    aggregation="mean over 9 visual patterns",
)
