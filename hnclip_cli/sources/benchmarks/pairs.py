"""Two images and two captions, each image true for one of the captions.

- Winoground (Thrush et al. 2022, arXiv:2204.03162) and ColorSwap (arXiv:2402.04492): the captions
  have the same words.
- EqBen (Wang et al. 2023, arXiv:2303.14465): the images differ by a small visual change. The full
  annotation, the public tenth of it and the sample for language models have the same form. The
  annotations of single subsets hold the same items in objects by video and subject.
- MMVP-VLM (Tong et al. 2024, arXiv:2401.06209): images that CLIP takes for the same.
- Cola (Ray et al. 2023, arXiv:2305.03689), its multi-object part: attributes of two objects change
  places.
- COCO-Counterfactuals (Le et al. 2023, arXiv:2309.14356): one noun changes; both images are made.

Those whose files hold the images themselves are in ``embedded.py``.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hnclip_cli.benchmarks import Leaf, Metric, Place, by_subset, by_tag, winoground
from hnclip_cli.sources.benchmarks.files import Files, benchmark, reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.places import visual_genome_places

TRUTH = [[0, 0], [1, 1]]  # each caption of the image at its own place


def two_by_two(
    images: Sequence[str],
    captions: Sequence[str],
    place: Callable[[Item, str], str],
    *,
    subset: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> Callable[[Item], dict[str, Any]]:
    """What turns an item to a record, by the names of its fields.

    Args:
        images: the fields of the two images.
        captions: the field of each one's caption.
        place: gives the path of an image, by its field.
        subset: fields whose values name the subset; by default it is the file's name.
        tags: fields that become tags, where an item has them.
    """

    def convert(item: Item) -> dict[str, Any]:
        texts = [item.text(name) for name in captions]  # before an image is written
        return item.record(
            subset="_".join(item.text(name) for name in subset),
            images=[place(item, name) for name in images],
            captions=texts,
            truth=TRUTH,
            tags={name: item.text(name) for name in tags if item.get(name)},
        )

    return convert


def named(*patterns: str) -> Callable[[Item, str], str]:
    """Looks an image up by the name in its field: ``{}`` in each pattern, or the last part of it
    for ``{base}``."""

    def place(item: Item, name: str) -> str:
        text = item.text(name)
        base = text.rpartition("/")[2]
        return item.image_path(*(pattern.format(text, base=base) for pattern in patterns))

    return place


ZERO_ONE = ("image_0", "image_1"), ("caption_0", "caption_1")

WINOGROUND_FILE = "examples.jsonl"
COLORSWAP_FILE = "test.json"
COUNTERFACTUALS_FILE = "data/examples.jsonl"

WINOGROUND = benchmark(
    "winoground",
    reader(
        lambda files: files.jsonl_items(files.first(WINOGROUND_FILE)),
        # The tags are the linguistic phenomena that the authors assigned.
        two_by_two(
            *ZERO_ONE, named("{}.png", "{}"), tags=("collapsed_tag", "tag", "secondary_tag")
        ),
    ),
    winoground(vl_compo=True),
)
COLORSWAP = benchmark(
    "colorswap",
    reader(
        lambda files: files.json_items(files.paths([COLORSWAP_FILE]), list),
        two_by_two(
            ("image_1", "image_2"),
            ("caption_1", "caption_2"),
            named("{}", "{base}"),
            tags=("image_source", "caption_source"),
        ),
    ),
    winoground(vl_compo=True),
)
COCO_COUNTERFACTUALS = benchmark(
    "coco-counterfactuals",
    reader(
        lambda files: files.jsonl_items(files.first(COUNTERFACTUALS_FILE)),
        two_by_two(*ZERO_ONE, named("{}.jpg", "images/{}.jpg", "{}", "images/{}")),
    ),
    winoground(),
)

COLA_FILE = "data/COLA_multiobjects_matching_benchmark.json"
COLA_FIELDS = ("image_1", "caption_1", "image_2", "caption_2")


def _cola_items(content: list[Any]) -> Iterator[tuple[int, Any]]:
    """``[image, caption, image, caption]`` as an object; anything else as it is."""
    for index, entry in enumerate(content):
        is_four = isinstance(entry, list) and len(entry) == len(COLA_FIELDS)
        yield index, dict(zip(COLA_FIELDS, entry, strict=True)) if is_four else entry


def _cola_place(item: Item, name: str) -> str:
    """Images are named by address; the last part of it is a number of Visual Genome."""
    base = item.text(name).rpartition("/")[2]
    return item.image_path(*visual_genome_places(base.removesuffix(".jpg")))


COLA = benchmark(
    "cola",
    reader(
        lambda files: files.json_items([files.first(COLA_FILE)], list, _cola_items),
        two_by_two(COLA_FIELDS[::2], COLA_FIELDS[1::2], _cola_place),
    ),
    # The official score looks at the images only.
    (
        Metric("multi-object accuracy (image score)", (("image",),)),
        Metric("text score", (("text",),)),
        Metric("group score", (("group",),)),
    ),
)

EQBEN_FILES = ("private_info_global.json", "eqben_subset_10percent_final.json", "all_select.json")


def _eqben(item: Item) -> dict[str, Any]:
    """The subset is the folder that the images lie in, as ``eqbenag``.

    Of several captions of an image the first is taken, as the official code does.
    """
    names = [item.text("image0"), item.text("image1")]
    return item.record(
        subset=names[0].partition("/")[0],
        # The lighter release of the images has them as JPEG.
        images=[item.image_path(name, re.sub(r"\.png$", ".jpg", name)) for name in names],
        captions=[_first_caption(item, "caption0"), _first_caption(item, "caption1")],
        truth=TRUTH,
    )


def _nested(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All items of nested lists and objects, with the way to them as their key."""
    if isinstance(content, dict) and "image0" not in content:
        inner: Iterable[tuple[Any, Any]] = content.items()
    elif isinstance(content, list):
        inner = enumerate(content)
    else:
        yield key, content
        return
    for name, value in inner:
        yield from _nested(value, f"{key}/{name}" if key else str(name))


