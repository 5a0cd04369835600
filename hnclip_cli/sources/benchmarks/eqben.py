"""EqBen (Wang et al. 2023, arXiv:2303.14465): two images that differ by a small visual change.

The full annotation, the public tenth of it and the sample for language models have the same form.
The annotations of single subsets hold the same items in objects by video and subject.
"""

import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import Benchmark, Leaf, Metric, Place, by_subset, winoground
from hnclip_cli.sources.benchmarks.files import reader
from hnclip_cli.sources.benchmarks.items import PAIRS, Item

FILES = ("private_info_global.json", "eqben_subset_10percent_final.json", "all_select.json")


def _record(item: Item) -> dict[str, Any]:
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


def _pairs(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All items of nested lists and objects, with the way to them as their key."""
    if isinstance(content, dict) and "image0" not in content:
        inner = [(str(name), value) for name, value in content.items()]
    elif isinstance(content, list):
        inner = [(str(index), value) for index, value in enumerate(content)]
    else:
        yield key, content
        return
    for name, value in inner:
        yield from _pairs(value, f"{key}/{name}" if key else name)


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
    reader(lambda files: files.json_items([files.first(*FILES)], object, _pairs), _record),
    winoground(Metric("group score, mean of {} sets", (("group",),), image_set, vl_compo=True)),
    path=", or ".join(FILES),
    images="the folders eqbenag, eqbenyoucook2, eqbengebc, eqbenkubric_* and eqbensd",
    source="https://github.com/Wangt-CN/EqBen",
    items=251048,
    metric="text, image and group score",
    aggregation="mean over AG, YouCook2, GEBC, Kubric (mean of 3) and SD",
)
