"""Rows with named fields: of JSON, JSONL, CSV, parquet, Arrow, and what ``datasets`` saved."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.caption_files.source import Source
from hnclip_cli.sources.captions import foreign_fields
from hnclip_cli.sources.places import unpack_image, visual_genome_places
from hnclip_cli.streams.arrow_files import arrow_rows
from hnclip_cli.streams.csv_files import csv_records
from hnclip_cli.streams.files import inside, open_input_file, read_whole
from hnclip_cli.streams.records import Record, shorten

# What data sets call these fields, the likeliest first.
CAPTIONS = (
    "caption", "captions", "text", "TEXT", "title", "sentences", "sentence", "raw", "description",
    "comment", "caption_reference_description", "paragraph", "caption_str", "blip_caption",
    "top_caption", "vlm_caption", "re_caption", "long_caption", "short_caption", "original_caption",
    "alt_text", "Caption", "txt", "conversations",
)  # fmt: skip
IMAGES = (
    "image", "image_path", "filepath", "file_path", "file_name", "filename", "image_name",
    "image_file", "img_path", "img", "path", "Image", "jpg", "png",
)  # fmt: skip
URLS = ("url", "URL", "image_url", "img_url", "coco_url", "flickr_url")
IDS = ("id", "uid", "SAMPLE_ID", "example_id", "key", "cocoid", "imgid", "img_id")
NUMBERS = ("image_id",)  # of an image whose name follows from it
SPLIT = "split"

_PART = re.compile(r"(\w+)-\d{5}-of-\d{5}")  # the split in a name of the hub's parquet files


def named(source: Source, rows: Iterable[Record], *, keep: bool = True) -> Iterator[dict[str, Any]]:
    """The records of rows with named fields.

    Args:
        source: where they come from.
        rows: of them.
        keep: whether records have the other fields too.
    """
    return source.records(rows, partial(_described, source, keep=keep))


def _described(source: Source, row: Record, *, keep: bool) -> Iterator[dict[str, Any]]:
    if isinstance(split := row.get(SPLIT), str) and not source.takes(split):
        return
    captions = _first(row, (source.caption_key,) if source.caption_key else CAPTIONS)
    if captions is None:
        expected = source.caption_key or ", ".join(CAPTIONS[:5])
        got = f"the fields {', '.join(list(row)[:8])}"
        hint = "--caption-key NAME"
        raise row.error("no field with captions", got=got, expected=expected, hint=hint)
    image, names, url = _image(source, row)
    used = {captions, image, url, SPLIT, "id"}
    yield from source.described(
        row,
        texts(row, captions),
        names,
        url=row.text(url) if url else "",
        id=_id(row),
        **({SPLIT: split} if isinstance(split, str) else {}),
        **(foreign_fields(row, used) if keep else {}),
    )


def _first(row: Record, names: Iterable[str]) -> str | None:
    """The first field of these names with a value."""
    there = [name for name in names if name in row]
    return next(
        (name for name in there if row[name] not in (None, "")), there[0] if there else None
    )


def _id(row: Record) -> str:
    name = _first(row, IDS)
    value = row[name] if name else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _image(source: Source, row: Record) -> tuple[str | None, list[str], str | None]:
    """The field with the image's name, its likely places, and the field with its URL."""
    if source.image_key:
        row.field(source.image_key, object)
    image = source.image_key or _first(row, IMAGES)
    if image and isinstance(row[image], str) and "://" in row[image]:
        return None, [], image
    if image:
        return image, _names(source, row, image), None
    url = _first(row, URLS)
    number = _first(row, NUMBERS)
    if number is None or (url and source.images is None):
        return None, [], url
    return None, _numbered(row, number), url


def _names(source: Source, row: Record, image: str) -> list[str]:
    value = row[image]
    if isinstance(value, dict) and value.get("bytes") is None:
        value = value.get("path")
    if isinstance(value, str):
        if image == "filepath" and isinstance(row.get("filename"), str):  # a folder, as Karpathy's
            value = os.path.join(value, row["filename"])
        if not value.strip():
            raise row.error(f'field "{image}" is empty', expected="the name of an image")
        return [value]
    if not isinstance(value, dict | bytes):
        raise row.error(f'field "{image}" names no image', got=shorten(value), expected="a string")
    if source.save_images is None:
        source.policy.odd("images that lie inside of the file, see --save-images", row.where)
        return []
    stem = f"{row[SPLIT]}-{row.index:09d}" if SPLIT in row else f"{row.index:09d}"
    return [unpack_image(row, image, source.save_images, stem)]


