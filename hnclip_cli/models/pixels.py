"""A record's images as pixels, decoded ahead."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, Resize

from hnclip_cli.errors import InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.streams.decoders import Decoders, Step, preprocessing
from hnclip_cli.streams.images import ImageRoot, load_image
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.threads import map_ahead

# Transforms of torchvision and open_clip that treat each byte of an RGB image alone.
_ARITHMETIC = {"MaybeConvertMode", "MaybeToTensor", "ToTensor", "Normalize"}


def load_pixels(record: Record, clip: Clip, image_root: str | ImageRoot) -> Tensor:
    """The record's images, shape (n, 3, height, width).

    Raises:
        InputError: an image is missing or does not decode.
    """
    return PixelLoader(clip, image_root, workers=0)(record, record.image_list)


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
        if workers:
            steps, rest = split_preprocess(clip.preprocess)
            self._finish = by_table(rest)
            self._load: Callable[[Record, str], Any] = Decoders(image_root, workers, steps)
            self._decoders = self._load
        else:
            self._finish = clip.preprocess
            self._load = lambda record, name: load_image(record, name, image_root)

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

    def __call__(self, record: Record, names: Sequence[str]) -> Tensor:
        """Images of a record, shape (n, 3, height, width).

        Raises:
            InputError: one of them is missing or does not decode.
        """
        pixels = []
        for name in names:
            image = self._load(record, name)
            with preprocessing(record, name):
                pixels.append(self._finish(image))
        return torch.stack(pixels)


def iter_pixels(
    records: Iterable[Record], clip: Clip, image_root: str | ImageRoot, workers: int
) -> Iterator[tuple[Record, Tensor | InputError]]:
    """The pixels of each record in order, or what is wrong with it.

    Args:
        records: their images are loaded up to 64 records ahead.
        clip: whose preprocessing it is.
        image_root: where relative paths start, and whether URLs are fetched.
        workers: processes that decode; 0 decodes in line and ahead of nothing.
    """
    with PixelLoader(clip, image_root, workers) as loader:

        def load(record: Record) -> tuple[Record, Tensor | InputError]:
            try:
                return record, loader(record, record.image_list)
            except InputError as error:
                return record, error

        yield from map_ahead(load, records, loader.num_threads)


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
