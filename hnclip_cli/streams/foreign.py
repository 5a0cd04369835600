"""Files that hold no records, known by their first bytes, and what turns them into records."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from hnclip_cli.errors import InputError

PARQUET_MAGIC = b"PAR1"
ARROW_MAGIC = b"ARROW1"  # Arrow's file format
ARROW_STREAM_MAGIC = b"\xff\xff\xff\xff"  # its streaming format, as ``datasets`` saves it

_PACKED = {
    b"PK\x03\x04": "unzip -p", b"\x1f\x8b": "gzip -dc", b"BZh": "bzip2 -dc",
    b"\xfd7zXZ": "xz -dc", b"\x28\xb5\x2f\xfd": "zstd -dc",
}  # fmt: skip
# Files of other kinds by how they begin, what they are, and what takes them.
_OTHERS = (
    (rb"\xff\xd8\xff|\x89PNG|GIF8[79]a|RIFF.{4}WEBP|II\*\0|MM\0\*",
     "an image", "hnclip data images FOLDER > records.jsonl"),
    (rb"\x93NUMPY|PK.{28}[^/\0]+\.npy", "an array", "hnclip search, or hnclip eval --embeddings"),
    (rb".{4}\0{4}\{|PK.{28}[^/\0]+/(data\.pkl|\.format_version)|\x80[\x02-\x05]",
     "weights of a model", "--pretrained, of hnclip score, embed and train"),
)  # fmt: skip
_LISTS = ("annotations", "images", "data", "image_urls")  # of the JSON files of data sets
_IMAGES = (".jpg", ".jpeg", ".png")
_LIST = re.compile(rb"\s*\[\s*(\{|\n|$)")
_BY_NAME = re.compile(rb'\s*\{\s*"[^"]+\.(jpe?g|png)"\s*:', re.IGNORECASE)
_OPENING = re.compile(rb"\s*\{\s*\n")


def is_arrow(head: bytes) -> bool:
    """Whether a file is parquet or Arrow."""
    return head.startswith((PARQUET_MAGIC, ARROW_MAGIC, ARROW_STREAM_MAGIC))


def is_tar(head: bytes) -> bool:
    """Whether a file is a tar, by its first header."""
    return head[257:262] == b"ustar"


def converting(source: str, options: str = "") -> str:
    """The command that turns a file or folder of captions into records."""
    return f"hnclip data captions {_quoted(source)}{options} > records.jsonl"


def other_kind(head: bytes, source: str) -> InputError | None:
    """The error for a file that is known to be no text at all."""
    for start, what, hint in _OTHERS:
        if re.match(start, head, re.DOTALL):
            return InputError(f"{what}, not a file of records", where=source, hint=hint)
    return None


def unpacking_of(head: bytes, source: str) -> str:
    """The command that unpacks a file; empty where it is not packed."""
    tools = (tool for magic, tool in _PACKED.items() if head.startswith(magic))
    return next((f"{tool} {_quoted(source)} > unpacked" for tool in tools), "")


def instead(head: bytes, source: str) -> str:
    """What to try with a file whose first line is no record; empty where nothing is known."""
    if packed := unpacking_of(head, source):
        return packed
    if is_arrow(head) or is_tar(head):
        return converting(source)
    if _LIST.match(head):
        return f"{converting(source)}, or jq -c '.[]' {_quoted(source)} > records.jsonl"
    if head.lstrip().startswith(b"{"):
        if any(f'"{name}"'.encode() in head for name in _LISTS) or _BY_NAME.match(head):
            return converting(source)
        return f"jq -c . {_quoted(source)} > records.jsonl" if _OPENING.match(head) else ""
    if head.lstrip().startswith(b"[") or b"\0" in head:
        return ""
    is_table = re.search(rb"[\t|,]", head.partition(b"\n")[0])
    return converting(source, "" if is_table else " --format lines")


def known_better(error: InputError, head: bytes, source: str) -> InputError:
    """The error of a first line, with what is known of such a file."""
    hint = instead(head, source)
    return other_kind(head, source) or (error.with_hint(hint) if hint else error)


def is_data_set(fields: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a whole data set rather than a record."""
    lists = [fields.get(name) for name in _LISTS]
    has_list = any(isinstance(one, list) and one and isinstance(one[0], dict) for one in lists)
    is_by_name = bool(fields) and all(name.lower().endswith(_IMAGES) for name in fields)
    return has_list or "image_urls" in fields or is_by_name


def _quoted(source: str) -> str:
    return "FILE" if source == "-" else shlex.quote(source)