def _numbered(row: Record, name: str) -> list[str]:
    """COCO numbers its images with twelve digits, other data sets as they are."""
    value = row[name]
    if isinstance(value, str) and not value.isdecimal():
        return [value, f"{value}.jpg"]
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise row.error(f'field "{name}" is no number of an image', got=shorten(value))
    number = int(value)
    return [f"{number:012d}.jpg", *visual_genome_places(number)]


def texts(row: Record, name: str) -> list[str]:
    """Captions: a text, a list of texts or of objects with ``raw`` or ``caption``, JSON of a list.

    Of a conversation as LLaVA's, what was answered to a single question; of others none.

    Raises:
        InputError: something else.
    """
    import orjson

    value = row[name]
    if isinstance(value, str) and value.startswith('["') and value.endswith('"]'):
        with contextlib.suppress(ValueError):
            value = orjson.loads(value)
    found: list[str] = []
    values = value if isinstance(value, list) else [value]
    if name == "conversations" and all(isinstance(turn, dict) for turn in values):
        values = [turn.get("value") for turn in values if turn.get("from") == "gpt"]
        values = values if len(values) == 1 else []
    for one in values:
        text = one.get("raw", one.get("caption")) if isinstance(one, dict) else one
        if text is not None and not isinstance(text, str):
            raise row.error(f'field "{name}" is no text', got=shorten(text), expected="text")
        found.append(text or "")
    return found


def read_jsonl(source: Source) -> Iterator[dict[str, Any]]:
    """One object a line."""
    return named(source, source.jsonl_rows())


def read_csv(source: Source, delimiter: str) -> Iterator[dict[str, Any]]:
    """A header, and a row a line."""
    with open_input_file(source.path) as stream:
        yield from named(source, csv_records(stream, source.path, source.policy, delimiter))


def read_arrow(source: Source) -> Iterator[dict[str, Any]]:
    """A parquet or Arrow file."""
    return named(source, _arrow_rows(source, [source.path]), keep=False)


def read_parquet_folder(source: Source, paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Several parquet files, whose names may say the split."""
    for split, parts in _by_split(paths):
        if split and not source.takes(split, 0):
            continue
        yield from named(source, _arrow_rows(source, parts, split), keep=False)


def read_saved(source: Source) -> Iterator[dict[str, Any]]:
    """What ``save_to_disk`` of Hugging Face's ``datasets`` wrote."""
    path = os.path.join(source.path, "dataset_dict.json")
    splits = _member(path, "splits") if os.path.isfile(path) else [""]
    for split in splits:
        if split and not source.takes(split, 0):
            continue
        folder = inside(source.path, split, "a split") if split else source.path
        state = os.path.join(folder, "state.json")
        names = [file["filename"] for file in _member(state, "_data_files")]
        parts = [inside(folder, name, "a data file") for name in names]
        yield from named(source, _arrow_rows(source, parts, split), keep=False)


def _member(path: str, name: str) -> list[Any]:
    """A list of texts or of objects with ``filename`` in a small JSON file."""
    import orjson

    try:
        value = orjson.loads(read_whole(path, 1 << 20))[name]
        if not all(isinstance(v, str) or isinstance(v["filename"], str) for v in value):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise HnclipError("not as datasets writes it", where=path, expected=name) from None
    return list(value)


def _by_split(paths: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    split_of = {path: _PART.match(os.path.basename(path)) for path in paths}
    for split in dict.fromkeys(found[1] if found else "" for found in split_of.values()):
        yield split, [p for p, found in split_of.items() if (found[1] if found else "") == split]


def _arrow_rows(source: Source, paths: Sequence[str], split: str = "") -> Iterator[Record]:
    """The rows of several files, numbered through."""
    ours = {SPLIT: split} if split else {}
    count = 0
    for path in paths:
        for number, fields in enumerate(arrow_rows(path, partial(_columns, source)), 1):
            yield Record({**fields, **ours}, f"{path}: row {number}", 0, count)
            count += 1


def _columns(source: Source, names: Sequence[str]) -> list[str]:
    """Those of interest."""
    wanted = [source.caption_key or "", source.image_key or "", *CAPTIONS, *URLS, *IDS, *NUMBERS]
    wanted += [SPLIT, *IMAGES]
    return [name for name in names if name in wanted]
