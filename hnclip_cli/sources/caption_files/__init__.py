"""Files and folders of captions, in the formats that people have, as records."""

import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.caption_files.formats import FORMATS, IMAGES, KEYS, LINES, SAVE
from hnclip_cli.sources.caption_files.recognizing import Head
from hnclip_cli.sources.caption_files.source import Source
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, hash64

# Of files in a folder that one may have meant.
_ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".token", ".json.gz", ".txt")


def caption_records(
    path: str,
    *,
    format: str | None = None,
    images: str | None = None,
    save_images: str | None = None,
    caption_key: str | None = None,
    image_key: str | None = None,
    splits: Sequence[str] = (),
    caption_lines: bool = False,
    policy: ErrorPolicy | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[dict[str, Any]]:
    """A record for each caption of a file or folder, in its order.

    Records have ``caption``, ``image`` where one is named, ``id`` and ``split`` where the file says
    them, and ``crops`` where captions speak of a part. Of JSON lists, JSONL and CSV they keep the
    other fields; those with the name of one of ours are called ``metadata_NAME``.

    Args:
        path: a file or folder.
        format: one of `FORMATS`; by default its content tells.
        images: the folder of the images. Their names become paths in it, and must be there.
        save_images: where images go that lie inside of a parquet or Arrow file.
        caption_key: the field with captions; by default one of the usual names.
        image_key: that with the image, likewise.
        splits: which to read; by default all.
        caption_lines: each line of a text file beside an image is a caption.
        policy: what becomes of bad entries; by default they end the reading.
        note: receives what is worth knowing though it is no error.

    Raises:
        HnclipError: no such file or format, an option that means nothing to it, a broken file, no
            caption, or none of these splits.
    """
    if images is not None and not os.path.isdir(images):
        raise HnclipError("no such folder", where=images, hint="--images with another folder")
    head = Head.of(path)
    name = format or _recognized(head)
    keys = caption_key or image_key
    given = {IMAGES: images, KEYS: keys, SAVE: save_images, LINES: caption_lines}
    for option, value in given.items():
        if value and option not in FORMATS[name].takes:
            flag = "--caption-key or --image-key" if option == KEYS else f"--{option}"
            problem = f"{flag.replace('_', '-')} means nothing to the format {name}"
            raise HnclipError(problem, where=path, hint="leaving it out")
    if save_images is not None:
        os.makedirs(save_images, exist_ok=True)
    source = Source(
        path, images, save_images, caption_key, image_key, splits, caption_lines,
        policy or ErrorPolicy(),
    )  # fmt: skip
    return _checked(source, head, FORMATS[name].read(source, head), note)


def _recognized(head: Head) -> str:
    name = next((name for name, one in FORMATS.items() if one.fits(head)), None)
    if name is None:
        raise HnclipError(
            "no format of captions that is known",
            where=head.path,
            got=repr(head.line[:60]),
            hint="--format lines, if each line is a caption; --help lists the formats",
        )
    return name


def _checked(
    source: Source,
    head: Head,
    records: Iterator[dict[str, Any]],
    note: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    """The records, of which there must be one."""
    count = 0
    for record in records:
        if source.splits and "split" not in record:
            raise HnclipError(
                "this file has no splits", where=source.path, hint="leaving --split out"
            )
        count += 1
        yield record
    there = ", ".join(source.num_of_split)
    if not count:
        expected = f"a split of {there}" if source.splits and there else ""
        got = f"--split {' '.join(source.splits)}" if source.splits else ""
        files = [name for name in head.entries if name.endswith(_ENDINGS)]
        hint = f"one of its files, as {os.path.join(head.path, files[0])}" if files else ""
        raise HnclipError("no caption", where=source.path, got=got, expected=expected, hint=hint)
    if len(source.num_of_split) > 1 and not source.splits:
        counts = ", ".join(f"{name} {count:,}" for name, count in source.num_of_split.items())
        note(f"{source.path}: entries of all splits ({counts}); --split takes some of them")


def sampled(
    records: Iterable[dict[str, Any]], count: int, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """So many records, drawn by a hash of seed and id, in their order; memory holds as many.

    Whether a record is drawn depends on the ids of the others, and on nothing else.
    """
    least = heapq.nsmallest(
        count,
        ((hash64(seed, Record(record).id), place, record) for place, record in enumerate(records)),
        key=lambda drawn: drawn[:2],
    )
    for _, _, record in sorted(least, key=lambda drawn: drawn[1]):
        yield record
