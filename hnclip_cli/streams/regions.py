"""Parts of images: regions, which have words, and crops, outside of which nothing counts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hnclip_cli.streams.records import Box, Record, is_box, shorten

if TYPE_CHECKING:
    from PIL.Image import Image

# A crop may reach beyond its image, but not for ever.
MAX_PIXELS = 1 << 26
# Of an image or a crop, the longer side to the shorter one.
MAX_RATIO = 1000
ROLES = ("subject", "relation", "object")


@dataclass(frozen=True, slots=True)
class Region:
    """A part of an image and the words for it; the box is in pixels of the image, or its crop."""

    box: Box | None  # None: the whole image
    text: str  # empty where the role says which words of the caption they are
    role: str


def regions_of(record: Record) -> list[list[Region]]:
    """The regions of each image of a record; an absent field is a list of nothing for each.

    ``regions`` is a list of regions, or for the general item a list (or null) for each image.
    """
    names = record.image_list
    if record.get("regions") is None:
        return [[] for _ in names]
    given = record.field("regions", list)
    if not record.is_matching:
        given = [given]
    if len(given) != len(names):
        raise record.error(
            'field "regions" has the wrong length',
            got=str(len(given)),
            expected=f"a list of regions or null for each of {len(names)} images",
        )
    regions = []
    for items in given:
        if not isinstance(items, list | None):
            raise record.error(
                'field "regions" is malformed', got=shorten(items), expected="a list of regions"
            )
        regions.append([_region(record, item) for item in items or []])
    return regions


def _region(record: Record, item: object) -> Region:
    if not isinstance(item, dict):
        raise record.error(
            "a region is not an object", got=shorten(item), expected='{"box": …, "text": …}'
        )
    box, text, role = item.get("box"), item.get("text") or "", item.get("role") or ""
    if box is not None and not is_box(box):
        raise record.error(
            "a region has a bad box",
            got=shorten(box),
            expected="[left, top, width, height] in pixels",
        )
    if not isinstance(text, str) or not isinstance(role, str):
        raise record.error("a region has a text or role that is no string", got=shorten(item))
    if not text.strip() and role not in ROLES:
        raise record.error(
            "a region has no words",
            got=shorten(item),
            expected=f'a "text", or a "role" of {", ".join(ROLES)}',
        )
    return Region(tuple(box) if box else None, text.strip(), role)


def only(record: Record, image: "Image", boxes: Sequence[Box]) -> "Image":
    """The image with everything outside of the boxes black; without a box, the image."""
    from PIL import Image

    if not boxes:
        return image
    canvas = Image.new("RGB", image.size)
    for left, top, width, height in boxes:
        # Every pixel that the box touches, so that none is empty.
        edges = (
            max(0, math.floor(left)),
            max(0, math.floor(top)),
            min(image.width, math.ceil(left + width)),
            min(image.height, math.ceil(top + height)),
        )
        if edges[0] >= edges[2] or edges[1] >= edges[3]:
            raise record.error(
                "a region lies outside of its image",
                got=shorten([left, top, width, height]),
                expected=f"a part of {image.width} x {image.height} pixels",
            )
        canvas.paste(image.crop(edges), edges[:2])
    return canvas


def cropped(record: Record, name: str, image: "Image") -> "Image":
    """The part of an image that the record's ``crops`` keep; black where they reach beyond it.

    ARO's and CREPE's evaluators cut in the same way.
    """
    box = record.crops.get(name)
    if box is None:
        return image
    left, top, width, height = map(round, box)
    right, bottom = left + width, top + height
    is_inside = left < image.width and top < image.height and right > 0 and bottom > 0
    if not is_inside or width * height > MAX_PIXELS:
        raise record.error(
            "a crop does not fit its image",
            got=f"left {left}, top {top}, width {width}, height {height}",
            expected=f"a part of {image.width} x {image.height} pixels",
        )
    if is_narrow(width, height):
        raise record.error(
            "a crop is too narrow",
            got=f"{width} x {height} pixels",
            expected=f"sides of at most {MAX_RATIO} to 1",
        )
    return image.crop((left, top, right, bottom))


def is_narrow(width: int, height: int) -> bool:
    """Whether resizing it by its shorter side would make too many pixels."""
    return max(width, height) > MAX_RATIO * min(width, height)
