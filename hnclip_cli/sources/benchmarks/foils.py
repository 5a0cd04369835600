"""An image, its caption, and captions that are false for it.

- SugarCrepe (Hsieh et al. 2023, arXiv:2306.14610), on the photographs of COCO val2017;
  SugarCrepe++ (Dumpala et al. 2024, arXiv:2406.11171) has two captions that say the same.
- VALSE (Parcalabescu et al. 2022, arXiv:2112.07566): 11 files of 7 linguistic phenomena.
- ConMe (Huang et al. 2024, arXiv:2406.08164): questions that vision-language models get wrong.
  The official measure compares the perplexities that a language model gives to two answers.
  CLIP has none, so a caption is a question and an answer to it.
- CC-Neg (Singh et al. 2024, arXiv:2403.20312): captions of CC3M, negated by a language model.
"""

from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import TEXT_TO_TEXT, Leaf, Metric, Place, accuracy, by_subset, mean
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files, benchmark, read_json, reader
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
    if item.inner("mturk").integer("caption") < MIN_VOTES:
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


CC_NEG_FILE, CC_NEG_PICKLE = "ccneg_preprocessed.json", "ccneg_preprocessed.pt"
CC_NEG_EXPORT = (
    'python -c \'import json, torch; d = torch.load("ccneg_preprocessed.pt", weights_only=True); '
    'json.dump({k: d[k] for k in ("image_paths", "annotations")}, '
    'open("ccneg_preprocessed.json", "w"))\''
)
CC_NEG_EVALUATED = 40_000  # the last of all; those before are for training
CC_NEG_PREFIX = "/workspace/datasets/cc3m/"  # of the images, where the authors had them
CC_NEG_FOLDER = "cc3m_subset_images_extracted_final"


def _cc_neg_items(files: Files) -> Iterator[Item]:
    """Two lists side by side; the key is the place in them.

    The official file is a pickle, and to read one is to run it.
    """
    path = files.first(CC_NEG_FILE, CC_NEG_PICKLE)
    if path.endswith(CC_NEG_PICKLE):
        raise HnclipError(
            "pickles are not read", where=path, expected=CC_NEG_FILE, hint=CC_NEG_EXPORT
        )
    content = read_json(path, dict)
    images, annotations = content.get("image_paths"), content.get("annotations")
    is_official = isinstance(images, list) and isinstance(annotations, list)
    if not is_official or len(images) != len(annotations):
        expected = "lists image_paths and annotations of one length"
        raise HnclipError("not the official lists", where=path, expected=expected)
    pairs = list(enumerate(zip(images, annotations, strict=True)))[-CC_NEG_EVALUATED:]
    yield from files.items(
        path, ((key, {"image": image, "annotation": note}) for key, (image, note) in pairs)
    )


def _cc_neg(item: Item) -> dict[str, Any]:
    """Commas leave the negated caption only, as in the official code."""
    annotation = item.inner("annotation")
    caption = annotation.inner("json").caption
    negated = annotation.inner("sop_data").text("negative-prompt").replace(",", "")
    name = item.image.removeprefix(CC_NEG_PREFIX)
    base = name.rpartition("/")[2]
    places = [name] if not name.startswith("/") else []
    places += [base, f"{CC_NEG_FOLDER}/{base}", f"ccneg_images/{CC_NEG_FOLDER}/{base}"]
    return item.short(item.image_path(*places), caption, [negated], "negate")


CC_NEG = benchmark("cc-neg", reader(_cc_neg_items, _cc_neg), (Metric("accuracy"),))
