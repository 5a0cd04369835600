"""Images as the pixels that a model takes."""

from collections.abc import Sequence
from typing import Self

from torch import Tensor

from hnclip_cli.models.clip import Clip
from hnclip_cli.models.preprocess import as_bytes, by_table, byte_table, split_preprocess
from hnclip_cli.streams.decoders import Decoders, part_loader, preprocessing
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.records import Box, Record


class PixelLoader:
    """Loads pixels in processes; to be called from several threads, such as those of `map_ahead`.

    The processes decode, resize and crop; the calling thread does what remains of the model's
    preprocessing, or leaves it to the GPU, which gets a byte in place of each number. The pixels
    are the same, bit for bit.

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
            on_gpu = clip.device.type == "cuda" and byte_table(clip.preprocess) is not None
            self._finish = as_bytes if on_gpu else by_table(rest)
            self._load = self._decoders = Decoders(image_root, workers, steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        if self._decoders:
            self._decoders.close()

    def __call__(self, record: Record, name: str, boxes: Sequence[Box] = ()) -> Tensor:
        """An image of a record, or what lies in the boxes of it, as `Clip.encode_images` takes it.

        Raises:
            InputError: it is missing or does not decode, or a box lies outside of it.
        """
        image = self._load(record, name, boxes)
        with preprocessing(record, name):
            return self._finish(image)
