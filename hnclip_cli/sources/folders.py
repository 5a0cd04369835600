"""A folder of image files as records, with the captions that lie beside them."""

import fnmatch
import os
from collections.abc import Iterator, Sequence
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.names import in_record, is_image
from hnclip_cli.streams.files import open_regular
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import Record

METADATA = "metadata.jsonl"
MAX_CAPTION_BYTES = 1 << 20


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

    def walk(below: str, above: Sequence[_Metadata]) -> Iterator[dict[str, Any]]:
        """The records of a folder ``below`` the root (empty, or ending in a slash)."""
        try:
            with os.scandir(os.path.join(folder, below)) as entries:
                found = sorted((_sort_name(entry), entry.is_symlink()) for entry in entries)
        except OSError as error:
            policy.bad(_bad(os.path.join(folder, below), f"cannot read it: {error.strerror}"))
            return
        metadata = [_Metadata(folder, below, policy), *above]  # the nearest first
        for name, is_link in found:
            if name.endswith("/"):
                if not is_link:
                    yield from walk(below + name, metadata)
            elif _is_wanted(below + name, patterns):
                try:
                    yield _record(folder, below + name, home, metadata)
                except HnclipError as error:
                    policy.bad(InputError(str(error)))

    yield from walk("", [])


def _sort_name(entry: "os.DirEntry[str]") -> str:
    """With a slash behind folders, the order within each is that of whole paths."""
    return entry.name + "/" if entry.is_dir() else entry.name


def _is_wanted(path: str, patterns: Sequence[str]) -> bool:
    name = path.rpartition("/")[2]
    if not patterns:
        return is_image(name) and not name.startswith(".")
    return any(
        fnmatch.fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns
    )


def _record(root: str, name: str, home: str, metadata: Sequence["_Metadata"]) -> dict[str, Any]:
    path = os.path.join(root, name)
    if not in_record(path):
        raise _bad(ascii(path), "the name is not UTF-8, so no record can hold it")
    target = os.path.realpath(path)
    if os.path.commonpath([home, target]) != home:
        raise _bad(path, "a link that leads out of the folder")
    try:
        open_regular(path).close()
    except FileNotFoundError:
        raise _bad(path, "a link that leads nowhere") from None
    ours = {"id": name, "image": path}
    fields = next(filter(None, (source.fields(name) for source in metadata)), {})
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


def decode_caption(data: bytes, where: str) -> str:
    """A caption from a file of its own, without the space around it.

    Raises:
        InputError: too long for a caption, invalid UTF-8, or blank.
    """
    if len(data) > MAX_CAPTION_BYTES:
        raise _bad(where, f"a caption of more than {MAX_CAPTION_BYTES} bytes")
    try:
        caption = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _bad(where, "the caption is invalid UTF-8") from None
    if not caption:
        raise _bad(where, "the caption is empty")
    return caption


def _bad(where: str, problem: str) -> InputError:
    return InputError(problem, where=where)


class _Metadata:
    """A folder's ``metadata.jsonl``: fields by ``file_name``, a path below the folder.

    A line without a file is as bad as a line that is no record.
    """

    def __init__(self, root: str, below: str, policy: ErrorPolicy) -> None:
        self._below = below
        self._records: dict[str, Record] = {}
        folder = os.path.join(root, below)
        try:
            stream = open_regular(os.path.join(folder, METADATA))
        except FileNotFoundError:
            return
        with stream:
            for record in RecordReader(stream, os.path.join(folder, METADATA), policy):
                try:
                    name = record.field("file_name", str)
                    if not os.path.isfile(os.path.join(folder, name)):
                        raise record.error("image not found", got=repr(name))
                    self._records[name] = record
                except (InputError, ValueError) as error:  # ValueError: a zero byte in the name
                    policy.bad(error if isinstance(error, InputError) else record.error(str(error)))

    def fields(self, name: str) -> dict[str, Any]:
        """What is said of a file, named by its path below the root."""
        found: dict[str, Any] = self._records.get(name.removeprefix(self._below), {})
        return {key: value for key, value in found.items() if key != "file_name"}
