"""Official files of data sets, in forms of their own.

- COCO captions (Chen et al. 2015, arXiv:1504.00325), and in its form nocaps (Agrawal et al. 2019)
  and VizWiz-Captions (Gurari et al. 2020), whose rejected captions do not count.
- Karpathy and Fei-Fei's splits (arXiv:1412.2306).
- TextCaps (Sidorov et al. 2020, arXiv:2003.12462).
- RedCaps (Desai et al. 2021, arXiv:2111.11431).
- SBU Captions (Ordonez et al. 2011).
- Visual Genome's region descriptions (Krishna et al. 2016, arXiv:1602.07332).
- Localized Narratives (Pont-Tuset et al. 2020, arXiv:1912.03098).
- Flickr8k and Flickr30k (Young et al. 2014).
- Conceptual Captions, 3M (Sharma et al. 2018) and 12M (Changpinyo et al. 2021, arXiv:2102.08981).
"""

import itertools
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.caption_files.source import Source
from hnclip_cli.sources.caption_files.tables import named
from hnclip_cli.sources.places import visual_genome_places
from hnclip_cli.streams.records import Record, is_box, shorten

Records = Iterator[dict[str, Any]]

# ``1000.jpg#0`` and a tab before the caption in token files, ``1000.jpg| 0| `` in results.csv. One
# row of the latter lacks the second bar.
FLICKR_LINE = re.compile(
    r"(?P<image>[^|#\t]+?\.\w+)\s*[#|]\s*(?P<number>\d+)(?:\t|\s*\||\s)(?P<caption>.*)"
)
FLICKR_HEADER = re.compile(r"image(_name)?\|\s*comment_number\|\s*comment\s*", re.IGNORECASE)
URL = re.compile(r"https?://\S+")


def coco(source: Source) -> Records:
    """Image ids joined to file names. Memory holds the names, and the ids of the captions."""
    names = _coco_names(source)
    seen: set[int | str] = set()

    def caption(row: Record) -> Records:
        if row.get("is_rejected") or row.get("is_precanned"):
            source.policy.odd("captions that the data set rejects", row.where)
            return
        text, image, key = _text(row), _key(row, "image_id"), ""
        if image not in names:
            raise row.error("no image has this id", got=str(image))
        if "id" in row:
            if (number := _key(row, "id")) in seen:
                raise row.error("an id that an earlier caption has", got=str(number))
            seen.add(number)
            key = str(number)
        yield from source.described(row, [text], [names[image]], id=key)

    return source.records(source.json_rows("annotations"), caption)


def _coco_names(source: Source) -> dict[int | str, str]:
    """The names of the images, by their ids; reading ends behind their list."""
    names: dict[int | str, str] = {}
    parts = itertools.dropwhile(lambda part: part.key != "images", source.parts())
    for part in itertools.takewhile(lambda part: part.key == "images", parts):
        try:
            row = source.row(part.text, part.place)
            key = _key(row, "id")
            if key in names:
                raise row.error("an id that an earlier image has", got=str(key))
            names[key] = row.text("file_name")
        except InputError as error:
            source.policy.bad(error)
    if not names:
        raise HnclipError(
            "no list of images", where=source.path, expected='"images": [{"id", "file_name"}, …]'
        )
    return names


def _key(row: Record, name: str) -> int | str:
    value = row.field(name, object)
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise row.error(f'field "{name}" is no id', got=shorten(value))
    return value


def _text(row: Record, name: str = "caption") -> str:
    """A caption, empty where it is null."""
    return "" if row.get(name, "") is None else row.field(name, str)


def karpathy(source: Source) -> Records:
    """The images of the splits, each with its sentences."""
    return named(source, source.json_rows("images"), keep=False)


def textcaps(source: Source) -> Records:
    """A caption an entry; the test part has none."""

    def caption(row: Record) -> Records:
        split = row.get("set_name")
        if isinstance(split, str) and not source.takes(split):
            return
        names = [f"{row.text('image_id')}.jpg"]
        key = str(_key(row, "caption_id")) if "caption_id" in row else ""
        fields = {"split": split} if isinstance(split, str) else {}
        yield from source.described(row, [_text(row, "caption_str")], names, id=key, **fields)

    return source.records(source.json_rows("data"), caption)


