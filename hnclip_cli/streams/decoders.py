"""Processes that decode images, so that a bad image can neither crash nor hold up a run.

A process imports Pillow and nothing heavier, so it is there in a tenth of a second and takes
some 50 MB.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from hnclip_cli.errors import InputError
from hnclip_cli.streams.images import ImageRoot, load_image
from hnclip_cli.streams.processes import Died, InProcesses
from hnclip_cli.streams.records import Box, Record
from hnclip_cli.streams.regions import only

if TYPE_CHECKING:
    from PIL.Image import Image

# Seconds until an image is given up. More than all attempts at a download.
DEADLINE = 60.0

Step = tuple[str, Any]  # ("resize", [what Resize takes, filter]) or ("crop", [height, width])
LoadPart = Callable[[Record, str, Sequence[Box]], "Image"]
Wanted = tuple[Record, str, Sequence[Box]]  # an image, or boxes of it, of a record
Request = tuple[str, int, str, Sequence[Box], Box | None]

# Of an image in an answer: its number of bytes, width and height; 0 where it is a message.
_ENTRY = Struct("<QII")


class Decoded(NamedTuple):
    """An image as bytes, red, green and blue of each pixel."""

    data: memoryview
    width: int
    height: int

    def image(self) -> "Image":
        from PIL import Image

        return Image.frombytes("RGB", (self.width, self.height), self.data)


def part_loader(image_root: str | ImageRoot) -> LoadPart:
    """`load_image` of which only what lies in some boxes is kept, the rest is black.

    The last images of which parts were wanted are remembered: more parts mostly follow.
    """

    @lru_cache(maxsize=2)
    def remembered(name: str, crop: Box | None, source: str, line: int) -> "Image":
        return load_image(_record_of(name, crop, source, line), name, image_root)

    def load(record: Record, name: str, boxes: Sequence[Box]) -> "Image":
        if not boxes:
            return load_image(record, name, image_root)
        image = remembered(name, record.crops.get(name), record.source, record.line)
        return only(record, image, boxes)

    return load


class Decoders(InProcesses[Sequence[Request]]):
    """Loads images in processes, and resizes and crops them there; called as a `part_loader`.

    A process that dies or exceeds the deadline costs the image that it had in hand. Images that
    `is_raw` are left as they are, for a GPU to resize.
    """

    def __init__(
        self,
        image_root: str | ImageRoot,
        workers: int,
        steps: Sequence[Step] = (),
        deadline: float = DEADLINE,
        raw_bytes: int = 0,
    ) -> None:
        decoding = partial(_decoding, image_root, steps, raw_bytes)
        super().__init__(decoding, workers, deadline)

    def __call__(self, record: Record, name: str, boxes: Sequence[Box] = ()) -> "Image":
        """`InputError` as `load_image`, or where decoding crashed or took too long."""
        (found,) = self.load([(record, name, boxes)])
        if isinstance(found, InputError):
            raise found
        return found.image()

    def load(self, wanted: Sequence[Wanted]) -> list[Decoded | InputError]:
        """Each image, or what is wrong with it; one process loads them all."""
        requests = [
            (record.source, record.line, name, boxes, record.crops.get(name))
            for record, name, boxes in wanted
        ]
        try:
            answer = self.call(requests)
        except Died as death:
            if len(wanted) > 1:  # it was one of them
                return [found for one in wanted for found in self.load([one])]
            ((record, name, _),) = wanted
            was_killed = "signal 9" in str(death)  # as the system does that has no memory left
            hint = "fewer --workers, where memory ran out" if was_killed else ""
            problem = f"image cannot be decoded ({death})"
            return [record.error(problem, got=repr(name), hint=hint)]
        found: list[Decoded | InputError] = []
        start, table = 0, answer[len(answer) - len(wanted) * _ENTRY.size :]
        for length, width, height in _ENTRY.iter_unpack(table):
            part = answer[start : start + length]
            is_image = width > 0
            found.append(
                Decoded(part, width, height) if is_image else InputError(bytes(part).decode())
            )
            start += length
        return found


def _decoding(
    image_root: str | ImageRoot, steps: Sequence[Step], raw_bytes: int
) -> Callable[[Sequence[Request]], list[bytes]]:
    """What a process does: the pixels of images or what is wrong with them; behind them a table."""
    load = part_loader(image_root)

    def decode(request: Request) -> tuple[bytes, int, int]:
        source, line, name, boxes, crop = request
        record = _record_of(name, crop, source, line)
        try:
            image = prepared(load, (record, name, boxes), steps, raw_bytes)
        except InputError as error:
            return str(error).encode(), 0, 0
        return image.tobytes(), *image.size

    def decode_all(requests: Sequence[Request]) -> list[bytes]:
        found = [decode(request) for request in requests]
        table = [_ENTRY.pack(len(data), width, height) for data, width, height in found]
        return [data for data, _, _ in found] + table

    return decode_all


def prepared(load: LoadPart, wanted: Wanted, steps: Sequence[Step], raw_bytes: int = 0) -> "Image":
    """An image, resized and cropped unless it `is_raw`; raises InputError."""
    record, name, _ = wanted
    image = load(*wanted)
    if is_raw(image, raw_bytes):
        return image
    with preprocessing(record, name):
        return apply_steps(image, steps)


def _record_of(name: str, crop: Box | None, source: str, line: int) -> Record:
    return Record({"image": name, "crops": [crop and list(crop)]}, source, line)


@contextlib.contextmanager
def preprocessing(record: Record, name: str) -> Iterator[None]:
    """Failures of preprocessing, as on images of strange sizes, are the image's `InputError`."""
    try:
        yield
    except Exception as error:
        raise record.error(
            f"image cannot be preprocessed ({str(error) or type(error).__name__})",
            got=repr(name),
        ) from None


def is_raw(image: "Image", raw_bytes: int) -> bool:
    """Whether an image is left to a GPU: no more than so many bytes, and not tall.

    From version 13 on Pillow resizes the height of tall images first, which rounds otherwise.
    """
    width, height = image.size
    return 3 * width * height <= raw_bytes and height < 1.9 * width


def apply_steps(image: "Image", steps: Sequence[Step]) -> "Image":
    """Resize and crop as torchvision does it with Pillow images.

    ``("resize", [size, filter])``: the shorter side to ``size``, or both to ``[height, width]``,
    with a filter of Pillow by its name. ``("crop", [height, width])``: out of the middle.
    """
    from PIL import Image

    for step, arguments in steps:
        if step == "resize":
            size, resample = arguments
            target = resized_size(image.size, size)
            if target != image.size:
                image = image.resize(target, Image.Resampling[resample])
        else:
            high, wide = arguments
            left, top = crop_offset(image.width, wide), crop_offset(image.height, high)
            image = image.crop((left, top, left + wide, top + high))
    return image


def resized_size(image_size: tuple[int, int], size: int | Sequence[int]) -> tuple[int, int]:
    """(width, height) of an image after the step ``("resize", [size, …])``."""
    width, height = image_size
    if not isinstance(size, int):
        return size[1], size[0]
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size


def crop_offset(length: int, size: int) -> int:
    """Where the middle of so many pixels begins."""
    return round((length - size) / 2)
