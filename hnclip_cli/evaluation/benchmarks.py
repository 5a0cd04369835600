"""The official score of every benchmark: its name, what it counts, and the basis of its mean.

A new benchmark is a line in ``BENCHMARKS``. Leaf functions say where in the benchmark's tree of
means a record belongs; a mean is taken at each level, over the parts that are there.
"""

from collections.abc import Callable
from dataclasses import dataclass

Leaf = tuple[str, ...]

# Ranks k of R@k, and the benchmarks that have them.
RANKS = (1, 3, 5, 10)
RANKED = frozenset(("crepe", "imagefolder"))

# Groups of measures that mean the same of different forms of record (docs/eval.md).
IMAGE_TO_TEXT = ("item", "image_to_text")
TEXT_TO_IMAGE = ("text_to_image",)


@dataclass(frozen=True)
class Place:
    """Where a record stands in its benchmark: all that official scores go by.

    Attributes:
        benchmark: the name, as ``hnclip data benchmark`` has it.
        subset: the official file, subset or phenomenon; may be empty.
        tags: the texts of the record's ``tags``, those of an object as ``key=value``.
    """

    benchmark: str
    subset: str = ""
    tags: tuple[str, ...] = ()

    def named(self, name: str) -> str:
        """The value of the tag of this name, or nothing."""
        return next(
            (text[len(name) + 1 :] for text in self.tags if text.startswith(f"{name}=")), ""
        )


@dataclass(frozen=True)
class Metric:
    """One official number, or one for each part of the benchmark.

    Attributes:
        name: as published, with its basis; ``{}`` is the number of parts averaged, or with
            ``each`` the name of the part.
        measures: groups of measures; with several groups, each is a part of its own.
        leaf: path of a record in the tree of means; None where it does not count.
        each: give a number for each part instead of their mean.
        least: leaves with fewer observations do not count.
        joined: records of one key are one observation, right if each of them is; None where the
            record does not count.
        members: how many records such a key must have.
        vl_compo: this is the number that vl_compo's mean of twelve takes.
    """

    name: str
    measures: tuple[tuple[str, ...], ...]
    leaf: Callable[[Place], Leaf | None] = lambda place: ()
    each: bool = False
    least: int = 1
    joined: Callable[[Place], Leaf | None] | None = None
    members: int = 1
    vl_compo: bool = False


def by_subset(place: Place) -> Leaf | None:
    return (place.subset,) if place.subset else None


def by_tag(name: str) -> Callable[[Place], Leaf | None]:
    """Parts are the values of a tag; of records without it, the subsets."""

    def leaf(place: Place) -> Leaf | None:
        value = place.named(name) or place.subset
        return (value,) if value else None

    return leaf


def by_word(*words: str) -> Callable[[Place], Leaf | None]:
    """Parts are these words, wherever tags or the subset have them."""

    def leaf(place: Place) -> Leaf | None:
        texts = [text.rpartition("=")[2].lower() for text in (*place.tags, place.subset)]
        return next(((word,) for text in texts for word in words if word in text), None)

    return leaf


def sugarcrepe_form(place: Place) -> Leaf | None:
    """replace, swap or add: the first word of replace_att and its like."""
    return (place.subset.split("_")[0],) if place.subset else None


def valse_phenomenon(place: Place) -> Leaf | None:
    """Parcalabescu et al. 2022, table 1: 11 files make 7 phenomena."""
    if not place.subset:
        return None
    stem = place.subset.split("-")[0]
    return ("actions" if stem in ("action", "actant") else stem, place.subset)


def checklist_path(place: Place) -> Leaf | None:
    """Object, Attribute or Relation; its aspect; the source of the images."""
    family = place.named("family") or place.subset.partition("/")[0]
    return (family, place.subset, place.named("source")) if family else None


def eqben_set(place: Place) -> Leaf | None:
    """The three sets made with Kubric are one of five."""
    is_kubric = "kubric" in place.subset.lower()
    return ("kubric", place.subset) if is_kubric else by_subset(place)


def whatsup_set(place: Place) -> Leaf | None:
    """The four photographs of two objects, which differ in their relation only."""
    name = place.named("set")
    return (place.subset, name) if name else None


def whatsup_pair(place: Place) -> Leaf | None:
    """Two of a set: left with right, on with under, in front with behind."""
    photographs = whatsup_set(place)
    is_across = place.named("relation") in ("left", "right")
    return photographs and (*photographs, "across" if is_across else "along")


def _accuracy(*metrics: Metric, name: str = "accuracy") -> tuple[Metric, ...]:
    return (*metrics, Metric(f"{name}, micro", (IMAGE_TO_TEXT,)))


def _winoground(*metrics: Metric, vl_compo: bool = False) -> tuple[Metric, ...]:
    """Thrush et al. 2022: text, image and group score."""
    return (
        *metrics,
        Metric("text score", (("text",),)),
        Metric("image score", (("image",),)),
        Metric("group score", (("group",),), vl_compo=vl_compo),
    )


def _choosing_images(*types: str, vl_compo: bool = False) -> tuple[Metric, ...]:
    """One sentence, two images; the type says which word of it the false image changes."""
    leaf = by_word(*types)
    return (
        Metric("accuracy, mean of {} types", (TEXT_TO_IMAGE,), leaf, vl_compo=vl_compo),
        Metric("accuracy, {}", (TEXT_TO_IMAGE,), leaf, each=True),
        Metric("accuracy, micro", (TEXT_TO_IMAGE,)),
    )