def redcaps(source: Source) -> Records:
    """Images as the downloader of the data set lays them out, or their URLs."""

    def caption(row: Record) -> Records:
        key = row.text("image_id")
        names = [f"{row.text('subreddit')}/{key}.jpg", f"{key}.jpg"]
        yield from source.described(row, [_text(row)], names, url=row.text("url"), id=key)

    return source.records(source.json_rows("annotations"), caption)


def sbu(source: Source) -> Records:
    """A list of URLs and one of captions. Memory holds the URLs."""
    urls = [part.text for part in source.parts() if part.key == "image_urls"]

    def caption(row: Record) -> Records:
        return source.described(row, [_text(row)], url=row.text("url"))

    def rows() -> Iterator[Record]:
        for number, part in enumerate(part for part in source.parts() if part.key == "captions"):
            if number == len(urls):
                got = f"{len(urls)} URLs"
                raise HnclipError("more captions than URLs", where=source.path, got=got)
            yield source.row(f'{{"url": {urls[number]}, "caption": {part.text}}}', part.place)

    return source.records(rows(), caption)


def visual_genome(source: Source) -> Records:
    """A record a region, whose box becomes its crop."""

    def regions(image: Record) -> Records:
        number = _key(image, "image_id" if "image_id" in image else "id")
        for index, region in enumerate(image.field("regions", list)):
            fields = region if isinstance(region, dict) else {}
            row = Record(fields, f"{image.source}.regions[{index}]")
            yield from source.records([row], partial(_region, source, number))

    return source.records(source.json_rows(""), regions)


def _region(source: Source, number: int | str, row: Record) -> Records:
    box = [row.field(name, object) for name in ("x", "y", "width", "height")]
    if not is_box(box):
        source.policy.odd("regions of no width or height", row.where)
        return
    key = str(_key(row, "region_id" if "region_id" in row else "id"))
    names = visual_genome_places(number)
    yield from source.described(row, [_text(row, "phrase")], names, id=key, crops=[box])


def localized_narratives(source: Source) -> Records:
    """What was said of each image; COCO's images are named by twelve digits."""

    def narrative(row: Record) -> Records:
        name = row.text("image_id")
        if "coco" in row.text("dataset_id"):
            name = name.zfill(12)
        return source.described(row, [_text(row)], [f"{name}.jpg"])

    return source.records(source.jsonl_rows(), narrative)


def flickr(source: Source) -> Records:
    """A line a caption, with the name of its image and its number."""

    def caption(row: Record) -> Records:
        line = row["line"]
        if row.line == 1 and FLICKR_HEADER.fullmatch(line):
            return
        found = FLICKR_LINE.fullmatch(line)
        if not found:
            expected = "IMAGE.jpg#0, a tab and a caption, or IMAGE.jpg| 0| and a caption"
            raise row.error("not a caption of Flickr", got=shorten(line), expected=expected)
        image = found["image"]
        key = f"{image}#{found['number']}"
        yield from source.described(row, [found["caption"]], [image], id=key)

    return source.records(source.lines(), caption)


def conceptual(source: Source) -> Records:
    """A caption and a URL a line, in the order of the first one; quotation marks mean nothing."""
    order: list[int] = []

    def caption(row: Record) -> Records:
        cells = row["line"].split("\t")
        if not order:
            order.extend(_order_of(cells) or (0, 1))
            if is_conceptual_header(cells):
                return
        if len(cells) != 2 or not URL.fullmatch(cells[order[1]].strip()):
            got = shorten(row["line"])
            raise row.error("not a caption and a URL", got=got, expected="two columns and a tab")
        yield from source.described(row, [cells[order[0]]], url=cells[order[1]].strip())

    return source.records(source.lines(), caption)


def _order_of(cells: list[str]) -> tuple[int, int] | None:
    """Which of two cells is the caption and which the URL."""
    for text, url in ((0, 1), (1, 0)):
        if len(cells) == 2 and (URL.fullmatch(cells[url].strip()) or cells[url].strip() == "url"):
            return text, url
    return None


def is_conceptual_header(cells: list[str]) -> bool:
    """Whether it is the line that img2dataset has people write above."""
    return sorted(cell.strip() for cell in cells) == ["caption", "url"]


def is_conceptual(line: str) -> bool:
    """Whether a line is a caption and a URL, or the header."""
    return _order_of(line.split("\t")) is not None
