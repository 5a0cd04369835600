"""Images of any mode as 8-bit RGB: deep samples, transparency.

Pillow's own conversion cuts what is above 255, so that a 16-bit photograph becomes white, and
what is below 1, so that a float image of 0 to 1 becomes black.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

Color = tuple[int, int, int]

# Tags of TIFF.
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_UNSIGNED, _WHITE_IS_ZERO = 1, 0


def to_rgb(image: "Image", background: Color | None = None) -> "Image":
    """An image as 8-bit RGB.

    Gray samples of more than 8 bits are scaled by their depth, floating-point ones by their range.

    Args:
        image: of any mode, loaded.
        background: what transparent pixels are blended with; None drops transparency, as open_clip
            does.

    Raises:
        ValueError: samples of which nobody can say what black and white are, or L*a*b*.
    """
    from PIL import Image

    if image.mode == "LAB":  # Pillow's conversion is off by some gray levels
        raise ValueError("colors in L*a*b*, not RGB")
    if image.mode.startswith("I") or image.mode == "F":
        image = _deep_gray(image)
    if background is not None and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image)
    return image.convert("RGB")


def _deep_gray(image: "Image") -> "Image":
    """A gray image of integers or floating-point numbers as bytes, rounded."""
    import numpy as np
    from PIL import Image

    tags = getattr(image, "tag_v2", {})  # of TIFF
    samples = np.asarray(image)
    if image.mode == "F":
        white = _white_of_floats(samples)
    else:
        is_unsigned = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED
        if samples.dtype == np.int32 and is_unsigned:
            samples = samples.view(np.uint32)
        white = _white_of_integers(samples, tags.get(_BITS, (16,))[0], is_unsigned)
    shares = samples / white
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        shares = 1 - shares
    gray = Image.fromarray(np.rint(255 * shares).astype(np.uint8))
    gray.info = image.info.copy()
    transparent = gray.info.pop("transparency", None)  # a sample of the depth of the file
    if transparent is not None:
        gray.putalpha(Image.fromarray(255 * (samples != transparent).astype(np.uint8)))
    return gray


def _white_of_floats(samples: "np.ndarray") -> float:
    """1 where samples go up to 1, else 255."""
    low, high = float(samples.min()), float(samples.max())
    if not (low >= 0 and high <= 255):  # also where one is NaN
        raise ValueError(f"floating-point samples from {low:g} to {high:g}, not 0 to 1 or 0 to 255")
    return 1 if high <= 1 else 255


def _white_of_integers(samples: "np.ndarray", bits: int, is_unsigned: bool) -> int:
    """The largest number of so many bits.

    Few images of 32 bits use them: there it is the largest of 8, 16 or 32 bits, the fewest that
    hold all samples.
    """
    low, high = int(samples.min()), int(samples.max())
    if low < 0:
        raise ValueError(f"negative samples, from {low} to {high}")
    largest: int = 2**bits - 1 if is_unsigned else 2 ** (bits - 1) - 1
    if bits < 32:
        return largest
    return next((white for white in (2**8 - 1, 2**16 - 1) if high <= white), largest)
