"""Densely Captioned Images (Urbanek et al. 2023, arXiv:2312.08578), a JSON file an image.

- sDCI, the summarized test part: the image and each of its larger crops has a short caption and
  negatives made by a language model.
- Long-DCI (Najdenkoska et al. 2024, arXiv:2410.10034): retrieval by the long description of each
  image of all parts.
"""

import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import DIRECTIONS, IMAGE_TO_TEXT, OF_RANKS, Leaf, Metric, Place
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files, benchmark, read_json, reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.benchmarks.karpathy import RECALLS
from hnclip_cli.sources.benchmarks.pairs import named
from hnclip_cli.streams.files import inside

FOLDERS = ("complete", "annotations")  # of the archive; the second one has no summaries
MIN_SIDE = 224  # of a crop that counts
PADDING = 0.15  # of a crop, on each side
BATCH = 8  # images and captions that the official code compares with each other
SPLITS = "splits.json"
WHOLE = "base"  # the official key of the whole image

_photo = named("{}", "photos/{}", "{base}")


def _sdci(files: Files) -> Iterator[dict[str, Any]]:
    """Two records an image or crop: against the first swap, and against the hardest negative.

    The tag ``batch`` says which eight the official code compares with each other.
    """
    path = files.first(SPLITS)
    names = read_json(path, dict).get("test")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise HnclipError("not an official file", where=path, expected='a list "test" of names')
    folder = os.path.join(os.path.dirname(os.path.abspath(path)), FOLDERS[0])
    count = 0
    for found in files.records(_annotations(files, folder, names), _entries):
        for item, caption, negatives in found["entries"]:
            tags = {"batch": str(count // BATCH), "part": "whole" if item.key == WHOLE else "crop"}
            key, count = f"{found['name']}/{item.key}", count + 1
            for subset, negative in negatives.items():
                item.key = key
                yield item.short(
                    found["image"], caption, [negative], "swap", subset=subset, tags=tags,
                    group=key, box=("left", "top", "width", "height") if "left" in item else (),
                )  # fmt: skip


def _annotations(files: Files, folder: str, names: list[str]) -> Iterator[Item]:
    for name in names:
        path = inside(folder, name, "annotation")
        yield Item(read_json(path, dict), files, path, os.path.splitext(name)[0])


def _entries(item: Item) -> dict[str, Any] | None:
    """The image and its crops, with captions and negatives.

    Nothing where there are none, and nothing where one of them is incomplete, as in the official
    code.
    """
    if not item.get("summaries") or len(item.get("negatives") or ()) < 2:
        return None
    image = _photo(item, "image")
    boxes = {WHOLE: None} | {
        f"m-{mask.integer('idx')}-sc": _box(mask, *item.files.size(item, image))
        for mask in map(item.inner("mask_data").inner, item["mask_data"])
        if _is_large(mask)
    }
    summaries, negatives = item.inner("summaries"), item.inner("negatives")
    entries = []
    for key, box in boxes.items():
        entry = Item(box or {}, item.files, item.source, key)
        caption = summaries.field(key, object)
        entry["caption"] = caption[0] if isinstance(caption, list) and caption else caption
        chosen = {
            "swaps": negatives.inner(key).texts("swaps")[0],
            "hardest": _hardest(negatives.inner(key), item.inner("clip_scores").inner(key)),
        }
        entries.append((entry, entry.caption, chosen))
    return {"name": item.key, "image": image, "entries": entries}


def _corners(mask: Item) -> tuple[float, float, float, float]:
    corners = [mask.inner("bounds").inner(name) for name in ("topLeft", "bottomRight")]
    left, top, right, bottom = (corner.number(axis) for corner in corners for axis in ("x", "y"))
    return left, top, right, bottom


def _is_large(mask: Item) -> bool:
    left, top, right, bottom = _corners(mask)
    return right - left >= MIN_SIDE and bottom - top >= MIN_SIDE


def _box(mask: Item, width: int, height: int) -> dict[str, float]:
    """The crop with its padding, inside of the image."""
    left, top, right, bottom = _corners(mask)
    wide, high = int((right - left) * PADDING), int((bottom - top) * PADDING)
    left, top = max(left - wide, 0), max(top - high, 0)
    right, bottom = min(right + wide, width), min(bottom + high, height)
    return {"left": left, "top": top, "width": right - left, "height": bottom - top}


def _hardest(negatives: Item, scores: Item) -> str:
    """Of all negatives the one of the highest score that the file gives; the last one of equals."""
    found = [
        (scores.number(f"{kind}_{number}"), text)
        for kind in negatives
        for number, text in enumerate(negatives.texts(kind))
    ]
    return sorted(found, key=lambda one: one[0])[-1][1]


def _of(subset: str, part: str = "") -> Any:
    def leaf(place: Place) -> Leaf | None:
        is_it = place.subset == subset and part in ("", place.named("part"))
        return () if is_it else None

    return leaf


SDCI = benchmark(
    "sdci",
    _sdci,
    (
        Metric("SCM", ((f"{DIRECTIONS[0]}_{OF_RANKS['R']}",),), _of("swaps")),
        Metric("Neg", (IMAGE_TO_TEXT,), _of("swaps")),
        Metric("Neg, whole images", (IMAGE_TO_TEXT,), _of("swaps", "whole")),
        Metric("Neg, hardest", (IMAGE_TO_TEXT,), _of("hardest")),
    ),
)


def _long_items(files: Files) -> Iterator[Item]:
    """The files in the order of their names, of this folder or of one of the archive's in it."""
    folders = [os.path.join(files.path, name) for name in FOLDERS[::-1]]
    folder = next(filter(os.path.isdir, folders), files.path)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    names = sorted(name for name in names if name.endswith(".json") and name != SPLITS)
    if not names:
        raise HnclipError("no annotations", where=files.path, expected="annotations/*.json")
    return _annotations(files, folder, names)


def _long(item: Item) -> dict[str, Any] | None:
    """Nothing of an image without a long description."""
    if not item.field("extra_caption", str):
        return None
    image = _photo(item, "image")
    return item.record(image=image, caption=item.text("extra_caption"), subset="test")


DCI = benchmark("dci", reader(_long_items, _long), RECALLS)
