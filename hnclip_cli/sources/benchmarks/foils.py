"""An image, its caption, and captions that are false for it.

- SugarCrepe (Hsieh et al. 2023, arXiv:2306.14610), on the photographs of COCO val2017;
  SugarCrepe++ (Dumpala et al. 2024, arXiv:2406.11171) has two captions that say the same.
- VALSE (Parcalabescu et al. 2022, arXiv:2112.07566): 11 files of 7 linguistic phenomena.
- ConMe (Huang et al. 2024, arXiv:2406.08164): questions that vision-language models get wrong.
  The official measure compares the perplexities that a language model gives to two answers.
  CLIP has none, so a caption is a question and an answer to it.
- What'sUp (Kamath et al. 2023, arXiv:2310.19785): prepositions. The photographs A and B, in which
  one object stands in four relations to another, and captions of one or two objects on COCO and
  on GQA images.
"""

import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import TEXT_TO_TEXT, Leaf, Metric, Place, accuracy, by_subset, mean
from hnclip_cli.sources.benchmarks.files import Files, benchmark, reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.places import coco_places

PP_FILES = (
    "replace_att.json",
    "replace_obj.json",
    "replace_rel.json",
    "swap_att.json",
    "swap_obj.json",
)
SUGARCREPE_FILES = ("add_att.json", "add_obj.json", *PP_FILES)
# Both captions above the negative, for the image (ITT), and closer to each other than either is to
# the negative (TOT, as in the official code).
PP_TASKS = {"ITT": ("image_to_text_all",), "TOT": TEXT_TO_TEXT}


def _sugarcrepe(item: Item) -> dict[str, Any]:
    """Captions exactly as published; the official score counts all 7 files."""
    image, foil = item.image_path(item.text("filename")), item.text("negative_caption")
    return item.short(image, item.caption, [foil], item.subset.replace("_", "-"))


def _sugarcrepe_pp(item: Item) -> dict[str, Any]:
    """An image, its two captions, then the negative, which is never true."""
    image = item.image_path(item.text("filename"))
    return item.record(
        images=[image],
        captions=[item.caption, item.text("caption2"), item.text("negative_caption")],
        truth=[[0, 0], [0, 1]],
        group=image,
    )


def form(place: Place) -> Leaf | None:
    """replace, swap or add: the first word of replace_att and its like."""
    return (place.subset.split("_")[0],) if place.subset else None


SUGARCREPE = benchmark(
    "sugarcrepe",
    reader(lambda files: files.json_items(files.paths(SUGARCREPE_FILES)), _sugarcrepe),
    accuracy(mean("forms", form, vl_compo=True), mean("files", by_subset)),
)
SUGARCREPE_PP = benchmark(
    "sugarcrepe-pp",
    reader(lambda files: files.json_items(files.paths(PP_FILES), list), _sugarcrepe_pp),
    tuple(
        metric
        for task, measure in PP_TASKS.items()
        for metric in (
            Metric(f"{task}, mean of {{}} files", (measure,), by_subset),
            Metric(f"{task}, {{}}", (measure,), by_subset, each=True),
            Metric(f"{task}, micro", (measure,)),
        )
    ),
)


