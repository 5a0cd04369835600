"""A folder of image files as records, with the captions that lie beside them."""

import fnmatch
import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.captions import MAX_CAPTION_BYTES, decode_captions, records_of_image
from hnclip_cli.sources.metadata import CSV, JSONL, metadata_of
from hnclip_cli.streams.files import open_inside
from hnclip_cli.streams.images import HEIF_SUFFIXES, reads_heif
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record

IMAGE_SUFFIXES = {
    ".avif", ".bmp", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm",
    ".png", ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip

MAX_FOLDERS = 100  # below each other


def folder_records(
    folder: str,
    patterns: Sequence[str] = (),
    policy: ErrorPolicy | None = None,
    *,
    caption_lines: bool = False,
) -> Iterator[dict[str, Any]]:
    """A record for each image file below a folder and each of its captions, sorted by path.

    The fields are ``id``, the path below the folder, ``image``, the folder joined with it, and
    where they exist ``caption``, from ``NAME.txt`` or from ``metadata.jsonl`` or ``metadata.csv``,
    and the other fields of that metadata. A folder's names and metadata are held while it is read.

    Links to folders are not followed. A link to a file is, where the file lies below the folder;
    captions and metadata are such files too.

    Args:
        folder: where to look.
        patterns: shell patterns; only files that match one count, by their path below the folder
            where the pattern has a slash, else by their name. None: those named like images.
        policy: what becomes of names that are not UTF-8, links that lead out of the folder, and
            captions that cannot be read; by default they end the reading. It is told of what is
            not read: other files, where there is no pattern, and metadata of such files.
        caption_lines: each line of a ``NAME.txt`` is a caption.

    Raises:
        HnclipError: no such folder.
    """
    if not os.path.isdir(folder):
        raise HnclipError("no such folder", where=folder, hint="hnclip data images DIR")
    return _Folder(folder, patterns, policy or ErrorPolicy(), caption_lines).walk()


@dataclass
class _Folder:
    root: str
    patterns: Sequence[str]
    policy: ErrorPolicy
    caption_lines: bool
    # What metadata say of images that are still to come, by the path below the root.
    metadata: dict[str, list[Record]] = field(default_factory=dict)

    def walk(self, below: str = "") -> Iterator[dict[str, Any]]:
        """The records of a folder ``below`` the root (empty, or ending in a slash)."""
        if below.count("/") > MAX_FOLDERS:
            where, expected = os.path.join(self.root, below), f"at most {MAX_FOLDERS}"
            self.policy.bad(
                InputError("folders are nested too deeply", where=where, expected=expected)
            )
            return
        try:
            with os.scandir(os.path.join(self.root, below)) as entries:
                # With a slash behind folders, the order within each is that of whole paths.
                found = sorted((e.name + "/" * _is_folder(e), e.is_symlink()) for e in entries)
        except OSError as error:
            where = os.path.join(self.root, below)
            self.policy.bad(InputError(f"cannot read it: {error.strerror}", where=where))
            return
        described = self._read_metadata(below)
        wanted = {name for name, _ in found if name[-1] != "/" and self._is_wanted(below + name)}
        names = {name for name, _ in found}
        beside = (next((n for n in _beside(name) if n in names), "") for name in wanted)
        read = {JSONL, CSV, *beside}
        for name, is_link in found:
            if name in wanted:
                yield from self._records(below + name)
            elif name.endswith("/") and not is_link:
                yield from self.walk(below + name)
            elif not self.patterns and name not in read:
                self._unread("links to folders" if name.endswith("/") else kind(name), below + name)
        for path in described & self.metadata.keys():
            for line in self.metadata.pop(path):
                self.policy.odd("lines of metadata on files that are not read", line.where)

    def _unread(self, what: str, path: str) -> None:
        self.policy.odd(f"{what} that were not read", os.path.join(self.root, path))

    def _is_wanted(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        if not self.patterns:
            return is_image(name) and not name.startswith(".")
        return any(
            fnmatch.fnmatchcase(path if "/" in pattern else name, pattern)
            for pattern in self.patterns
        )

    def _read_metadata(self, below: str) -> set[str]:
        """Add what a folder's metadata say; gives the paths of the images that they speak of.

        A line without a file is as bad as a line that is no record.
        """
        found = set()
        for line in metadata_of(self.root, below, self.policy):
            try:
                name = line.field("file_name", str)
                path = posixpath.normpath(below + name)
                if os.path.isabs(name) or path.startswith("../"):
                    raise line.error("image leaves its folder", got=repr(name))
                if not os.path.isfile(os.path.join(self.root, path)):
                    raise line.error("image not found", got=repr(name))
            except InputError as error:
                self.policy.bad(error)
            else:
                del line["file_name"]
                found.add(path)
                self.metadata.setdefault(path, []).append(line)
        return found

    def _records(self, name: str) -> Iterator[dict[str, Any]]:
        """The records of an image; a bad one meets the policy."""
        lines = self.metadata.pop(name, [])
        try:
            path = self._checked(name)
            ours = {"id": name, "image": path}
            found = list(records_of_image(ours, self._captions_beside(path), lines))
        except InputError as error:
            self.policy.bad(error)
        except FileNotFoundError:
            self.policy.bad(InputError("it is not there any more", where=name))
        else:
            yield from found

    def _checked(self, name: str) -> str:
        """The path of an image that a record can name."""
        path = os.path.join(self.root, name)
        if not in_record(path):
            raise InputError("the name is not UTF-8, so no record can hold it", where=ascii(path))
        open_inside(self.root, path).close()
        return path

    def _captions_beside(self, path: str) -> list[str]:
        """What stands in ``NAME.txt`` beside ``NAME.jpg``; nothing where there is no such file."""
        for beside in _beside(path):
            try:
                with open_inside(self.root, beside) as stream:
                    data = stream.read(MAX_CAPTION_BYTES + 1)
            except FileNotFoundError:
                continue
            return decode_captions(data, beside, by_line=self.caption_lines)
        return []


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in circles
        return False


def _beside(path: str) -> list[str]:
    """Where an image's caption may stand, the first that is there."""
    return [os.path.splitext(path)[0] + ending for ending in (".txt", ".TXT")]


def is_image(name: str) -> bool:
    """Whether a file's name ends like that of an image that can be read here."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in IMAGE_SUFFIXES or (suffix in HEIF_SUFFIXES and reads_heif())


def kind(name: str) -> str:
    """What a file is by its name, as notes call it."""
    suffix = os.path.splitext(name)[1].lower()
    if name.startswith("."):
        return "hidden files"
    return f"{suffix} files" if suffix[1:].isalnum() and len(suffix) <= 8 else "other files"


def in_record(name: str) -> bool:
    """Whether a record can hold a name: not every file has one that is UTF-8."""
    return name.encode(errors="replace").decode() == name
