"""Edits: spans of a caption and what stands there in its negative."""

from collections.abc import Iterable

from hnclip_cli.streams.records import Record, shorten

Edit = tuple[int, int, str]


def apply_edits(caption: str, edits: Iterable[Edit]) -> str:
    """Replace the spans [start, end) of a caption; `ValueError` where they overlap or leave it."""
    pieces = []
    position = 0
    for start, end, replacement in sorted(edits):
        if not position <= start <= end <= len(caption):
            raise ValueError(f"edit [{start}, {end}) overlaps another or leaves the caption")
        pieces += [caption[position:start], replacement]
        position = end
    return "".join([*pieces, caption[position:]])


def edit_between(caption: str, negative: str) -> list[Edit]:
    """The one edit, on word borders, that turns a caption into a given negative."""
    shorter = min(len(caption), len(negative))
    start = 0
    while start < shorter and caption[start] == negative[start]:
        start += 1
    end = 0
    while end < shorter - start and caption[-1 - end] == negative[-1 - end]:
        end += 1
    if start == len(caption) == len(negative):
        return []
    while start and caption[start - 1].isalnum():
        start -= 1
    while end and caption[len(caption) - end].isalnum():
        end -= 1
    return [(start, len(caption) - end, negative[start : len(negative) - end])]


def edits_of(record: Record) -> list[list[Edit]]:
    """The edits of each negative of a record in the short form, checked.

    Where a negative has none, the one edit on word borders that leads to it.
    """
    caption = record.caption
    return [
        edit_between(caption, negative.caption)
        if item.get("edits") is None
        else _checked(record, caption, negative.caption, item["edits"])
        for negative, item in zip(record.negatives, record.get("negatives", []), strict=True)
    ]


def _checked(record: Record, caption: str, negative: str, given: object) -> list[Edit]:
    try:
        edits = [_edit(item) for item in given] if isinstance(given, list) else []
        if apply_edits(caption, edits) == negative:
            return sorted(edits)
    except ValueError:
        pass
    raise record.error(
        "the edits do not lead from the caption to its negative",
        got=shorten(given),
        expected=f"[[start, end, replacement], …] to {shorten(negative)}",
    )


def _edit(item: object) -> Edit:
    if isinstance(item, list) and list(map(type, item)) == [int, int, str] and item[0] >= 0:
        return item[0], item[1], item[2]
    raise ValueError
