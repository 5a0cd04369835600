"""A record's images as pixels, decoded ahead."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from hnclip_cli.errors import InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.streams.ahead import map_ahead
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.records import Record


def load_pixels(record: Record, clip: Clip, image_root: str) -> Tensor:
    """The record's images, shape (n, 3, height, width).

    Raises:
        InputError: an image is missing or does not decode.
    """
    return torch.stack(
        [clip.preprocess(load_image(record, name, image_root)) for name in record.image_list]
    )


def iter_pixels(
    records: Iterable[Record], clip: Clip, image_root: str, workers: int
) -> Iterator[tuple[Record, Tensor | InputError]]:
    """The pixels of each record in order, or what is wrong with it.

    Threads suffice: decoding and resizing release the interpreter's lock.
    """

    def load(record: Record) -> tuple[Record, Tensor | InputError]:
        try:
            return record, load_pixels(record, clip, image_root)
        except InputError as error:
            return record, error

    return map_ahead(load, records, workers)
