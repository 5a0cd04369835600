"""Images as the pixels that a model takes."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, Resize

from hnclip_cli.models.clip import Clip
from hnclip_cli.streams.decoders import Decoders, Step, part_loader, preprocessing
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.records import Box, Record

# Transforms of torchvision and open_clip that treat each byte of an RGB image alone.
_ARITHMETIC = {"MaybeConvertMode", "MaybeToTensor", "ToTensor", "Normalize"}


class PixelLoader:
    """Loads pixels in processes; to be called from several threads, such as those of `map_ahead`.

    The processes decode, resize and crop; the calling thread does what remains of the model's
    preprocessing. The pixels are the same, bit for bit.

    Args:
        clip: whose preprocessing it is.
        image_root: where relative paths start, and whether URLs are fetched.
        workers: processes; with 0 everything happens in the calling thread.

    Attributes:
        num_threads: with as many callers, neither they nor the processes wait.

    Leaving the ``with`` block ends the processes.
    """

    def __init__(self, clip: Clip, image_root: str | ImageRoot, workers: int) -> None:
        self._decoders: Decoders | None = None
        self.num_threads = 2 * workers
        self._finish, self._load = clip.preprocess, part_loader(image_root)
        if workers:
            steps, rest = split_preprocess(clip.preprocess)
            self._finish = by_table(rest)
            self._load = self._decoders = Decoders(image_root, workers, steps)

    def __enter__(self) -> "PixelLoader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._decoders:
            self._decoders.close()

    def __call__(self, record: Record, name: str, boxes: Sequence[Box] = ()) -> Tensor:
        """An image of a record, or what lies in the boxes of it, shape (3, height, width).

        Raises:
            InputError: it is missing or does not decode, or a box lies outside of it.
        """
        image = self._load(record, name, boxes)
        with preprocessing(record, name):
            return self._finish(image)


def split_preprocess(
    preprocess: Any,
) -> tuple[list[Step], Callable[[Any], Tensor]]:
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


def by_table(arithmetic: Compose) -> Callable[[Image.Image], Tensor]:
    """The same arithmetic from a table of what it makes of each byte in each channel.

    For a loader's threads: a third less work, and none of torch's own threads, of which each
    calling thread would get a set. What is more than arithmetic stays as it is.
    """
    if any(type(transform).__name__ not in _ARITHMETIC for transform in arithmetic.transforms):
        unchanged: Callable[[Image.Image], Tensor] = arithmetic
        return unchanged
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    table = arithmetic(Image.fromarray(ramp))[:, 0].numpy()

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
