"""A model's preprocessing in parts: what processes do to images, and arithmetic on bytes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, Resize

from hnclip_cli.streams.decoders import Step

# Transforms of torchvision and open_clip that treat each byte of an RGB image alone.
_ARITHMETIC = {"MaybeConvertMode", "MaybeToTensor", "ToTensor", "Normalize"}


def split_preprocess(
    preprocess: Any,
) -> tuple[list[Step], Compose]:
    """A preprocessing as the steps that `apply_steps` can do, and the rest of it.

    Where a transform is not known exactly, all from there on is rest.
    """
    transforms = preprocess.transforms if type(preprocess) is Compose else [preprocess]
    steps: list[Step] = []
    shortest = 0  # side that is known at this point
    for position, transform in enumerate(transforms):
        if type(transform) is Resize and _is_plain(transform):
            size = transform.size
            pair = [size[0], size[-1]] if isinstance(size, Sequence) and len(size) > 1 else None
            side = size if isinstance(size, int) else size[0]
            steps.append(("resize", [pair or side, transform.interpolation.name]))
            shortest = min(pair) if pair else side
        elif type(transform) is CenterCrop and max(transform.size) <= shortest:
            steps.append(("crop", list(transform.size)))
            shortest = min(transform.size)
        else:
            return steps, Compose(transforms[position:])
    return steps, Compose([])


def byte_table(preprocess: Any) -> Tensor | None:
    """What becomes of each byte in each channel, (3, 256); None where that is not all.

    Args:
        preprocess: the steps of `apply_steps`, which are passed over, and arithmetic.
    """
    _, arithmetic = split_preprocess(preprocess)
    if any(
        type(step).__name__ not in _ARITHMETIC for step in getattr(arithmetic, "transforms", ())
    ):
        return None
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    values = arithmetic(Image.fromarray(ramp))
    return values[:, 0] if isinstance(values, Tensor) else None


def as_bytes(image: Image.Image) -> Tensor:
    """(height, width, 3) uint8, for `look_up_bytes`."""
    return torch.from_numpy(np.array(image))


def look_up_bytes(pixels: Tensor, table: Tensor) -> Tensor:
    """The arithmetic of a preprocessing on the device that the bytes are on.

    Args:
        pixels: (n, height, width, 3) uint8.
        table: (3, 256) from `byte_table`, on the same device.

    Returns:
        (n, 3, height, width), bit for bit what the preprocessing makes.
    """
    places = pixels.permute(0, 3, 1, 2).int()
    places += 256 * torch.arange(3, dtype=torch.int32, device=pixels.device).view(3, 1, 1)
    return table.flatten().index_select(0, places.flatten()).view(places.shape)


def by_table(arithmetic: Compose) -> Callable[[Image.Image], Tensor]:
    """The same arithmetic from a table of what it makes of each byte in each channel.

    For a loader's threads: a third less work, and none of torch's own threads, of which each
    calling thread would get a set. What is more than arithmetic stays as it is.
    """
    values_of = byte_table(arithmetic)
    if values_of is None:
        unchanged: Callable[[Image.Image], Tensor] = arithmetic
        return unchanged
    table = values_of.numpy()

    def look_up(image: Image.Image) -> Tensor:
        values = np.asarray(image)
        pixels = np.empty((3, *values.shape[:2]), table.dtype)
        for channel in range(3):  # "clip" saves a buffer; there is nothing to clip
            np.take(table[channel], values[..., channel], out=pixels[channel], mode="clip")
        return torch.from_numpy(pixels)

    return look_up


def _is_plain(resize: Resize) -> bool:
    filters = ("NEAREST", "BILINEAR", "BICUBIC", "BOX", "HAMMING", "LANCZOS")
    return resize.max_size is None and resize.interpolation.name in filters
