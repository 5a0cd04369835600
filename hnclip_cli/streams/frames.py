"""Video frames that were saved as arrays, as those of EqBen's YouCook2 part."""

from math import prod
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def read_frame(stream: IO[bytes]) -> "Image":
    """A frame in an NPY file: uint8, shape (height, width, 3), channels as OpenCV has them (BGR).

    Nothing is unpickled: any other array is refused by its header.

    Raises:
        ValueError: it is no such array, is too large, or ends too early.
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
    data = stream.read(prod(shape))
    if len(data) < prod(shape):
        raise ValueError("the array is truncated")
    return Image.frombytes("RGB", (shape[1], shape[0]), data, "raw", "BGR")
