"""Processes that decode images, so that a bad image can neither crash nor hold up a run.

A process imports Pillow and nothing heavier, so it is there in a tenth of a second and takes
some 50 MB. Requests and answers are JSON and bytes: nothing that a decoder could be made to send
is more than pixels or a message.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Self

from hnclip_cli.errors import InputError
from hnclip_cli.streams.images import ImageRoot, load_image, shown
from hnclip_cli.streams.processes import Died, Process, Processes
from hnclip_cli.streams.records import Box, Record
from hnclip_cli.streams.regions import only

if TYPE_CHECKING:
    from PIL.Image import Image

# Seconds until an image is given up. More than all attempts at a download.
DEADLINE = 120.0
_START_DEADLINE = 60.0
SERVE = f"{__name__}:serve"

Step = tuple[str, Any]  # ("resize", [what Resize takes, filter]) or ("crop", [height, width])
LoadPart = Callable[[Record, str, Sequence[Box]], "Image"]


def part_loader(image_root: str | ImageRoot) -> LoadPart:
    """`load_image` of which only what lies in some boxes is kept, the rest is black.

    The last images of which parts were wanted are remembered: more parts mostly follow.
    """

    @lru_cache(maxsize=2)
    def remembered(name: str, crop: Box | None, source: str, line: int) -> "Image":
        record = Record({"image": name, "crops": [crop and list(crop)]}, source, line)
        return load_image(record, name, image_root)

    def load(record: Record, name: str, boxes: Sequence[Box]) -> "Image":
        if not boxes:
            return load_image(record, name, image_root)
        image = remembered(name, record.crops.get(name), record.source, record.line)
        return only(record, image, boxes)

    return load


class Decoders:
    """Loads images in processes; an instance is called as those of `part_loader`, by any thread.

    At most as many calls work at once as there are processes; the others wait. A process that
    dies or exceeds the deadline costs the image that it had in hand.

    Args:
        image_root: where relative paths start, and whether URLs are fetched.
        workers: processes.
        steps: how to resize and crop, see `apply_steps`; done there too.
        deadline: seconds for an image.

    Leaving the ``with`` block ends the processes at once; calls that wait for one fail.
    """

    def __init__(
        self,
        image_root: str | ImageRoot,
        workers: int,
        steps: Sequence[Step] = (),
        deadline: float = DEADLINE,
    ) -> None:
        root = ImageRoot(image_root) if isinstance(image_root, str) else image_root
        setup = {"folder": root.folder, "remote": root.remote, "steps": list(steps)}
        self._deadline = deadline

        def greet(process: Process) -> None:
            process.send(json.dumps(setup).encode())
            process.receive_bytes(_START_DEADLINE)

        self.processes = Processes(SERVE, workers, greet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        self.processes.close()

    def __call__(self, record: Record, name: str, boxes: Sequence[Box] = ()) -> "Image":
        """An image of a record or what lies in the boxes, in RGB, resized and cropped.

        Raises:
            InputError: as `load_image`; or decoding crashed, or took too long.
            HnclipError: no process can be started.
        """
        about = {
            "source": record.source, "line": record.line, "name": name, "boxes": boxes,
            "crop": record.crops.get(name),
        }  # fmt: skip
        try:
            return self.processes.call(lambda process: self._load(process, about))
        except Died as death:
            raise record.error(f"image cannot be decoded ({death})", got=shown(name)) from None

    def _load(self, process: Process, about: dict[str, Any]) -> "Image":
        from PIL import Image

        process.send(json.dumps(about).encode())
        answer = json.loads(process.receive_bytes(self._deadline))
        if "error" in answer:
            raise InputError(answer["error"])
        pixels = process.receive_bytes(self._deadline)
        return Image.frombuffer("RGB", tuple(answer["size"]), pixels)


def serve(connection: Connection) -> None:
    """What a process does: images for names."""
    setup = json.loads(connection.recv_bytes())
    load = part_loader(ImageRoot(setup["folder"], setup["remote"]))
    connection.send_bytes(b"ready")
    while True:
        request = json.loads(connection.recv_bytes())
        about = {"image": request["name"], "crops": [request["crop"]]}
        record = Record(about, request["source"], request["line"])
        try:
            image = load(record, request["name"], request["boxes"])
            with preprocessing(record, request["name"]):
                pixels = apply_steps(image, setup["steps"])
        except InputError as error:
            connection.send_bytes(json.dumps({"error": str(error)}).encode())
        else:
            connection.send_bytes(json.dumps({"size": pixels.size}).encode())
            connection.send_bytes(pixels.tobytes())


@contextlib.contextmanager
def preprocessing(record: Record, name: str) -> Iterator[None]:
    """Failures of preprocessing, as on images of strange sizes, are the image's.

    Raises:
        InputError: for any exception.
    """
    try:
        yield
    except Exception as error:
        raise record.error(
            f"image cannot be preprocessed ({error or type(error).__name__})",
            got=shown(name),
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
