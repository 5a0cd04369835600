"""Zero-shot classification: a folder of images a class, and prompts made from the class names."""

import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import Metric
from hnclip_cli.errors import HnclipError
from hnclip_cli.language.window import tokens
from hnclip_cli.sources.benchmarks.files import Files, benchmark, listed, read_json
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.streams.files import inside


def read_imagefolder(files: Files) -> Iterator[dict[str, Any]]:
    """A record an image, with the prompts of all classes; those of its own class are true.

    The prompts of a class follow one another, ``prompts_per_class`` of them. Classes of the same
    prompts, as ImageNet's two of sunglasses, are true for each other's images: no model can tell
    them apart.
    """
    from hnclip_cli.models.zero_shot import class_prompts  # which imports torch

    names = _class_names(files)
    prompts = class_prompts(list(names.values()), files.templates)
    captions = [prompt for of_class in prompts for prompt in of_class]
    count = len(prompts[0])
    alike: dict[tuple[str, ...], list[int]] = {}
    keys = [tuple(tokens(of_class[0])) for of_class in prompts]
    for number, key in enumerate(keys):
        alike.setdefault(key, []).append(number)
    truths = {
        folder: [[0, number * count + i] for number in alike[key] for i in range(count)]
        for folder, key in zip(names, keys, strict=True)
    }
    shared = [prompts[numbers[0]][0] for numbers in alike.values() if len(numbers) > 1]
    if shared:
        files.note(
            f"{files.path}: classes with the same prompts count as one class: {listed(shared)}"
        )

    def convert(item: Item) -> dict[str, Any]:
        folder = item["class"]
        return item.record(
            subset=os.path.basename(os.path.abspath(files.images)),
            images=[item.image_path(item.key)],
            captions=captions,
            truth=truths[folder],
            prompts_per_class=count,
            tags={"class": names[folder]},
        )

    items = (
        Item({"class": folder}, files, files.path, f"{folder}/{name}")
        for folder in names
        for name in sorted(os.listdir(os.path.join(files.images, folder)))
        if not name.startswith(".")
    )
    return files.records(items, convert)


def _class_names(files: Files) -> dict[str, str]:
    """The classes' folders and names, by folder: those of a JSON file, else the folders' own."""
    path = files.path
    if not os.path.isdir(path):
        names = read_json(path, dict)
    else:
        names = {entry.name: entry.name for entry in os.scandir(path) if entry.is_dir()}
    for folder, name in names.items():
        if not isinstance(name, str) or not name.strip():
            raise HnclipError(
                "not a class name", where=path, got=f"{name!r} for {folder!r}", expected="some text"
            )
        if not os.path.isdir(inside(files.images, folder, "class folder")):
            raise HnclipError(
                f"no folder for the class {folder!r}",
                where=files.images,
                hint="another --images",
            )
    if not names:
        raise HnclipError("no class", where=path, expected="one folder a class, or a JSON object")
    return dict(sorted(names.items()))


IMAGEFOLDER = benchmark(
    "imagefolder",
    read_imagefolder,
    tuple(Metric(f"top-{k}", rank=k) for k in (1, 5)),
)
