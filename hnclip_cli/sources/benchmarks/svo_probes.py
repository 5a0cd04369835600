"""SVO-Probes (Hendricks and Nematzadeh 2021, arXiv:2106.09141) and ComVG (Jiang et al. 2022).

One sentence and two images, of which the second differs in the subject, the verb or the object.
ComVG (arXiv:2211.13854) is made the same way from Visual Genome.
"""

from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.crepe import vg_image
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.benchmarks.official import Benchmark, Official

SVO_FILE = "svo_probes.csv"
SVO_TYPES = ("subj", "verb", "obj")
SVO_COLUMNS = (
    "sentence",
    "pos_image_id",
    "neg_image_id",
    *(f"{kind}_neg" for kind in SVO_TYPES),
)
COMVG_FILE = "ComVG.csv"
COMVG_COLUMNS = ("sentence", "pos_image_id", "neg_image_id", "neg_value")


def read_svo_probes(official: Official) -> Iterator[dict[str, Any]]:
    """A record a row; images are looked up as ``ID.jpg``, and many of their URLs are dead."""

    def image(item: Item, name: str) -> str:
        number = item.integer(name)
        return official.image(item, *(f"{number}.{ending}" for ending in ("jpg", "jpeg", "png")))

    def convert(item: Item) -> dict[str, Any]:
        types = [kind for kind in SVO_TYPES if item.text(f"{kind}_neg").lower() == "true"]
        if len(types) != 1:
            raise item.error(
                "no single type of negative",
                got=" ".join(types) or "none",
                expected=f"one of {' '.join(SVO_COLUMNS[-3:])} to be True",
            )
        images = [image(item, "pos_image_id"), image(item, "neg_image_id")]
        return _choice(item, "svo-probes", types[0], images)

    items = official.csv_items(official.file(SVO_FILE), SVO_COLUMNS)
    return official.records(items, convert)


def read_comvg(official: Official) -> Iterator[dict[str, Any]]:
    """A record a row."""

    def convert(item: Item) -> dict[str, Any]:
        images = [vg_image(official, item, name) for name in ("pos_image_id", "neg_image_id")]
        return _choice(item, "comvg", item.text("neg_value"), images)

    items = official.csv_items(official.file(COMVG_FILE), COMVG_COLUMNS)
    return official.records(items, convert)


def _choice(item: Item, name: str, kind: str, images: list[str]) -> dict[str, Any]:
    return item.record(
        name,
        subset=kind,
        images=images,
        captions=[item.text("sentence")],
        truth=[[0, 0]],
        group=images[0],
        tags={"type": kind},
    )


SVO_PROBES = Benchmark(
    read_svo_probes,
    path=SVO_FILE,
    images="the images of its URLs, each as ID.jpg",
    source="https://github.com/google-deepmind/svo_probes",
    items=36841,
    metric="accuracy: the sentence's image > the other",
    aggregation="mean over subject, verb and object",
)
COMVG = Benchmark(
    read_comvg,
    path=COMVG_FILE,
    images="Visual Genome, VG_100K and VG_100K_2",
    source="https://github.com/eric-ai-lab/ComCLIP/tree/main/datasets",
    items=5400,
    metric="accuracy: the sentence's image > the other",
    aggregation="micro; subject, verb and object apart",
)
