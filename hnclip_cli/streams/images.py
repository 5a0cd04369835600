"""Images: where a record's image lies, and how it is decoded."""

import importlib.util
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import IO, TYPE_CHECKING, Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import inside, is_url, no_folder, open_regular
from hnclip_cli.streams.modes import Color, to_rgb
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.regions import MAX_RATIO, cropped, is_narrow
from hnclip_cli.streams.remote import fetch
from hnclip_cli.streams.tars import Shards, split_member

if TYPE_CHECKING:
    from PIL.Image import Image

# Of an image as it is stored: a file, a tar member or a download.
MAX_BYTES = 256 << 20
# What Pillow may try. Not EPS, which it hands to Ghostscript, nor TGA, which any bytes may be.
FORMATS = (
    "AVIF", "BMP", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP",
)  # fmt: skip
HEIF_SUFFIXES = (".heic", ".heif")

_shards = Shards()


@dataclass(frozen=True, slots=True)
class ImageRoot:
    """The folder where relative paths start, whether URLs are fetched, and how images are read."""

    folder: str
    remote: bool = False
    private: bool = False  # from private addresses too
    background: Color | None = None  # of transparent pixels; None drops transparency
    exif_orientation: bool = False  # whether images are turned as their EXIF says

    @property
    def reading(self) -> str | None:
        """How images are read, for a comparison; None where it is as open_clip does."""
        if self.background is None and not self.exif_orientation:
            return None
        return f"background {self.background}, EXIF orientation {self.exif_orientation}"


def default_image_root(input_path: str) -> str:
    """The folder that relative image paths start from: the input file's, or the working one."""
    return "." if input_path == "-" else os.path.dirname(input_path) or "."


def image_root_of(input_path: str, image_root: str | None, **how: Any) -> ImageRoot:
    """What --image-root says about an input file; ``how`` are the other fields of `ImageRoot`.

    `HnclipError` where it is no folder.
    """
    if image_root and "://" not in image_root and not os.path.isdir(image_root):
        raise no_folder(image_root)
    return ImageRoot(image_root or default_image_root(input_path), **how)


def load_image(record: Record, name: str, image_root: str | ImageRoot) -> "Image":
    """Decode one image of a record to RGB, and cut out its crop where the record has one.

    Transparency is dropped and EXIF orientation left alone, as in open_clip's own preprocessing, so
    that embeddings are the same, unless ``image_root`` says otherwise. Samples of more than 8 bits
    are scaled (`to_rgb`). Of several frames the first counts. Links are followed; only regular
    files are read, so nothing waits.

    Args:
        record: whose image it is, for messages.
        name: a path, a member of a tar (``shard.tar::member``), or a URL.
        image_root: where relative paths start, and how images are read.

    Raises:
        InputError: it is not there, must not be read, does not decode as an image, or is smaller
            than its crop.
    """
    root = as_root(image_root)
    with _found(record, name, root) as path:
        try:
            with _open(path, root) as stream:
                is_frame = path.endswith(".npy")
                decoded = _read_frame(stream) if is_frame else _decode(stream, root)
        except (FileNotFoundError, HnclipError):
            raise
        except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
            reason = str(error).partition(" <_io")[0] or type(error).__name__
            is_heif = path.lower().endswith(HEIF_SUFFIXES) and not reads_heif()
            raise HnclipError(
                f"image cannot be decoded ({reason})",
                got=repr(path),
                expected="an image file",
                hint="pip install 'hnclip[heif]'" if is_heif else "",
            ) from None
    return cropped(record, name, decoded)


def check_image(record: Record, name: str, image_root: str | ImageRoot) -> None:
    """As `load_image`, an error where an image is not there; it is not decoded, a URL not asked."""
    with _found(record, name, as_root(image_root)) as path:
        if inside := split_member(path):
            _shards.find(*inside)
        elif "://" not in path:
            open_regular(path).close()


def as_root(image_root: str | ImageRoot) -> ImageRoot:
    """A folder alone as an `ImageRoot`."""
    return ImageRoot(image_root) if isinstance(image_root, str) else image_root


