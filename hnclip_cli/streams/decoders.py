"""Processes that decode images, so that a bad image can neither crash nor hold up a run.

A process imports Pillow and nothing heavier, so it is there in a tenth of a second and takes
some 50 MB.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from struct import Struct
from typing import TYPE_CHECKING, Any

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
Request = tuple[str, int, str, Sequence[Box], Box | None]

_SIZE = Struct("II")


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


class Decoders(InProcesses[Request]):
    """Loads images in processes, and resizes and crops them there; called as a `part_loader`.

    A process that dies or exceeds the deadline costs the image that it had in hand.
    """

    def __init__(
        self,
        image_root: str | ImageRoot,
        workers: int,
        steps: Sequence[Step] = (),
        deadline: float = DEADLINE,
    ) -> None:
        super().__init__(partial(_decoding, image_root, steps), workers, deadline)

    def __call__(self, record: Record, name: str, boxes: Sequence[Box] = ()) -> "Image":
        """`InputError` as `load_image`, or where decoding crashed or took too long."""
        from PIL import Image

        crop = record.crops.get(name)
        try:
            answer = self.call((record.source, record.line, name, boxes, crop))
        except Died as death:
            raise record.error(f"image cannot be decoded ({death})", got=repr(name)) from None
        return Image.frombuffer("RGB", _SIZE.unpack(answer[-_SIZE.size :]), answer)


def _decoding(image_root: str | ImageRoot, steps: Sequence[Step]) -> Callable[[Request], bytes]:
    """What a process does: the pixels of an image, and behind them its size."""
    load = part_loader(image_root)

    def decode(request: Request) -> bytes:
        source, line, name, boxes, crop = request
        record = _record_of(name, crop, source, line)
        image = load(record, name, boxes)
        with preprocessing(record, name):
            image = apply_steps(image, steps)
        return image.tobytes() + _SIZE.pack(*image.size)

    return decode


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


def apply_steps(image: "Image", steps: Sequence[Step]) -> "Image":
    """Resize and crop as torchvision does it with Pillow images.

    ``("resize", [size, filter])``: the shorter side to ``size``, or both to ``[height, width]``,
    with a filter of Pillow by its name. ``("crop", [height, width])``: out of the middle.
    """
    from PIL import Image

    for step, arguments in steps:
        width, height = image.size
        if step == "resize":
            size, resample = arguments
            if isinstance(size, list):
                target = (size[1], size[0])
            elif width <= height:
                target = (size, int(size * height / width))
            else:
                target = (int(size * width / height), size)
            if target != image.size:
                image = image.resize(target, Image.Resampling[resample])
        else:
            high, wide = arguments
            top, left = round((height - high) / 2), round((width - wide) / 2)
            image = image.crop((left, top, left + wide, top + high))
    return image
