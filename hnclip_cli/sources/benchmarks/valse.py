"""VALSE (Parcalabescu et al. 2022, arXiv:2112.07566): 11 files of 7 linguistic phenomena."""

from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.benchmarks.karpathy import places
from hnclip_cli.sources.benchmarks.official import Benchmark, Official

FILES = (
    "actant-swap.json",
    "action-replacement.json",
    "coreference-hard.json",
    "coreference-standard.json",
    "counting-adversarial.json",
    "counting-hard.json",
    "counting-small-quant.json",
    "existence.json",
    "foil-it.json",
    "plurals.json",
    "relations.json",
)

# The images come from several data sets; each may have its own folder.
FOLDERS = ("visual7w", "swig", "val2017", "train2014", "val2014", "VisualDialog_val2018")

# Of three annotators, those who had to see the caption, and not the foil, in the image.
MIN_VOTES = 2


def read_valse(official: Official) -> Iterator[dict[str, Any]]:
    """A record an item that the annotators confirmed; the official score counts no others."""

    def convert(item: Item) -> dict[str, Any] | None:
        votes = Item(item.field("mturk", dict), item.source, item.key, item.index)
        if votes.integer("caption") < MIN_VOTES:
            return None
        names = places(item.text("image_file"))
        caption = item.caption
        return item.record(
            "valse",
            image=official.image(
                item, *names, *(f"{folder}/{name}" for folder in FOLDERS for name in names)
            ),
            caption=caption,
            negatives=[negative(caption, item.text("foil"), item.subset)],
            tags={"phenomenon": item.text("linguistic_phenomena")},
        )

    return official.records(official.json_items(FILES), convert)


VALSE = Benchmark(
    read_valse,
    path="the folder of " + " ".join(FILES),
    images="Visual7W, SWiG, COCO and VisDial images, together or in " + " ".join(FOLDERS),
    source="https://github.com/Heidelberg-NLP/VALSE/tree/main/data",
    items=7702,
    metric="pairwise accuracy acc_r: caption > foil",
    aggregation="mean over 11 files, or over 7 phenomena",
)
