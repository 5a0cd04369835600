"""Retrieval of images by long captions, one an image; what is beyond a model's context is cut off.

- Urban1k (Zhang et al. 2024, arXiv:2403.15378), and ShareGPT4V-1k of the same evaluation: the first
  1,000 captions of ShareGPT4V's (arXiv:2311.12793) file for training.
- DOCCI (Onoe et al. 2024, arXiv:2404.19753), its part for testing.
- IIW (Garg et al. 2024, arXiv:2405.02793): three sets of images together, as long-caption
  evaluations take them.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files, benchmark, reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.benchmarks.karpathy import RECALLS
from hnclip_cli.sources.benchmarks.pairs import named
from hnclip_cli.streams.files import open_input_file, read_whole
from hnclip_cli.streams.json_parts import json_parts


def _pair(
    image: str, caption: str, *places: str, split: str = ""
) -> Callable[[Item], dict[str, Any] | None]:
    """What turns an item to a record, by its fields; ``places`` are those of `named`."""

    def convert(item: Item) -> dict[str, Any] | None:
        if split and item.text("split") != split:
            return None
        place, text = named(*places)(item, image), item.text(caption)
        return item.record(image=place, caption=text, subset="test")

    return convert


CAPTION_FOLDER = "caption"


def _urban1k_items(files: Files) -> Iterator[Item]:
    """A text file an image, whose first line counts, as in the official code."""
    inner = os.path.join(files.path, CAPTION_FOLDER)
    folder = inner if os.path.isdir(inner) else files.path
    names = os.listdir(folder) if os.path.isdir(folder) else []
    stems = [name.removesuffix(".txt") for name in names if name.endswith(".txt")]
    if not stems:
        raise HnclipError("no captions", where=files.path, expected=f"{CAPTION_FOLDER}/N.txt")
    for stem in sorted(stems, key=lambda stem: (len(stem), stem)):
        path = os.path.join(folder, f"{stem}.txt")
        try:
            line = read_whole(path).partition(b"\n")[0].decode()
        except UnicodeDecodeError:
            raise HnclipError("invalid UTF-8", where=path) from None
        yield Item({"image": f"{stem}.jpg", "caption": line}, files, path, stem)


URBAN1K = benchmark(
    "urban1k",
    reader(_urban1k_items, _pair("image", "caption", "{}", "image/{}", "images/{}")),
    RECALLS,
)

DOCCI_FILE = "docci_descriptions.jsonlines"
DOCCI = benchmark(
    "docci",
    reader(
        lambda files: files.jsonl_items(files.first(DOCCI_FILE)),
        _pair("image_file", "description", "{}", "images/{}", split="test"),
    ),
    RECALLS,
)

IIW_FILES = ("IIW-400/data.jsonl", "DCI_Test/data.jsonl", "DOCCI_Test/data.jsonl")
IIW_FOLDERS = ("", "docci_aar/", "images_aar/", "dci/", "photos/", "docci/", "images/")


def _iiw_items(files: Files) -> Iterator[Item]:
    for path in files.paths(IIW_FILES):
        folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
        for item in files.jsonl_items(path):
            item.key = f"{folder}/{item.key}"
            if "image/key" in item:
                item["image"] = item["image/key"]
            yield item


IIW = benchmark(
    "iiw",
    reader(
        _iiw_items,
        _pair("image", "IIW", *(f"{f}{{}}{end}" for f in IIW_FOLDERS for end in ("", ".jpg"))),
    ),
    RECALLS,
)

SHAREGPT4V_FILE = "share-captioner_coco_lcs_sam_1246k_1107.json"
SHAREGPT4V_EVALUATED = 1000  # the first of all; the others are for training


def _sharegpt4v_items(files: Files) -> Iterator[Item]:
    """The file has 1.5 GB, of which the beginning is read."""
    path = files.first(SHAREGPT4V_FILE)
    with open_input_file(path) as stream:
        parts = itertools.islice(json_parts(stream, path), SHAREGPT4V_EVALUATED)
        yield from files.items(path, ((part.number, json.loads(part.text)) for part in parts))


def _sharegpt4v(item: Item) -> dict[str, Any]:
    """The caption is the answer in a conversation; its lines become one, as in Long-CLIP's code."""
    turns = item.field("conversations", list)
    if len(turns) < 2 or not isinstance(turns[1], dict):
        raise item.error('field "conversations" has no answer', got=str(turns)[:60])
    item |= {"answer": turns[1].get("value")}
    caption = item.text("answer").replace("\n", " ")
    places = named("{}", "{base}", "images/{base}")
    return item.record(image=places(item, "image"), caption=caption, subset="test")


SHAREGPT4V_1K = benchmark("sharegpt4v-1k", reader(_sharegpt4v_items, _sharegpt4v), RECALLS)
