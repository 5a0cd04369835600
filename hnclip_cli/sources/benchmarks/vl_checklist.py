"""VL-CheckList (Zhao et al. 2022, arXiv:2207.00221), the image-text comparison (ITC).

A tree of small YAML files names the annotation and the folder of its images for each family
(Object, Attribute, Relation), aspect and source.
"""

import glob
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from hnclip_cli.benchmarks import Leaf, Metric, Place, accuracy, mean
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files, benchmark, listed, reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.streams.files import inside, read_whole

MAX_YAML_BYTES = 1 << 16
CORPUS = os.path.join("corpus", "v1")


class Corpus(NamedTuple):
    """What a YAML file of the tree says."""

    subset: str  # family and aspect, as ``Object/Location/center``
    source: str  # the data set that the images come from
    annotation: str  # path of the JSON file with the items
    images: str  # their folder, inside that of all images

    def pairs(self, content: list[Any]) -> Iterator[tuple[str, Any]]:
        """Each ``[image, {"POS": …, "NEG": …}]`` as one object; anything else as it is."""
        for index, entry in enumerate(content):
            match entry:
                case [image, dict(texts)]:
                    entry = {**texts, "image": image, "corpus": self}
            yield f"{self.source}/{index}", entry


def _record(item: Item) -> dict[str, Any]:
    """The first positive text against the first negative, as the official ITC."""
    caption, foil = item.texts("POS")[0], item.texts("NEG")[0]
    corpus: Corpus = item["corpus"]
    family = corpus.subset.partition("/")[0]
    image = item.image_path(os.path.join(corpus.images, item.image), item.image)
    tags = {"family": family, "source": corpus.source}
    return item.short(image, caption, [foil], family.lower(), subset=corpus.subset, tags=tags)


def _items(files: Files) -> Iterator[Item]:
    root = os.path.join(files.path, CORPUS)
    names = sorted(glob.glob("**/*.yaml", root_dir=root, recursive=True))
    if not names:
        raise HnclipError(
            "no official file in this folder", where=files.path, expected=f"{CORPUS}/**/*.yaml"
        )
    absent = []
    for corpus in [_corpus(files, root, name) for name in names]:
        if os.path.isfile(corpus.annotation):
            yield from files.json_items([corpus.annotation], list, corpus.pairs)
        else:
            absent.append(os.path.relpath(corpus.annotation, files.path))
    if absent:
        files.note(f"{files.path}: {len(absent)} annotations are not there: {listed(absent)}")


def _corpus(files: Files, root: str, name: str) -> Corpus:
    import yaml

    path = os.path.join(root, name)
    data = read_whole(path, MAX_YAML_BYTES)
    try:
        config = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise HnclipError(f"broken YAML ({error})", where=path) from None
    match config:
        case {"ANNO_PATH": str(annotation), "IMG_ROOT": str(images)}:
            subset, file = os.path.split(name)
            annotation = inside(files.path, annotation, "annotation")
            return Corpus(subset, os.path.splitext(file)[0], annotation, images)
    raise HnclipError("not an official file", where=path, expected="ANNO_PATH and IMG_ROOT")


def branch(place: Place) -> Leaf | None:
    """Object, Attribute or Relation; its aspect; the source of the images."""
    family = place.named("family") or place.subset.partition("/")[0]
    return (family, place.subset, place.named("source")) if family else None


VL_CHECKLIST = benchmark(
    "vl-checklist",
    reader(_items, _record),
    accuracy(
        mean("families", branch, vl_compo=True),
        Metric("accuracy, {}", leaf=branch, each=True),
    ),
)
