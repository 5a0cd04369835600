"""The table of formats: by what each is known, what reads it, which options it takes."""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hnclip_cli.sources.caption_files import official, tables
from hnclip_cli.sources.caption_files.recognizing import Head
from hnclip_cli.sources.caption_files.source import Source
from hnclip_cli.sources.folders import folder_records, is_image
from hnclip_cli.sources.shards import shard_records
from hnclip_cli.streams.foreign import is_arrow, is_tar
from hnclip_cli.streams.records import Record

Records = Iterator[dict[str, Any]]

IMAGES, KEYS, SAVE, LINES = "images", "keys", "save_images", "caption_lines"


@dataclass(frozen=True)
class Format:
    """One format of captions."""

    what: str  # in words, for the help
    fits: Callable[[Head], bool]
    read: Callable[[Source, Head], Records]
    takes: tuple[str, ...] = (IMAGES,)  # the options that mean something to it


def _reader(read: Callable[[Source], Records]) -> Callable[[Source, Head], Records]:
    """What does not look at the beginning again."""
    return lambda source, head: read(source)


def _first_has(key: str, *fields: str) -> Callable[[Head], bool]:
    """Whether a JSON file has a list of this name whose first object has one of these fields."""
    return lambda head: bool({*head.fields.get(key, ())} & {*fields})


def _is_of_parquet(head: Head) -> bool:
    """Not where img2dataset wrote a folder of images beside each file."""
    stems = [os.path.basename(path).partition(".")[0] for path in head.ending(".parquet")]
    return bool(stems) and not {*stems} & {*head.entries}


def _captioned(source: Source, records: Records) -> Records:
    for record in records:
        if "caption" in record:
            yield record
        else:
            source.policy.odd("images without a caption", record["image"])


def _folder(source: Source, head: Head) -> Records:
    lines = source.caption_lines
    return _captioned(source, folder_records(head.path, (), source.policy, caption_lines=lines))


def _shards(source: Source, head: Head) -> Records:
    paths = head.ending(".tar") if head.is_folder else [head.path]
    lines = source.caption_lines
    return _captioned(source, shard_records(paths, source.policy, caption_lines=lines))


def _lists(head: Head) -> list[str]:
    """The lists of objects with captions in a JSON file."""
    return [key for key, first in head.fields.items() if {*first} & {*tables.CAPTIONS}]


def _is_one_object_a_line(head: Head) -> bool:
    captions = [head.fields[name] for name in tables.CAPTIONS if name in head.fields]
    return any(not first for first in captions)  # texts, and no lists of objects


def _json(source: Source, head: Head) -> Records:
    keys = [key for key, first in head.fields.items() if first] if source.caption_key else []
    return tables.named(source, source.json_rows(*(keys or _lists(head) or [""])))


def _by_name(source: Source, head: Head) -> Records:
    def rows() -> Iterator[Record]:
        for name, parts in itertools.groupby(source.parts(), lambda part: part.key):
            texts = ",".join(part.text for part in parts)
            row = source.row(f'{{"captions": [{texts}]}}', name)
            row["image"] = name
            yield row

    def described(row: Record) -> Records:
        name = row["image"]
        return source.described(row, tables.texts(row, "captions"), [name], id=name)

    return source.records(rows(), described)


def _csv(source: Source, head: Head) -> Records:
    return tables.read_csv(source, head.delimiter)


def _parquet_folder(source: Source, head: Head) -> Records:
    return tables.read_parquet_folder(source, head.ending(".parquet"))


def _plain(source: Source) -> Records:
    return source.records(source.lines(), lambda row: source.described(row, [row["line"]]))


# The first that fits is taken.
FORMATS = {
    "datasets": Format(
        "folder that datasets saved",
        lambda head: bool({"dataset_dict.json", "state.json"} & {*head.entries}),
        _reader(tables.read_saved),
        (IMAGES, KEYS, SAVE),
    ),
    "webdataset": Format(
        "tar shard, or a folder of them, as img2dataset writes",
        lambda head: bool(head.ending(".tar")) if head.is_folder else is_tar(head.data),
        _shards,
        (LINES,),
    ),
    "parquet-folder": Format(
        "folder of parquet files",
        _is_of_parquet,
        _parquet_folder,
        (IMAGES, KEYS, SAVE),
    ),
    "folder": Format(
        "folder of images with .txt files, metadata.csv or metadata.jsonl",
        lambda head: head.is_folder,
        _folder,
        (LINES,),
    ),
    "parquet": Format(
        "parquet or Arrow file, as LAION's",
        lambda head: is_arrow(head.data),
        _reader(tables.read_arrow),
        (IMAGES, KEYS, SAVE),
    ),
    "karpathy": Format(
        "Karpathy's splits of COCO, Flickr8k and Flickr30k",
        _first_has("images", "sentences"),
        _reader(official.karpathy),
    ),
    "redcaps": Format("RedCaps", _first_has("annotations", "subreddit"), _reader(official.redcaps)),
    "coco": Format(
        "COCO's captions_*.json, nocaps, VizWiz",
        lambda head: (
            _first_has("annotations", "image_id")(head)
            or (_first_has("images", "file_name")(head) and "images" not in _lists(head))
        ),
        _reader(official.coco),
    ),
    "textcaps": Format("TextCaps", _first_has("data", "caption_str"), _reader(official.textcaps)),
    "sbu": Format("SBU Captions", lambda head: "image_urls" in head.fields, _reader(official.sbu)),
    "visual-genome": Format(
        "Visual Genome's region_descriptions.json",
        _first_has("", "regions"),
        _reader(official.visual_genome),
    ),
    "localized-narratives": Format(
        "Localized Narratives",
        lambda head: {"dataset_id", "image_id", "caption"} <= {*head.fields},
        _reader(official.localized_narratives),
    ),
    "json": Format(
        "JSON list of objects with an image and captions, as BLIP's",
        lambda head: (
            head.opening == "[" or (bool(_lists(head)) and not _is_one_object_a_line(head))
        ),
        _json,
        (IMAGES, KEYS),
    ),
    "json-by-name": Format(
        "JSON object with the captions of each image under its name",
        lambda head: bool(head.fields) and all(map(is_image, head.fields)),
        _by_name,
    ),
    "jsonl": Format(
        "one JSON object per line, with an image and captions",
        lambda head: head.opening == "{",
        _reader(tables.read_jsonl),
        (IMAGES, KEYS),
    ),
    "flickr": Format(
        "Flickr8k.token.txt, results_20130124.token, results.csv",
        lambda head: bool(
            official.FLICKR_LINE.fullmatch(head.line) or official.FLICKR_HEADER.fullmatch(head.line)
        ),
        _reader(official.flickr),
    ),
    "conceptual-captions": Format(
        "CC3M and CC12M, a caption and a URL per line",
        lambda head: official.is_conceptual(head.line),
        _reader(official.conceptual),
    ),
    "csv": Format(
        "CSV or TSV with a header, as open_clip's",
        lambda head: len(head.columns) > 1,
        _csv,
        (IMAGES, KEYS),
    ),
    "lines": Format("one caption per line", lambda head: False, _reader(_plain), ()),
}
