"""A folder of image files as records, with the captions that lie beside them."""

import fnmatch
import os
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.files import open_regular
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import Record

METADATA = "metadata.jsonl"
MAX_CAPTION_BYTES = 1 << 20
IMAGE_SUFFIXES = {
    ".avif", ".bmp", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm",
    ".png", ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip


def folder_records(
    folder: str, patterns: Sequence[str] = (), policy: ErrorPolicy | None = None
) -> Iterator[dict[str, Any]]:
    """A record for each image file below a folder, sorted by path.

    The fields are ``id``, the path below the folder, ``image``, the folder joined with it, and
    where they exist ``caption``, from ``NAME.txt`` or a ``metadata.jsonl``, and the other fields
    of that metadata. A folder's names and metadata are held while it is read.

    Links to folders are not followed. A link to a file is, where the file lies below the folder.

    Args:
        folder: where to look.
        patterns: shell patterns; only files that match one count, by their path below the folder
            where the pattern has a slash, else by their name. None: those named like images.
        policy: what becomes of names that are not UTF-8, links that lead out of the folder, and
            captions that cannot be read; by default they end the reading.

    Raises:
        HnclipError: no such folder.
    """
    if not os.path.isdir(folder):
        raise HnclipError("no such folder", where=folder, hint="hnclip data images DIR")
    policy = policy or ErrorPolicy()
    home = os.path.realpath(folder)

    def walk(below: str, above: ChainMap[str, Record]) -> Iterator[dict[str, Any]]:
        """The records of a folder ``below`` the root (empty, or ending in a slash)."""
        try:
            with os.scandir(os.path.join(folder, below)) as entries:
                # With a slash behind folders, the order within each is that of whole paths.
                found = sorted((e.name + "/" * e.is_dir(), e.is_symlink()) for e in entries)
        except OSError as error:
            where = os.path.join(folder, below)
            policy.bad(InputError(f"cannot read it: {error.strerror}", where=where))
            return
        metadata = above.new_child(_metadata(folder, below, policy))
        for name, is_link in found:
            if name.endswith("/"):
                if not is_link:
                    yield from walk(below + name, metadata)
            elif _is_wanted(below + name, patterns):
                try:
                    yield _record(folder, below + name, home, metadata)
                except HnclipError as error:
                    policy.bad(InputError(str(error)))

    yield from walk("", ChainMap())


def _is_wanted(path: str, patterns: Sequence[str]) -> bool:
    name = path.rpartition("/")[2]
    if not patterns:
        return is_image(name) and not name.startswith(".")
    return any(
        fnmatch.fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns
    )


def _record(root: str, name: str, home: str, metadata: Mapping[str, Record]) -> dict[str, Any]:
    path = os.path.join(root, name)
    if not in_record(path):
        raise InputError("the name is not UTF-8, so no record can hold it", where=ascii(path))
    target = os.path.realpath(path)
    if os.path.commonpath([home, target]) != home:
        raise InputError("a link that leads out of the folder", where=path)
    try:
        open_regular(path).close()
    except FileNotFoundError:
        raise InputError("a link that leads nowhere", where=path) from None
    ours = {"id": name, "image": path}
    fields: Mapping[str, Any] = metadata.get(name, {})
    caption = _caption_beside(path)
    if caption is not None:
        ours["caption"] = caption
    elif "caption" not in fields and isinstance(fields.get("text"), str):
        ours["caption"] = fields["text"]
    return ours | {key: value for key, value in fields.items() if key not in ours}


def _caption_beside(path: str) -> str | None:
    """What stands in ``NAME.txt`` beside ``NAME.jpg``; None where there is no such file."""
    beside = os.path.splitext(path)[0] + ".txt"
    try:
        with open_regular(beside) as stream:
            data = stream.read(MAX_CAPTION_BYTES + 1)
    except FileNotFoundError:
        return None
    return decode_caption(data, beside)


def is_image(name: str) -> bool:
    """Whether a file's name ends like that of an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def in_record(name: str) -> bool:
    """Whether a record can hold a name: not every file has one that is UTF-8."""
    return name.encode(errors="replace").decode() == name


def decode_caption(data: bytes, where: str) -> str:
    """A caption's file without the space around; `InputError` if too long, blank, or no UTF-8."""
    if len(data) > MAX_CAPTION_BYTES:
        raise InputError(f"a caption of more than {MAX_CAPTION_BYTES} bytes", where=where)
    try:
        caption = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise InputError("the caption is invalid UTF-8", where=where) from None
    if not caption:
        raise InputError("the caption is empty", where=where)
    return caption


def _metadata(root: str, below: str, policy: ErrorPolicy) -> dict[str, Record]:
    """The fields in a folder's ``metadata.jsonl``, by the image's path below the root.

    A line without a file is as bad as a line that is no record.
    """
    folder = os.path.join(root, below)
    found: dict[str, Record] = {}
    try:
        stream = open_regular(os.path.join(folder, METADATA))
    except FileNotFoundError:
        return found
    with stream:
        for record in RecordReader(stream, os.path.join(folder, METADATA), policy):
            try:
                name = record.field("file_name", str)
                if not os.path.isfile(os.path.join(folder, name)):
                    raise record.error("image not found", got=repr(name))
            except InputError as error:
                policy.bad(error)
            else:
                del record["file_name"]
                if record:
                    found[below + name] = record
    return found
