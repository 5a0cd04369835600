"""Images as the pixels that a model takes: preprocessing in parts, in processes and on bytes."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, Resize

from hnclip_cli.errors import InputError
from hnclip_cli.models.kernels import works
from hnclip_cli.streams.decoders import (
    Decoded,
    Decoders,
    Step,
    Wanted,
    part_loader,
    prepared,
    preprocessing,
)
from hnclip_cli.streams.images import ImageRoot, as_root
from hnclip_cli.streams.records import Box, Record
from hnclip_cli.streams.threads import chunked, map_ahead

if TYPE_CHECKING:
    from hnclip_cli.models.clip import Clip

T = TypeVar("T")
U = TypeVar("U")

# Images that a process loads in one call. A call costs more than it looks: each of its waits gives
# this interpreter to another thread.
MAX_AT_ONCE = 8
MAX_AHEAD = 512  # images that are loaded before they are wanted: up to 1 GB
SUPPORTS = {"BILINEAR": 1.0, "BICUBIC": 2.0}  # of the filters that a GPU resizes by
# Of an image that a GPU resizes. Larger ones take longer to hand over than they are worth.
MAX_RAW_BYTES = 2 << 20
MAX_HELD_BYTES = 2 << 30  # of all images that are in memory for a GPU
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


def can_resize(steps: Sequence[Step]) -> bool:
    """Whether `resize` does these steps: the shorter side to a size, by a filter that it knows."""
    match list(steps):
        case [("resize", [int(), name]), ("crop", _)]:
            return name in SUPPORTS
    return False


def resizes(device: torch.device, steps: Sequence[Step]) -> bool:
    """Whether a GPU can do these steps, and gives the bytes that Pillow does.

    Where Triton is missing, cannot compile, or gives other bytes, a warning says so.
    """
    if device.type != "cuda":
        return False

    def problem_of() -> str:
        from hnclip_cli.models.resize import is_exact

        return "" if is_exact(steps, device) else "its pixels are not Pillow's"

    return can_resize(steps) and works("images are not resized on the GPU", problem_of)


def as_bytes(decoded: Decoded) -> Tensor:
    """(height, width, 3) uint8, for `look_up_bytes`."""
    pixels = torch.frombuffer(decoded.data, dtype=torch.uint8)
    return pixels.view(decoded.height, decoded.width, 3)


class PixelLoader:
    """Loads pixels in processes; to be called from several threads, such as those of `map_ahead`.

    The processes decode, resize and crop; the calling thread does what remains of the model's
    preprocessing. A GPU gets bytes in place of numbers, and images that it resizes itself where it
    can (`resizes`), so that the processes decode only. The pixels are the same, bit for bit. With
    0 ``workers`` everything happens in the calling thread.

    Leaving the ``with`` block ends the processes.

    Args:
        clip: the model.
        image_root: where relative paths start, and how images are read.
        workers: processes.
        num_held: images that are in memory at a time: of many, only smaller ones are left to a GPU.
        cache_bytes: of pixels that are kept, so that their images are decoded once.
    """

    def __init__(
        self,
        clip: "Clip",
        image_root: str | ImageRoot,
        workers: int,
        num_held: int = 1,
        cache_bytes: int = 0,
    ) -> None:
        self._decoders: Decoders | None = None
        self._cache: dict[tuple[Any, ...], Tensor] = {}
        self._cache_bytes_left = cache_bytes
        self.num_threads = 2 * workers  # with as many callers, neither they nor the processes wait
        self._max_at_once = 1 if as_root(image_root).remote else MAX_AT_ONCE
        self._load_part = part_loader(image_root)
        self._steps, rest = split_preprocess(clip.preprocess)
        arithmetic = by_table(rest)
        self._finish: Callable[[Decoded], Tensor] = lambda decoded: arithmetic(decoded.image())
        if workers:
            raw_bytes = 0
            if clip.device.type == "cuda" and byte_table(clip.preprocess) is not None:
                self._finish = as_bytes
                if clip.resizes:
                    raw_bytes = min(MAX_RAW_BYTES, MAX_HELD_BYTES // num_held)
            self._decoders = Decoders(image_root, workers, self._steps, raw_bytes=raw_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        if self._decoders:
            self._decoders.close()

    def ahead(
        self, items: Iterable[T], prepare: Callable[[T], tuple[U, Sequence[Wanted]]], depth: int
    ) -> Generator[tuple[U, list[Tensor | InputError]], None, None]:
        """What ``prepare`` makes of each item, with the images that it wants, in order.

        Args:
            items: drawn by the calling thread.
            prepare: called from several threads.
            depth: items that may be begun before the first of them is done.
        """
        # So many that each process has a call to do and one that waits.
        at_once = depth // (2 * self.num_threads) if self.num_threads else 1
        size = max(1, min(self._max_at_once, at_once))

        def load(part: list[T]) -> list[tuple[U, list[Tensor | InputError]]]:
            prepared = [prepare(item) for item in part]
            images = iter(self.load([one for _, wanted in prepared for one in wanted]))
            return [(made, list(islice(images, len(wanted)))) for made, wanted in prepared]

        parts = map_ahead(load, chunked(items, size), self.num_threads, depth // size)
        with closing(parts):
            for part in parts:
                yield from part

    def load(self, wanted: Sequence[Wanted]) -> list[Tensor | InputError]:
        """Each image as `Clip.stack` takes it, or what is wrong with it."""
        keys = [(name, record.crops.get(name), *boxes) for record, name, boxes in wanted]
        known = [self._cache.get(key) for key in keys]
        missing = [one for one, found in zip(wanted, known, strict=True) if found is None]
        loaded = iter(self._decode(missing) if missing else ())
        return [
            self._kept(key, self._pixels(one, next(loaded))) if found is None else found
            for one, key, found in zip(wanted, keys, known, strict=True)
        ]

    def _decode(self, wanted: Sequence[Wanted]) -> Sequence[Decoded | InputError]:
        if self._decoders:
            return self._decoders.load(wanted)
        return [self._decode_here(one) for one in wanted]

    def _decode_here(self, one: Wanted) -> Decoded | InputError:
        try:
            image = prepared(self._load_part, one, self._steps)
        except InputError as error:
            return error
        return Decoded(memoryview(image.tobytes()), *image.size)

    def _kept(self, key: tuple[Any, ...], found: Tensor | InputError) -> Tensor | InputError:
        """What was found, which is kept if there is room."""
        if isinstance(found, Tensor) and found.nbytes <= self._cache_bytes_left:
            self._cache_bytes_left -= found.nbytes
            self._cache[key] = found.clone()  # bytes may lie in what the processes write again
        return found

    def _pixels(self, one: Wanted, found: Decoded | InputError) -> Tensor | InputError:
        if isinstance(found, InputError):
            return found
        record, name, _ = one
        try:
            with preprocessing(record, name):
                return self._finish(found)
        except InputError as error:
            return error

    def __call__(self, record: Record, name: str, boxes: Sequence[Box] = ()) -> Tensor:
        """One image, or the boxes of it; else an `InputError`."""
        (image,) = self.load([(record, name, boxes)])
        if isinstance(image, InputError):
            raise image
        return image