def _first_caption(item: Item, name: str) -> str:
    return item.texts(name)[0] if isinstance(item.get(name), list) else item.text(name)


def image_set(place: Place) -> Leaf | None:
    """The three sets made with Kubric are one of five."""
    is_kubric = "kubric" in place.subset.lower()
    return ("kubric", place.subset) if is_kubric else by_subset(place)


EQBEN = benchmark(
    "eqben",
    reader(lambda files: files.json_items([files.first(*EQBEN_FILES)], object, _nested), _eqben),
    winoground(Metric("group score, mean of {} sets", (("group",),), image_set, vl_compo=True)),
)


MMVP_FILE = "Questions.csv"
MMVP_COLUMNS = ("id", "type", "statement")  # the official code goes by their places
MMVP_PROMPT = "a photo of "  # before each statement, in the official evaluation


def _mmvp_items(files: Files) -> Iterator[Item]:
    """Two rows each."""
    path = files.first(MMVP_FILE)
    rows = files.csv_items(path, MMVP_COLUMNS, by_place=True)
    pairs = iter(lambda: list(itertools.islice(rows, 2)), [])
    for number, pair in enumerate(pairs, start=1):
        yield Item({"rows": pair}, files, path, number)


def _mmvp(item: Item) -> dict[str, Any]:
    """Each row's image belongs to its statement."""
    rows: list[Item] = item["rows"]
    if len(rows) < 2:
        raise rows[0].error("the last row has no partner", expected="pairs of rows")
    pattern = rows[0].text("type")
    images = [f"{pattern}/{row.integer('id')}.jpg" for row in rows]
    return item.record(
        subset=pattern,
        images=[
            row.image_path(name, f"MLLM_VLM Images/{name}")
            for row, name in zip(rows, images, strict=True)
        ],
        captions=[MMVP_PROMPT + row.text("statement") for row in rows],
        truth=TRUTH,
        tags={"pattern": pattern},
    )


MMVP = benchmark(
    "mmvp",
    reader(_mmvp_items, _mmvp),
    winoground(
        Metric("text to image pairs, {} patterns", (("image",),), by_tag("pattern")),
        Metric("group score, mean of {} patterns", (("group",),), by_tag("pattern"), vl_compo=True),
    ),
)
