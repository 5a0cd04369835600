"""Names as users of data sets write them: shell braces, and what ends like an image."""

import os
import re
from collections.abc import Iterable, Iterator

IMAGE_SUFFIXES = {
    ".avif", ".bmp", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm",
    ".png", ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def is_image(name: str) -> bool:
    """Whether a file's name ends like that of an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def in_record(name: str) -> bool:
    """Whether a record can hold a name: not every file has one that is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def expand_braces(pattern: str) -> Iterator[str]:
    """``shard-{000..009}.tar`` and ``{train,val}.tar``, also nested, as a shell expands them.

    Numbers keep the width that they are written with. What is not a range or a list of braces
    stays as it is. Names come one by one, however many there are.
    """
    opening = pattern.find("{")
    while opening >= 0:
        parts, closing = _braces(pattern, opening)
        if parts:
            break
        opening = pattern.find("{", opening + 1)
    else:
        yield pattern
        return
    for part in parts:
        for middle in expand_braces(part):
            for rest in expand_braces(pattern[closing + 1 :]):
                yield pattern[:opening] + middle + rest


def _braces(pattern: str, opening: int) -> tuple[Iterable[str], int]:
    """What the braces that open here stand for, nothing if they are plain text; where they end."""
    depth, start = 0, opening + 1
    parts: list[str] = []
    for at in range(opening, len(pattern)):
        character = pattern[at]
        depth += (character == "{") - (character == "}")
        if depth == 0 or (depth == 1 and character == ","):
            parts.append(pattern[start:at])
            start = at + 1
        if depth == 0:
            if numbers := _RANGE.fullmatch(pattern[opening + 1 : at]):
                return _numbers(numbers[1], numbers[2]), at
            return (parts if len(parts) > 1 else []), at
    return [], opening


def _numbers(first: str, last: str) -> Iterator[str]:
    """From the first to the last number, upwards or downwards."""
    padded = any(len(word) > 1 and word.startswith("0") for word in (first, last))
    width = max(len(first), len(last)) if padded else 0
    step = 1 if int(first) <= int(last) else -1
    for number in range(int(first), int(last) + step, step):
        yield f"{number:0{width}d}"
