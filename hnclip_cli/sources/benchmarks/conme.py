"""ConMe (Huang et al. 2024, arXiv:2406.08164): questions that vision-language models get wrong.

The official measure compares the perplexities that a language model gives to two answers. CLIP has
none, so a caption is a question and an answer to it.
"""

from typing import Any

from hnclip_cli.benchmarks import Benchmark, accuracy, by_subset, mean
from hnclip_cli.sources.benchmarks.files import reader
from hnclip_cli.sources.benchmarks.items import Item

FILES = ("replace-att.csv", "replace-obj.csv", "replace-rel.csv")
COLUMNS = ("image", "base_question", "correct_option", "incorrect_option")


def _record(item: Item) -> dict[str, Any]:
    """The question with its right answer, against that with the wrong one."""
    question, image = item.text("base_question").strip(), item.image
    caption = f"{question} {item.text('correct_option')}"
    foil = f"{question} {item.text('incorrect_option')}"
    path = item.image_path(image, *_from_number(image))
    return item.short(path, caption, [foil], item.subset)


def _from_number(image: str) -> list[str]:
    """The COCO file of an image that is given by its number."""
    return [f"{int(image):012d}.jpg"] if image.isdecimal() and len(image) <= 12 else []


CONME = Benchmark(
    reader(
        lambda files: (
            item for path in files.paths(FILES) for item in files.csv_items(path, COLUMNS)
        ),
        _record,
    ),
    accuracy(mean("subsets", by_subset)),
    path="the folder of " + " ".join(FILES),
    images="the folder images of the same page",
    source="https://huggingface.co/conme/ConMe",
    metric="two-way accuracy: right answer > wrong answer",
    aggregation="by file",
)