VALSE_FILES = (
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


def _valse(item: Item) -> dict[str, Any] | None:
    """Nothing of an item that the annotators did not confirm: the official score counts none."""
    votes = Item(item.field("mturk", dict), item.files, item.source, item.key)
    if votes.integer("caption") < MIN_VOTES:
        return None
    names = coco_places(item.text("image_file"))
    image = item.image_path(*names, *(f"{folder}/{name}" for folder in FOLDERS for name in names))
    tags = {"phenomenon": item.text("linguistic_phenomena")}
    return item.short(image, item.caption, [item.text("foil")], item.subset, tags=tags)


def phenomenon(place: Place) -> Leaf | None:
    """Parcalabescu et al. 2022, table 1: 11 files make 7 phenomena."""
    if not place.subset:
        return None
    stem = place.subset.split("-")[0]
    return ("actions" if stem in ("action", "actant") else stem, place.subset)


VALSE = benchmark(
    "valse",
    reader(lambda files: files.json_items(files.paths(VALSE_FILES)), _valse),
    accuracy(mean("phenomena", phenomenon, vl_compo=True), mean("files", by_subset)),
)


CONME_FILES = ("replace-att.csv", "replace-obj.csv", "replace-rel.csv")
CONME_COLUMNS = ("image", "base_question", "correct_option", "incorrect_option")


def _conme(item: Item) -> dict[str, Any]:
    """The question with its right answer, against that with the wrong one."""
    question, image = item.text("base_question").strip(), item.image
    caption = f"{question} {item.text('correct_option')}"
    foil = f"{question} {item.text('incorrect_option')}"
    number = [f"{int(image):012d}.jpg"] if image.isdecimal() and len(image) <= 12 else []  # COCO's
    path = item.image_path(image, *number)
    return item.short(path, caption, [foil], item.subset)


def _conme_items(files: Files) -> Iterator[Item]:
    for path in files.paths(CONME_FILES):
        yield from files.csv_items(path, CONME_COLUMNS)


CONME = benchmark(
    "conme",
    reader(_conme_items, _conme),
    accuracy(mean("subsets", by_subset)),
)


WHATSUP_FILES = (
    "controlled_images_dataset.json",
    "controlled_clevr_dataset.json",
    "coco_qa_one_obj.json",
    "coco_qa_two_obj.json",
    "vg_qa_one_obj.json",
    "vg_qa_two_obj.json",
)


def _whatsup(item: Item) -> dict[str, Any]:
    """The first option is the caption, the others its negatives.

    ``tags`` of A and B name the relation and the set, the photographs that differ only in it:
    the official pair and set accuracies go over them.
    """
    options = item.texts("caption_options")
    if len(options) < 2:
        raise item.error('field "caption_options" holds no negative', got=str(options))
    caption, *others = options
    image, tags = _controlled(item) if "image_path" in item else (_natural_image(item), None)
    return item.short(image, caption, others, "replace-preposition", tags=tags)


def _triples(content: list[Any]) -> Iterator[tuple[int, Any]]:
    """``[image, caption, negative]`` as one object; anything else as it is."""
    for index, entry in enumerate(content):
        match entry:
            case [image, caption, foil]:
                yield index, {"image_id": image, "caption_options": [caption, foil]}
            case _:
                yield index, entry


def _controlled(item: Item) -> tuple[str, dict[str, str]]:
    """The photograph, and what its name says, as mug_left_of_plate.jpeg."""
    path = item.text("image_path").removeprefix("data/")
    name = os.path.basename(path)
    image = item.image_path(path, name)
    stem = os.path.splitext(name)[0]
    parts = stem.split("_")
    if len(parts) < 3:
        raise item.error("image name says no relation", got=repr(stem), expected="A_left_of_B")
    return image, {"relation": parts[1], "set": f"{parts[0]}_{parts[-1]}"}


def _natural_image(item: Item) -> str:
    number = item.integer("image_id")
    if item.subset.startswith("coco"):
        return item.image_path(f"val2017/{number:012d}.jpg", f"{number:012d}.jpg")
    return item.image_path(f"vg_images/{number}.jpg", f"{number}.jpg")


def photographs(place: Place) -> Leaf | None:
    """The four photographs of two objects, which differ in their relation only."""
    name = place.named("set")
    return (place.subset, name) if name else None


def opposites(place: Place) -> Leaf | None:
    """Two of a set: left with right, on with under, in front with behind."""
    four = photographs(place)
    is_across = place.named("relation") in ("left", "right")
    return four and (*four, "across" if is_across else "along")


WHATSUP = benchmark(
    "whatsup",
    reader(lambda files: files.json_items(files.paths(WHATSUP_FILES), list, _triples), _whatsup),
    (
        mean("subsets", by_subset, vl_compo=True),
        Metric("individual, {}", leaf=by_subset, each=True),
        Metric("pairs, {}", leaf=by_subset, each=True, joined=opposites, members=2),
        Metric("sets, {}", leaf=by_subset, each=True, joined=photographs, members=4),
    ),
)
