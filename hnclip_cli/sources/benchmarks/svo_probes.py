"""SVO-Probes (Hendricks and Nematzadeh 2021, arXiv:2106.09141) and ComVG (Jiang et al. 2022).

One sentence and two images, of which the second differs in the subject, the verb or the object.
ComVG (arXiv:2211.13854) is made the same way from Visual Genome.
"""

from typing import Any

from hnclip_cli.benchmarks import TEXT_TO_IMAGE, Benchmark, Metric, by_word
from hnclip_cli.sources.benchmarks.crepe import vg_image
from hnclip_cli.sources.benchmarks.files import reader
from hnclip_cli.sources.benchmarks.items import Item

TYPES = ("subj", "verb", "obj")
SVO_FILE = "svo_probes.csv"
SVO_COLUMNS = ("sentence", "pos_image_id", "neg_image_id", *(f"{kind}_neg" for kind in TYPES))
COMVG_FILE = "ComVG.csv"
COMVG_COLUMNS = ("sentence", "pos_image_id", "neg_image_id", "neg_value")


def _svo_probes(item: Item) -> dict[str, Any]:
    """Images are looked up as ``ID.jpg``, and many of their URLs are dead."""
    types = [kind for kind in TYPES if item.text(f"{kind}_neg").lower() == "true"]
    if len(types) != 1:
        raise item.error(
            "no single type of negative",
            got=" ".join(types) or "none",
            expected=f"one of {' '.join(SVO_COLUMNS[-3:])} to be True",
        )
    numbers = (item.integer(name) for name in ("pos_image_id", "neg_image_id"))
    return _choice(
        item, types[0], [item.image_path(f"{n}.jpg", f"{n}.jpeg", f"{n}.png") for n in numbers]
    )


def _comvg(item: Item) -> dict[str, Any]:
    images = [vg_image(item, name) for name in ("pos_image_id", "neg_image_id")]
    return _choice(item, item.text("neg_value"), images)


def _choice(item: Item, kind: str, images: list[str]) -> dict[str, Any]:
    return item.record(
        subset=kind,
        images=images,
        captions=[item.text("sentence")],
        truth=[[0, 0]],
        group=images[0],
        tags={"type": kind},
    )


def _official(*, vl_compo: bool = False) -> tuple[Metric, ...]:
    """The type says which word of the sentence the false image changes."""
    leaf = by_word(*TYPES)
    return (
        Metric("accuracy, mean of {} types", (TEXT_TO_IMAGE,), leaf, vl_compo=vl_compo),
        Metric("accuracy, {}", (TEXT_TO_IMAGE,), leaf, each=True),
        Metric("accuracy, micro", (TEXT_TO_IMAGE,)),
    )


SVO_PROBES = Benchmark(
    reader(lambda files: files.csv_items(files.first(SVO_FILE), SVO_COLUMNS), _svo_probes),
    _official(vl_compo=True),
    path=SVO_FILE,
    images="the images of its URLs, each as ID.jpg",
    source="https://github.com/google-deepmind/svo_probes",
    items=36841,
    metric="accuracy: the sentence's image > the other",
    aggregation="mean over subject, verb and object",
)
COMVG = Benchmark(
    reader(lambda files: files.csv_items(files.first(COMVG_FILE), COMVG_COLUMNS), _comvg),
    _official(),
    path=COMVG_FILE,
    images="Visual Genome, VG_100K and VG_100K_2",
    source="https://github.com/eric-ai-lab/ComCLIP/tree/main/datasets",
    items=5400,
    metric="accuracy: the sentence's image > the other",
    aggregation="micro; subject, verb and object apart",
)
