"""Benchmarks: how each one's official files are read, and what its official score counts.

The table stands below the rooms, because ``data`` reads by it and ``eval`` scores by it, and
neither imports the other. It says where each `Benchmark` lies, so that no reader is imported
before it is asked for.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hnclip_cli.plugins import Table

Leaf = tuple[str, ...]

# Groups of measures that mean the same of different forms of record (docs/metrics.md).
IMAGE_TO_TEXT = ("item", "image_to_text")
TEXT_TO_IMAGE = ("text_to_image",)
TEXT_TO_TEXT = ("text_to_text",)
AVERAGE_PRECISION = ("average_precision",)  # of a caption's true images among all of the record
# Retrieval's queries: each image among the captions, each caption among the images.
DIRECTIONS = ("image_to_text", "text_to_image")
# What is measured of the ranks of a query's true candidates, as published.
OF_RANKS = {"R": "recall", "R-Precision": "r_precision", "mAP": "map"}
RANK_MEASURES = frozenset(f"{way}_{name}" for way in DIRECTIONS for name in OF_RANKS.values())


@dataclass(frozen=True)
class Place:
    """Where a record stands in its benchmark: all that official scores go by."""

    benchmark: str  # its name in `BENCHMARKS`
    subset: str = ""  # the official file, subset or phenomenon
    tags: tuple[str, ...] = ()  # the texts of the record's, those of an object as `key=value`

    def named(self, name: str) -> str:
        """The value of the tag of this name, or nothing."""
        found = (text.partition("=") for text in self.tags)
        return next((value for key, _, value in found if key == name), "")


# Where in the benchmark's tree of means a record belongs; None where it does not count.
LeafOf = Callable[[Place], Leaf | None]


@dataclass(frozen=True)
class Metric:
    """One official number, or one for each part of the benchmark."""

    # As published, with its basis; ``{}`` is the number of parts averaged, or the part's name.
    name: str
    # Groups of measures; of several, each is a part of its own.
    measures: tuple[tuple[str, ...], ...] = (IMAGE_TO_TEXT,)
    # A record's path in the tree of means. At each level the mean is over the parts that are there.
    leaf: LeafOf = lambda place: ()
    each: bool = False  # a number for each part instead of their mean
    rank: int = 1  # k of R@k
    least: int = 1  # leaves with fewer observations do not count
    joined: LeafOf | None = None  # records of one key are one observation, right if each is
    members: int = 1  # how many records such a key must have
    vl_compo: bool = False  # the number that vl_compo's mean of twelve takes
    # What the official mean is without (`hnclip eval --without`); where nothing is left out, the
    # number's name says so.
    is_without: str = ""

    @property
    def is_retrieval(self) -> bool:
        """Whether it is of ranks among all captions or images of the benchmark and subset."""
        return any(RANK_MEASURES.intersection(of) for of in self.measures)


@dataclass(frozen=True)
class Benchmark:
    """All that there is to know of a benchmark."""

    # From its files (`hnclip_cli.sources.benchmarks.files.Files`) to records.
    read: Callable[[Any], Iterator[dict[str, Any]]]
    official: tuple[Metric, ...] = ()
    path: str = ""  # what PATH is
    images: str = ""  # what the folder of the images holds
    source: str = ""  # where the official files come from
    items: int | None = None  # how many records they give; None where nobody says
    metric: str = ""  # the official metric, in words
    aggregation: str = ""  # how it is brought to one number


# A new benchmark is a line here, a `Benchmark` there, and a line of facts.tsv beside it.
_PLACES = {
    "sugarcrepe": "foils:SUGARCREPE",
    "sugarcrepe-pp": "foils:SUGARCREPE_PP",
    "aro-vg-relation": "regions:ARO_VG_RELATION",
    "aro-vg-attribution": "regions:ARO_VG_ATTRIBUTION",
    "aro-coco-order": "karpathy:ARO_COCO_ORDER",
    "aro-flickr-order": "karpathy:ARO_FLICKR_ORDER",
    "valse": "foils:VALSE",
    "vl-checklist": "vl_checklist:VL_CHECKLIST",
    "winoground": "pairs:WINOGROUND",
    "crepe": "regions:CREPE",
    "eqben": "pairs:EQBEN",
    "imagecode": "choices:IMAGECODE",
    "svo-probes": "choices:SVO_PROBES",
    "whatsup": "positions:WHATSUP",
    "mmvp": "pairs:MMVP",
    "colorswap": "pairs:COLORSWAP",
    "spec": "choices:SPEC",
    "inpaintcoco": "embedded:INPAINTCOCO",
    "comvg": "choices:COMVG",
    "conme": "foils:CONME",
    "coco-retrieval": "karpathy:COCO_RETRIEVAL",
    "flickr30k-retrieval": "karpathy:FLICKR30K_RETRIEVAL",
    "imagefolder": "imagefolder:IMAGEFOLDER",
    "bivlc": "embedded:BIVLC",
    "vismin": "embedded:VISMIN",
    "coco-counterfactuals": "pairs:COCO_COUNTERFACTUALS",
    "cola": "pairs:COLA",
    "countercurate": "positions:COUNTERCURATE",
    "cc-neg": "foils:CC_NEG",
    "negbench": "negbench:NEGBENCH",
    "eccv-caption": "judged:ECCV_CAPTION",
    "cxc": "judged:CXC",
    "cola-single": "choices:COLA_SINGLE",
    "sdci": "dci:SDCI",
    "dci": "dci:DCI",
    "half-truths": "embedded:HALF_TRUTHS",
    "urban1k": "long_captions:URBAN1K",
    "docci": "long_captions:DOCCI",
    "iiw": "long_captions:IIW",
    "sharegpt4v-1k": "long_captions:SHAREGPT4V_1K",
}
BENCHMARKS: Table[Benchmark] = Table(
    "benchmarks",
    {name: f"hnclip_cli.sources.benchmarks.{place}" for name, place in _PLACES.items()},
    Benchmark,
    called="a Benchmark of hnclip_cli.benchmarks",
)


def official_metrics(name: str) -> tuple[Metric, ...]:
    """The official scores of a benchmark; none of a name that nobody knows."""
    return BENCHMARKS[name].official if name in BENCHMARKS else ()


def compares_texts(name: str) -> bool:
    """Whether the official score needs cosines of captions with captions."""
    return any(TEXT_TO_TEXT in metric.measures for metric in official_metrics(name))


def is_retrieval(place: Place) -> bool:
    """Whether an official score ranks this record among all of its benchmark and subset."""
    return any(
        metric.is_retrieval and metric.leaf(place) is not None
        for metric in official_metrics(place.benchmark)
    )


def needs_average_precision(name: str) -> bool:
    """Whether an official score goes by it."""
    return any(AVERAGE_PRECISION in metric.measures for metric in official_metrics(name))


def by_subset(place: Place) -> Leaf | None:
    """Parts are the subsets."""
    return (place.subset,) if place.subset else None


def by_tag(name: str) -> LeafOf:
    """Parts are the values of a tag; of records without it, the subsets."""

    def leaf(place: Place) -> Leaf | None:
        value = place.named(name) or place.subset
        return (value,) if value else None

    return leaf


def by_word(*words: str) -> LeafOf:
    """Parts are these words, wherever tags or the subset have them."""

    def leaf(place: Place) -> Leaf | None:
        texts = [text.rpartition("=")[2].lower() for text in (*place.tags, place.subset)]
        return next(((word,) for text in texts for word in words if word in text), None)

    return leaf


def accuracy(*metrics: Metric) -> tuple[Metric, ...]:
    """These, and the accuracy of all items."""
    return (*metrics, Metric("accuracy, micro"))


def mean(parts: str, leaf: LeafOf, **more: Any) -> Metric:
    """The mean of the accuracies of some parts; ``more`` are fields of `Metric`."""
    return Metric(f"accuracy, mean of {{}} {parts}", leaf=leaf, **more)


def winoground(*metrics: Metric, vl_compo: bool = False) -> tuple[Metric, ...]:
    """These, and text, image and group score (Thrush et al. 2022)."""
    return (
        *metrics,
        Metric("text score", (("text",),)),
        Metric("image score", (("image",),)),
        Metric("group score", (("group",),), vl_compo=vl_compo),
    )


def retrieval(
    *names: str,
    directions: Iterable[str] = DIRECTIONS,
    leaf: LeafOf = lambda place: (),
    each: str = "",
) -> tuple[Metric, ...]:
    """Numbers of ranks among all captions or images, in each direction.

    Args:
        names: ``R@k``, ``R-Precision``, ``mAP@R``.
        directions: of `DIRECTIONS`.
        leaf: where a record belongs; None where it is no part of the retrieval.
        each: ``, {}`` for a number for each part.
    """
    found = []
    for direction in directions:
        for name in names:
            what, _, rank = name.partition("@")
            found.append(
                Metric(
                    f"{name}, {direction.replace('_', ' ')}{each}",
                    ((f"{direction}_{OF_RANKS[what]}",),),
                    leaf,
                    each=bool(each),
                    rank=int(rank) if rank.isdigit() else 1,
                )
            )
    return tuple(found)
