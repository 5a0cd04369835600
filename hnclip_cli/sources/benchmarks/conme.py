"""ConMe (Huang et al. 2024, arXiv:2406.08164): questions that vision-language models get wrong.

The official measure compares the perplexities that a language model gives to two answers. CLIP has
none, so a caption is a question and an answer to it.
"""

from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.items import Item, negative
from hnclip_cli.sources.benchmarks.official import Benchmark, Official

FILES = ("replace-att.csv", "replace-obj.csv", "replace-rel.csv")
COLUMNS = ("image", "base_question", "correct_option", "incorrect_option")


def read_conme(official: Official) -> Iterator[dict[str, Any]]:
    """A record a row: the question with its right answer, against that with the wrong one."""

    def convert(item: Item) -> dict[str, Any]:
        question, image = item.text("base_question").strip(), item.image
        caption = f"{question} {item.text('correct_option')}"
        foil = f"{question} {item.text('incorrect_option')}"
        return item.record(
            "conme",
            image=official.image(item, image, *_from_number(image)),
            caption=caption,
            negatives=[negative(caption, foil, item.subset)],
        )

    items = (item for path in official.files(FILES) for item in official.csv_items(path, COLUMNS))
    return official.records(items, convert)


def _from_number(image: str) -> list[str]:
    """The COCO file of an image that is given by its number."""
    return [f"{int(image):012d}.jpg"] if image.isdecimal() and len(image) <= 12 else []


CONME = Benchmark(
    read_conme,
    path="the folder of " + " ".join(FILES),
    images="the folder images of the same page",
    source="https://huggingface.co/conme/ConMe",
    items=None,
    metric="two-way accuracy: right answer > wrong answer",
    aggregation="by file",
)