def _mean(
    parts: str, leaf: Callable[[Place], Leaf | None], *, least: int = 1, vl_compo: bool = False
) -> Metric:
    name = f"accuracy, mean of {{}} {parts}"
    return Metric(name, (IMAGE_TO_TEXT,), leaf, least=least, vl_compo=vl_compo)


_PRECISION = (Metric("Precision@1", (IMAGE_TO_TEXT,), vl_compo=True),)

BENCHMARKS: dict[str, tuple[Metric, ...]] = {
    "sugarcrepe": _accuracy(
        _mean("forms", sugarcrepe_form, vl_compo=True), _mean("files", by_subset)
    ),
    "sugarcrepe-pp": (
        Metric("ITT, mean of {} files", (("image_to_text_all",),), by_subset),
        Metric("ITT, {}", (("image_to_text_all",),), by_subset, each=True),
        Metric("ITT, micro", (("image_to_text_all",),)),
    ),
    "aro-vg-relation": _accuracy(_mean("relations", by_tag("relation"), vl_compo=True)),
    "aro-vg-attribution": _accuracy(
        _mean("pairs of >= 25", by_tag("attributes"), least=25, vl_compo=True)
    ),
    "aro-coco-order": _PRECISION,
    "aro-flickr-order": _PRECISION,
    "valse": _accuracy(
        _mean("phenomena", valse_phenomenon, vl_compo=True), _mean("files", by_subset)
    ),
    "vl-checklist": _accuracy(
        _mean("families", checklist_path, vl_compo=True),
        Metric("accuracy, {}", (IMAGE_TO_TEXT,), checklist_path, each=True),
    ),
    "winoground": _winoground(vl_compo=True),
    "colorswap": _winoground(vl_compo=True),
    "inpaintcoco": _winoground(),
    "eqben": _winoground(
        Metric("group score, mean of {} sets", (("group",),), eqben_set, vl_compo=True)
    ),
    "mmvp": _winoground(
        Metric("text to image pairs, {} patterns", (("image",),), by_tag("pattern")),
        Metric("group score, mean of {} patterns", (("group",),), by_tag("pattern"), vl_compo=True),
    ),
    "crepe": (
        Metric("R@1, mean of {} forms", (IMAGE_TO_TEXT,), by_word("atom", "swap", "negate"),
               vl_compo=True),
        Metric("R@1, {}", (IMAGE_TO_TEXT,), by_word("atom", "swap", "negate"), each=True),
        *(Metric(f"R@{k}, micro", ((f"R@{k}",),)) for k in RANKS),
    ),
    "imagecode": (
        Metric("accuracy, micro", (TEXT_TO_IMAGE,), vl_compo=True),
        Metric("accuracy, {}", (TEXT_TO_IMAGE,), by_word("static", "video"), each=True),
    ),
    "svo-probes": _choosing_images("subj", "verb", "obj", vl_compo=True),
    "comvg": _choosing_images("subj", "verb", "obj"),
    "whatsup": (
        _mean("subsets", by_subset, vl_compo=True),
        Metric("individual, {}", (IMAGE_TO_TEXT,), by_subset, each=True),
        Metric("pairs, {}", (IMAGE_TO_TEXT,), by_subset, each=True,
               joined=whatsup_pair, members=2),
        Metric("sets, {}", (IMAGE_TO_TEXT,), by_subset, each=True,
               joined=whatsup_set, members=4),
    ),
    "spec": (
        Metric("image to text, mean of {} subsets", (IMAGE_TO_TEXT,), by_subset),
        Metric("text to image, mean of {} subsets", (TEXT_TO_IMAGE,), by_subset),
        Metric("mean of {} directions", (IMAGE_TO_TEXT, TEXT_TO_IMAGE), by_subset),
    ),
    "conme": _accuracy(_mean("subsets", by_subset)),
    "imagefolder": tuple(Metric(f"top-{k}", ((f"R@{k}",),)) for k in (1, 5)),
}  # fmt: skip

# The mean of twelve (comp_avg) of vl_compo, the evaluation suite of FSC-CLIP (arXiv:2410.05210):
# benchmarks of one name are averaged, each by its metric marked above.
VL_COMPO: dict[str, tuple[str, ...]] = {
    "ARO": ("aro-vg-relation", "aro-vg-attribution", "aro-flickr-order", "aro-coco-order"),
    "CREPE": ("crepe",),
    "EqBen": ("eqben",),
    "ImageCoDe": ("imagecode",),
    "SugarCrepe": ("sugarcrepe",),
    "SVO-Probes": ("svo-probes",),
    "VALSE": ("valse",),
    "VL-CheckList": ("vl-checklist",),
    "What'sUp": ("whatsup",),
    "Winoground": ("winoground",),
    "MMVP-VLM": ("mmvp",),
    "ColorSwap": ("colorswap",),
}

# Parts at the top of each mean where all official files are there.
PARTS = {
    "ARO": 4, "CREPE": 3, "EqBen": 5, "SugarCrepe": 3, "SVO-Probes": 3, "VALSE": 7,
    "VL-CheckList": 3, "What'sUp": 6, "MMVP-VLM": 9,
}  # fmt: skip
