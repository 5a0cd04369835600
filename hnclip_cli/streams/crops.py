"""Crops: where a record speaks of a part of an image only."""

from typing import TYPE_CHECKING

from hnclip_cli.streams.records import Record

if TYPE_CHECKING:
    from PIL.Image import Image

# A crop may reach beyond its image, but not for ever.
MAX_PIXELS = 1 << 26


def cropped(record: Record, name: str, image: "Image") -> "Image":
    """The part of an image that the record's ``crops`` keep; black where they reach beyond it.

    ARO's and CREPE's evaluators cut in the same way.

    Raises:
        InputError: ``crops`` is malformed, or a crop lies outside of its image or is too large.
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
    return image.crop((left, top, right, bottom))
