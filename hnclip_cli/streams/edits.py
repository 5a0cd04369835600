"""Edits: spans of a caption and what stands there in its negative."""

from collections.abc import Iterable

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
