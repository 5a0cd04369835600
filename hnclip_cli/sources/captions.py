"""What folders and shards say of an image: its captions, and fields of others."""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from hnclip_cli.errors import InputError
from hnclip_cli.streams.fields import FIELDS
from hnclip_cli.streams.files import in_bytes
from hnclip_cli.streams.records import Record

MAX_CAPTION_BYTES = 1 << 20


def decode_captions(data: bytes, where: str, *, by_line: bool = False) -> list[str]:
    """What a caption's file says, without the space around: one caption, or one a line.

    Raises:
        InputError: it is too long, blank, or no UTF-8.
    """
    if len(data) > MAX_CAPTION_BYTES:
        problem = "a caption of more than 1 MiB"
        raise InputError(problem, where=where, expected=in_bytes(MAX_CAPTION_BYTES))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the caption is invalid UTF-8", where=where) from None
    captions = _stripped(text.splitlines() if by_line else [text])
    if not captions:
        raise InputError("the caption is empty", where=where)
    return captions


def records_of_image(
    ours: Mapping[str, Any], beside: Sequence[str], lines: Sequence[Record]
) -> Iterator[dict[str, Any]]:
    """A record for each caption of an image, or one without a caption.

    Args:
        ours: ``id``, ``image`` and other fields of every record. From the second record on, the
            id is followed by ``#`` and the record's number.
        beside: captions in files beside the image. The first line's are then kept as
            ``metadata_caption``.
        lines: what metadata say of the image, a line each.
    """
    count = 0
    for place, line in enumerate(lines or [Record({})]):
        captions, fields = split_fields(line)
        if beside and (place == 0 or not captions):
            unused = [text for text in captions if text not in beside]
            fields |= {"metadata_caption": unused} if unused else {}
            captions = list(beside)
        for own in [{"caption": caption} for caption in captions] or [{}]:
            count += 1
            more = f"#{count}" if count > 1 else ""
            yield {**ours, "id": ours["id"] + more, **own, **fields}


def split_fields(line: Record) -> tuple[list[str], dict[str, Any]]:
    """The captions that metadata give, and their other fields.

    Captions are those of ``caption`` and ``captions``, texts or lists of texts; where there are
    none, of ``text``. A field with the name of one of ours is called ``metadata_NAME``.

    Raises:
        InputError: ``caption`` is something else than text.
    """
    caption, captions = _texts(line.get("caption")), _texts(line.get("captions"))
    if caption is None:
        raise line.error('field "caption" is no text', got=repr(line["caption"]), expected="text")
    found = list(dict.fromkeys([*caption, *(captions or [])])) or _texts(line.get("text")) or []
    used = {"caption"} if captions is None else {"caption", "captions"}
    return found, foreign_fields(line, used)


def foreign_fields(line: Record, used: Container[str | None]) -> dict[str, Any]:
    """The fields that are not ``used``; one with the name of one of ours is ``metadata_NAME``."""
    fields: dict[str, Any] = {}
    for name, value in line.items():
        if name not in used:
            while name in FIELDS or name in fields:
                name = f"metadata_{name}"
            fields[name] = value
    return fields


def _texts(value: Any) -> list[str] | None:
    """A text, or a list of texts, without what is blank; None for anything else."""
    texts: list[Any] = [] if value is None else value if isinstance(value, list) else [value]
    return _stripped(texts) if all(isinstance(text, str) for text in texts) else None


def _stripped(texts: Sequence[str]) -> list[str]:
    return [text.strip() for text in texts if text.strip()]
