"""Image files: where a record's image lies, and how it is decoded."""

import os
from typing import TYPE_CHECKING

from hnclip_cli.streams.crops import cropped
from hnclip_cli.streams.frames import read_frame
from hnclip_cli.streams.records import Record

if TYPE_CHECKING:
    from PIL.Image import Image


def default_image_root(input_path: str) -> str:
    """The folder that relative image paths start from: the input file's, or the working one."""
    return "." if input_path == "-" else os.path.dirname(input_path) or "."


def load_image(record: Record, name: str, image_root: str) -> "Image":
    """Decode one image of a record to RGB, and cut out its crop where the record has one.

    EXIF orientation is left alone, as in open_clip's own preprocessing, so that embeddings are
    the same.

    Raises:
        InputError: a URL, a missing file, or a file that does not decode as an image,
            or a crop that does not fit it.
    """
    from PIL import Image

    if "://" in name:
        raise record.error(
            "image is a URL, and hnclip fetches nothing", got=repr(name), hint="a local copy of it"
        )
    path = os.path.normpath(os.path.join(image_root, name))
    try:
        if name.endswith(".npy"):
            with open(path, "rb") as stream:
                decoded = read_frame(stream)
        else:
            with Image.open(path) as image:
                decoded = image.convert("RGB")
    except FileNotFoundError:
        elsewhere = image_root != "." and os.path.exists(name)
        hint = "--image-root ." if elsewhere else "--image-root DIR"
        raise record.error("image not found", got=repr(path), hint=hint) from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        reason = str(error).replace(f" {path!r}", "") or type(error).__name__
        raise record.error(
            f"image cannot be decoded ({reason})", got=repr(path), expected="an image file"
        ) from None
    return cropped(record, name, decoded)
