"""Zero-shot classification: a folder of images a class, and prompts made from the class names."""

import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.benchmarks.official import Benchmark, Official, read_json
from hnclip_cli.streams.files import inside


def read_imagefolder(official: Official) -> Iterator[dict[str, Any]]:
    """A record an image, with the prompts of all classes; those of its own class are true.

    The prompts of a class follow one another, ``prompts_per_class`` of them.

    Raises:
        HnclipError: no class, a class without a folder, or a name that is no text.
    """
    names = _class_names(official)
    prompts = official.prompts(list(names.values()))
    captions = [prompt for of_class in prompts for prompt in of_class]
    count = len(prompts[0])
    truths = {
        folder: [[0, number * count + i] for i in range(count)]
        for number, folder in enumerate(names)
    }

    def convert(item: Item) -> dict[str, Any]:
        folder = item["class"]
        return item.record(
            "imagefolder",
            subset=os.path.basename(os.path.abspath(official.images)),
            images=[official.image(item, item.key)],
            captions=captions,
            truth=truths[folder],
            prompts_per_class=count,
            tags={"class": names[folder]},
        )

    return official.records(_items(official, names), convert)


def _class_names(official: Official) -> dict[str, str]:
    """The classes' folders and names, by folder: those of a JSON file, else the folders' own."""
    path = official.path
    if not os.path.isdir(path):
        names = read_json(path, dict)
    else:
        names = {entry.name: entry.name for entry in os.scandir(path) if entry.is_dir()}
    for folder, name in names.items():
        if not isinstance(name, str) or not name.strip():
            raise HnclipError(
                "not a class name", where=path, got=f"{name!r} for {folder!r}", expected="some text"
            )
        if not os.path.isdir(inside(official.images, folder, "class folder")):
            raise HnclipError(
                f"no folder for the class {folder!r}",
                where=official.images,
                hint="another --images",
            )
    if not names:
        raise HnclipError("no class", where=path, expected="one folder a class, or a JSON object")
    return dict(sorted(names.items()))


def _items(official: Official, names: dict[str, str]) -> Iterator[Item]:
    index = 0
    for folder in names:
        for name in sorted(os.listdir(os.path.join(official.images, folder))):
            if not name.startswith("."):
                yield Item({"class": folder}, official.path, f"{folder}/{name}", index)
                index += 1


IMAGEFOLDER = Benchmark(
    read_imagefolder,
    path='the folder with one folder a class, or a JSON file {"folder": "class name"}',
    images="the folder with one folder a class",
    source="any data set of labeled images",
    items=None,
    metric="top-1 and top-5 accuracy",
    aggregation="micro, or mean over classes",
)