@contextmanager
def _found(record: Record, name: str, root: ImageRoot) -> Iterator[str]:
    """Where an image lies, or its URL; what goes wrong there is the record's error."""
    try:
        path = _place(name, root)
        yield path
    except FileNotFoundError:
        elsewhere = root.folder != "." and os.path.exists(name)
        hint = "--image-root ." if elsewhere else "--image-root DIR"
        raise record.error("image not found", got=repr(path), hint=hint) from None
    except HnclipError as error:
        raise record.error(str(error)) from None


def _place(name: str, root: ImageRoot) -> str:
    if "://" not in name:
        if not is_url(root.folder):
            return os.path.normpath(os.path.join(root.folder, name))
        name = f"{root.folder}/{inside('', name, 'image')}"
    if not root.remote:
        raise HnclipError(
            "image is a URL, and hnclip fetches nothing",
            got=repr(name),
            hint="a local copy of it, or --remote-images",
        )
    if "::" in name:
        raise HnclipError("image is a chain of URLs", got=repr(name), expected="a plain URL")
    # The same care as for paths: fsspec would wait at a named pipe.
    return name.removeprefix("file://") if name.startswith("file:///") else name


def _open(path: str, root: ImageRoot) -> IO[bytes]:
    if "://" in path:
        return io.BytesIO(fetch(path, MAX_BYTES, private=root.private))
    if inside := split_member(path):
        return io.BytesIO(_shards.read(*inside, MAX_BYTES))
    stream = open_regular(path)
    if (size := os.fstat(stream.fileno()).st_size) > MAX_BYTES:
        stream.close()
        raise ValueError(f"{size} bytes, {MAX_BYTES} allowed")
    return stream


def image_size(path: str) -> tuple[int, int]:
    """Width and height of an image file, from its header; `OSError` where it is none."""
    from PIL import Image

    with open_regular(path) as stream, Image.open(stream, formats=_formats()) as image:
        return image.size


def _decode(stream: IO[bytes], root: ImageRoot) -> "Image":
    from PIL import Image, ImageOps

    with Image.open(stream, formats=_formats()) as image:
        limit = Image.MAX_IMAGE_PIXELS
        if limit and image.width * image.height > limit:  # up to twice of it Pillow only warns
            raise ValueError(
                f"a decompression bomb? {image.width} x {image.height} pixels, {limit} allowed"
            )
        _check_sides(*image.size)
        image.load()
        decoded = to_rgb(image, root.background)
        return ImageOps.exif_transpose(decoded) if root.exif_orientation else decoded


def _check_sides(width: int, height: int) -> None:
    if is_narrow(width, height):  # resizing would blow it up
        raise ValueError(f"too narrow: {width} x {height} pixels, {MAX_RATIO} to 1 allowed")


@cache
def _formats() -> list[str]:
    """The formats that this Pillow can read; its warnings are silenced on the way."""
    from PIL import Image

    warnings.filterwarnings("ignore", module=r"PIL\.")
    Image.init()
    if reads_heif():
        import pillow_heif

        pillow_heif.register_heif_opener()
    return [name for name in FORMATS if name in Image.OPEN]


@cache
def reads_heif() -> bool:
    """Whether the plug-in for HEIC is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def _read_frame(stream: IO[bytes]) -> "Image":
    """A video frame in an NPY file, as EqBen's YouCook2 part has them.

    uint8, shape (height, width, 3), channels as OpenCV has them (BGR). Nothing is unpickled: any
    other array is refused by its header.
    """
    from numpy.lib import format as npy_format
    from PIL import Image

    if npy_format.read_magic(stream) != (1, 0):
        raise ValueError("not an NPY file of version 1.0")
    shape, fortran_order, dtype = npy_format.read_array_header_1_0(stream)
    if dtype.str != "|u1" or fortran_order or len(shape) != 3 or shape[2] != 3:
        raise ValueError(f"{dtype} of shape {shape}, expected uint8 of (height, width, 3)")
    limit = Image.MAX_IMAGE_PIXELS or 0
    if not 0 < shape[0] * shape[1] <= limit:
        raise ValueError(f"{shape[0]} x {shape[1]} pixels, 1 to {limit} allowed")
    _check_sides(shape[1], shape[0])
    data = stream.read(prod(shape))
    if len(data) < prod(shape):
        raise ValueError("the array is truncated")
    return Image.frombytes("RGB", (shape[1], shape[0]), data, "raw", "BGR")
