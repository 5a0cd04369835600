"""VL-CheckList (Zhao et al. 2022, arXiv:2207.00221), the image-text comparison (ITC).

A tree of small YAML files names the annotation and the folder of its images for each family
(Object, Attribute, Relation), aspect and source.
"""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.benchmarks.official import Benchmark, Official, listed, read_json
from hnclip_cli.streams.files import inside, open_input_file

CORPUS = os.path.join("corpus", "v1")


@dataclass(frozen=True)
class Corpus:
    """What a YAML file of the tree says.

    Attributes:
        subset: family and aspect, as ``Object/Location/center``.
        source: the data set that the images come from.
        annotation: path of the JSON file with the items.
        images: folder of the images, inside that of all images.
    """

    subset: str
    source: str
    annotation: str
    images: str


def read_vl_checklist(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item: its first positive text against its first negative, as the official ITC.

    Raises:
        HnclipError: PATH holds no corpus, or a YAML file names no annotation inside PATH.
    """

    def convert(item: Item) -> dict[str, Any]:
        caption, foil = item.texts("POS")[0], item.texts("NEG")[0]
        corpus: Corpus = item["corpus"]
        family = corpus.subset.partition("/")[0]
        return item.record(
            "vl-checklist",
            subset=corpus.subset,
            image=official.image(item, os.path.join(corpus.images, item.image), item.image),
            caption=caption,
            negatives=[negative(caption, foil, family.lower())],
            tags={"family": family, "source": corpus.source},
        )

    return official.records(_items(official), convert)


def _items(official: Official) -> Iterator[Item]:
    absent = []
    for corpus in _corpora(official):
        if os.path.isfile(corpus.annotation):
            pairs = (
                (f"{corpus.source}/{index}", _fields(entry, corpus))
                for index, entry in enumerate(read_json(corpus.annotation, list))
            )
            yield from official.items(corpus.annotation, pairs)
        else:
            absent.append(os.path.relpath(corpus.annotation, official.path))
    if absent:
        official.note(f"{official.path}: {len(absent)} annotations are not there: {listed(absent)}")


def _corpora(official: Official) -> list[Corpus]:
    root = os.path.join(official.path, CORPUS)
    names = sorted(glob.glob("**/*.yaml", root_dir=root, recursive=True))
    if not names:
        raise HnclipError(
            "no official file in this folder", where=official.path, expected=f"{CORPUS}/**/*.yaml"
        )
    corpora = []
    for name in names:
        annotation, images = _config(os.path.join(root, name))
        subset, file = os.path.split(name)
        path = inside(official.path, annotation, "annotation")
        corpora.append(Corpus(subset, os.path.splitext(file)[0], path, images))
    return corpora


def _fields(entry: Any, corpus: Corpus) -> Any:
    """``[image, {"POS": …, "NEG": …}]`` as one object; anything else as it is."""
    match entry:
        case [image, dict(texts)]:
            return {**texts, "image": image, "corpus": corpus}
    return entry


def _config(path: str) -> tuple[str, str]:
    """The annotation's path inside PATH, and the folder of its images."""
    import yaml

    with open_input_file(path) as stream:
        try:
            config = yaml.safe_load(stream)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise HnclipError(f"broken YAML ({error})", where=path) from None
    match config:
        case {"ANNO_PATH": str(annotation), "IMG_ROOT": str(folder)}:
            return annotation, folder
    raise HnclipError("not an official file", where=path, expected="ANNO_PATH and IMG_ROOT")


VL_CHECKLIST = Benchmark(
    read_vl_checklist,
    path="the repository's folder, with corpus/ and data/",
    images="the folders vg, swig and hake",
    source="https://github.com/om-ai-lab/VL-CheckList",
    items=None,
    metric="ITC accuracy: caption > negative",
    aggregation="mean over sources, then aspects, then Object, Attribute, Relation",
)
