"""Pillow's resizing of 8-bit images on a GPU, bit for bit: images of any sizes in two kernel calls.

Pillow resizes along one axis, then along the other. Each time it sums bytes times whole numbers
(coefficients in units of 2⁻²²) and keeps a byte. So the order of a sum does not matter, and a GPU
gives the same (src/libImaging/Resample.c: precompute_coeffs, normalize_coeffs_8bpc).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import triton
import triton.language as tl
from PIL import Image
from torch import Tensor

from hnclip_cli.models.pixels import SUPPORTS
from hnclip_cli.streams.decoders import Step, apply_steps, crop_offset, resized_size

PRECISION_BITS = 22
PART = 128  # images at a time
BLOCK = 1024  # bytes of an image that a program computes


class _Pass(NamedTuple):
    """How an image is resized along one axis, as the kernel reads it: (rows, length, stride)."""

    source: int  # where the image begins
    out: int  # where the result begins
    table: int  # where its first taps stand, and its coefficients behind them
    taps: int  # how many coefficients a byte has
    stride: int  # from one tap to the next
    length: int  # of the source along the axis, in taps
    num_bytes: int  # of the result


@triton.jit
def _resample(source, tables, passes, out, size, BLOCK: tl.constexpr):
    """A program computes BLOCK bytes of an image: it has ``size`` places in place of ``length``."""
    facts = passes + tl.program_id(0) * 7
    from_, to, table = tl.load(facts), tl.load(facts + 1), tl.load(facts + 2)
    taps = tl.load(facts + 3).to(tl.int32)
    stride, length = tl.load(facts + 4).to(tl.int32), tl.load(facts + 5).to(tl.int32)
    num_bytes = tl.load(facts + 6).to(tl.int32)
    byte = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = byte < num_bytes
    within, place = byte % stride, (byte // stride) % size
    row = byte // (stride * size)
    first = tl.load(tables + table + place, mask=inside, other=0)
    at = source + from_ + (row * length + first) * stride + within
    weights = tables + table + size + place
    total = tl.full([BLOCK], 1 << 21, tl.int32)
    for tap in range(taps):
        weight = tl.load(weights + tap * size, mask=inside, other=0)
        # Behind the last tap of a place stand zeros, and perhaps no bytes.
        value = tl.load(at + tap * stride, mask=weight != 0, other=0)
        total += value.to(tl.int32) * weight
    value = tl.minimum(tl.maximum(total >> 22, 0), 255)
    tl.store(out + to + byte, value.to(tl.uint8), mask=inside)


@lru_cache(maxsize=1024)
def coefficients(length: int, size: int, offset: int, count: int, name: str) -> np.ndarray:
    """Pillow's coefficients for resizing an axis, of the places from ``offset`` on.

    Returns:
        int32 (1 + taps, count): which byte comes first, and the weights from there on.
    """
    scale = length / size
    stretch = max(scale, 1.0)
    support = SUPPORTS[name] * stretch
    center = (np.arange(offset, offset + count) + 0.5) * scale
    first = np.maximum((center - support + 0.5).astype(np.int64), 0)
    stop = np.minimum((center + support + 0.5).astype(np.int64), length)
    taps = int((stop - first).max())
    weights = np.zeros((taps, count))
    total = np.zeros(count)
    for tap in range(taps):
        distance = (tap + first - center + 0.5) * (1.0 / stretch)
        weights[tap] = np.where(first + tap < stop, _filter(name, np.abs(distance)), 0.0)
        total += weights[tap]
    weights = np.divide(weights, total, out=weights, where=total != 0)
    whole = np.trunc(weights * (1 << PRECISION_BITS) + np.where(weights < 0, -0.5, 0.5))
    return np.concatenate([first[None], whole]).astype(np.int32)


def _filter(name: str, x: np.ndarray) -> np.ndarray:
    if name == "BILINEAR":
        return np.where(x < 1, 1 - x, 0)
    a = -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def resize(images: Sequence[Tensor], steps: Sequence[Step], device: torch.device) -> Tensor:
    """What `apply_steps` makes of images, on a device, so many at a time that they fit well there.

    Args:
        images: (height, width, 3) uint8 each, of any sizes, on the CPU.
        steps: that `pixels.can_resize`.

    Returns:
        (n, height, width, 3) uint8.
    """
    parts = [images[start : start + PART] for start in range(0, len(images), PART)]
    return torch.cat([_resize(part, steps, device) for part in parts])


def _resize(images: Sequence[Tensor], steps: Sequence[Step], device: torch.device) -> Tensor:
    (_, (size, name)), (_, (height, width)) = steps
    tables: dict[tuple[int, ...], int] = {}
    parts: list[np.ndarray] = []

    def table_of(*key: int) -> tuple[int, int]:
        found = coefficients(*key, name)
        if key not in tables:
            tables[key] = sum(map(len, parts))
            parts.append(found.ravel())
        return tables[key], len(found) - 1

    across, down = [], []
    start = middle = 0
    for number, image in enumerate(images):
        high, wide, _ = image.shape
        to_width, to_height = resized_size((wide, high), size)
        left, top = crop_offset(to_width, width), crop_offset(to_height, height)
        table, taps = table_of(wide, to_width, left, width)
        across.append(_Pass(start, middle, table, taps, 3, wide, high * width * 3))
        table, taps = table_of(high, to_height, top, height)
        out = number * height * width * 3
        down.append(_Pass(middle, out, table, taps, 3 * width, high, height * width * 3))
        start, middle = start + image.numel(), middle + high * width * 3
    source = torch.empty(start, dtype=torch.uint8, pin_memory=device.type == "cuda")
    torch.cat([image.flatten() for image in images], out=source)
    source = source.to(device, non_blocking=True)
    both = _to(device, np.array([across, down], np.int64))
    weights = _to(device, np.concatenate(parts))
    between = source.new_empty(middle)
    result = source.new_empty(len(images), height, width, 3)
    for passes, facts, read, written, count in (
        (across, both[0], source, between, width), (down, both[1], between, result, height),
    ):  # fmt: skip
        blocks = triton.cdiv(max(each.num_bytes for each in passes), BLOCK)
        _resample[(len(images), blocks)](read, weights, facts, written, count, BLOCK=BLOCK)
    return result


def is_exact(steps: Sequence[Step], device: torch.device) -> bool:
    """Whether `resize` gives what Pillow does, on noise of several shapes."""
    random = np.random.default_rng(0)
    shapes = [(480, 640), (400, 300), (90, 130), (3, 40), (333, 500)]
    images = [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    found = resize([torch.from_numpy(image) for image in images], steps, device).cpu().numpy()
    expected = [np.asarray(apply_steps(Image.fromarray(image), steps)) for image in images]
    return all(map(np.array_equal, found, expected))


def _to(device: torch.device, array: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
