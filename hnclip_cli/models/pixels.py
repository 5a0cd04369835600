"""Images as the pixels that a model takes: preprocessing in parts, in processes and on bytes."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, Resize

from hnclip_cli.streams.decoders import Decoders, Step, part_loader, preprocessing
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.records import Box, Record

if TYPE_CHECKING:
    from hnclip_cli.models.clip import Clip

# Transforms of torchvision and open_clip that treat each byte of an RGB image alone.
_ARITHMETIC = {"MaybeConvertMode", "MaybeToTensor", "ToTensor", "Normalize"}
FLAT = "images of one flat color"  # as the closing note calls them
_FILTERS = {"NEAREST", "BILINEAR", "BICUBIC", "BOX", "HAMMING", "LANCZOS"}  # Pillow's


def split_preprocess(preprocess: Any) -> tuple[list[Step], Compose]:
    """A preprocessing as the steps that `apply_steps` can do, and the rest of it.

    Where a transform is not known exactly, all from there on is rest.
    """
    transforms = preprocess.transforms if type(preprocess) is Compose else [preprocess]
    steps: list[Step] = []
    shortest = 0  # side that is known at this point
    for position, transform in enumerate(transforms):
        kind = getattr(getattr(transform, "interpolation", None), "name", "")
        if type(transform) is Resize and transform.max_size is None and kind in _FILTERS:
            sides = [transform.size] if isinstance(transform.size, int) else list(transform.size)
            steps.append(("resize", [sides if len(sides) > 1 else sides[0], kind]))
            shortest = min(sides)
        elif type(transform) is CenterCrop and max(transform.size) <= shortest:
            steps.append(("crop", list(transform.size)))
            shortest = min(transform.size)
        else:
            return steps, Compose(transforms[position:])
    return steps, Compose([])


def byte_table(preprocess: Any) -> Tensor | None:
    """What a preprocessing makes of each byte in each channel, (3, 256), behind `apply_steps`.

    None where it is more than arithmetic on bytes.
    """
    _, arithmetic = split_preprocess(preprocess)
    if not {type(step).__name__ for step in arithmetic.transforms} <= _ARITHMETIC:
        return None
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    values = arithmetic(Image.fromarray(ramp))
    return values[:, 0] if isinstance(values, Tensor) else None


def as_bytes(image: Image.Image) -> Tensor:
    """(height, width, 3) uint8, for `look_up_bytes`."""
    return torch.from_numpy(np.array(image))


def is_flat(pixels: Tensor) -> bool:
    """Whether an image, as `PixelLoader` gives it, is of one color."""
    rows = pixels.flatten(0, 1) if pixels.dtype == torch.uint8 else pixels.flatten(1).T
    # Most differ at once in two places.
    return torch.equal(rows[0], rows[len(rows) // 3]) and bool((rows == rows[0]).all())


def look_up_bytes(pixels: Tensor, table: Tensor) -> Tensor:
    """Bytes (n, height, width, 3) through a `byte_table` on the same device.

    Returns:
        (n, 3, height, width), bit for bit what the preprocessing makes.
    """
    places = pixels.permute(0, 3, 1, 2).int()
    places += 256 * torch.arange(3, dtype=torch.int32, device=pixels.device).view(3, 1, 1)
    return table.flatten().index_select(0, places.flatten()).view(places.shape)


def by_table(arithmetic: Compose) -> Callable[[Image.Image], Tensor]:
    """The same arithmetic by its `byte_table`; what is more than arithmetic stays as it is.

    For a loader's threads: a third less work, and none of torch's own threads, of which each
    calling thread would get a set.
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


class PixelLoader:
    """Loads pixels in processes; to be called from several threads, such as those of `map_ahead`.

    The processes decode, resize and crop; the calling thread does what remains of the model's
    preprocessing, or leaves it to the GPU, which gets a byte in place of each number. The pixels
    are the same, bit for bit. With 0 ``workers`` everything happens in the calling thread.

    Leaving the ``with`` block ends the processes.
    """

    def __init__(self, clip: "Clip", image_root: str | ImageRoot, workers: int) -> None:
        self._decoders: Decoders | None = None
        self.num_threads = 2 * workers  # with as many callers, neither they nor the processes wait
        self._finish, self._load = clip.preprocess, part_loader(image_root)
        if workers:
            steps, rest = split_preprocess(clip.preprocess)
            on_gpu = clip.device.type == "cuda" and byte_table(clip.preprocess) is not None
            self._finish = as_bytes if on_gpu else by_table(rest)
            self._load = self._decoders = Decoders(image_root, workers, steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        if self._decoders:
            self._decoders.close()

    def __call__(self, record: Record, name: str, boxes: Sequence[Box] = ()) -> Tensor:
        """An image, or the boxes of it, as `Clip.encode_images` takes it; else an `InputError`."""
        image = self._load(record, name, boxes)
        with preprocessing(record, name):
            return self._finish(image)
