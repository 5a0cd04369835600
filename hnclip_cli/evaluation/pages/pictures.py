"""The pictures of a page: embedded as small JPEGs within a budget, or linked to."""

import base64
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hnclip_cli.errors import InputError
from hnclip_cli.streams.images import ImageRoot, as_root, load_image
from hnclip_cli.streams.records import Box, Record

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_IMAGES = 10  # of one record
QUALITY = 75
SMALLEST, LARGEST = 160, 640  # pixels of the longer side
BUDGET = 24_000_000  # bytes of a page, about
# About what a pixel of a photograph takes, as JPEG of that quality in base64.
_BYTES_A_PIXEL = 0.3

Key = tuple[str, Box | None]  # name and crop


class Pictures:
    """Collect the images of records, each distinct one once, and encode them at the end.

    Args:
        image_root: where relative paths start, and how images are read.
        budget: bytes that they may take; the more there are, the smaller each is.
        largest: pixels of the longer side, at most.
        linked_from: the folder of a page that links to the image files instead; those that are
            no whole file (members of shards, crops, frames, URLs) are embedded nevertheless.
    """

    def __init__(
        self,
        image_root: str | ImageRoot,
        *,
        budget: int = BUDGET,
        largest: int = LARGEST,
        linked_from: str | None = None,
    ) -> None:
        self._root = as_root(image_root)
        self._budget = budget
        self._largest = largest
        self.linked_from = linked_from
        self._numbers: dict[Key, int] = {}
        self._records: list[Record] = []  # one that has the image, to load it
        self.errors: list[InputError] = []
        self.num_beyond = 0  # that the budget left out

    def numbers(self, record: Record, field: str = "") -> list[int | None]:
        """The numbers of a record's images, or of another field's; None stands for no image."""
        try:
            names = record.texts(field) if field else record.image_list
            crops = {} if field else record.crops
        except InputError as error:  # scores can do without images, as where a group is named
            self.errors.append(error)
            return [None]
        return [self._number(record, name, crops.get(name)) for name in names[:MAX_IMAGES]]

    def _number(self, record: Record, name: str, crop: Box | None) -> int:
        key = (name, crop)
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._records.append(record)
        return self._numbers[key]

    def addresses(
        self, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
    ) -> Iterator[str | None]:
        """The addresses by number; of an image that cannot be read, or is beyond the budget, None.

        Args:
            progress: what the images go through, to be counted for somebody who waits.
        """
        side = self._side(len(self._numbers))
        left = self._budget
        for (name, crop), record in progress(zip(self._numbers, self._records, strict=True)):
            try:
                if self.linked_from is not None and crop is None and self._is_file(name):
                    yield self._link(name)
                    continue
                if left <= 0:
                    self.num_beyond += 1
                    yield None
                    continue
                address = _embedded(load_image(record, name, self._root), side)
            except InputError as error:
                self.errors.append(error)
                yield None
                continue
            left -= len(address)
            yield address

    def tell(self, note: Callable[[str], None]) -> None:
        """Note what is not shown, after the addresses were made."""
        if count := len(self.errors):
            note(f"{count} picture{'' if count == 1 else 's'} left out: {self.errors[0]}")
        if self.num_beyond:
            note(f"{self.num_beyond} pictures left out: {self.beyond()}")

    def beyond(self) -> str:
        return (
            f"the page's budget of {self._budget / 1e6:g} MB is full; "
            "try a larger --image-budget, or --link-images"
        )

    def _side(self, count: int) -> int:
        """Pixels of the longer side at which so many photographs keep to the budget."""
        pixels = self._budget / max(1, count) / _BYTES_A_PIXEL
        return round(min(max(math.sqrt(pixels * 4 / 3), SMALLEST), self._largest))

    def _is_file(self, name: str) -> bool:
        is_plain = "://" not in name and "::" not in name and not name.endswith(".npy")
        return is_plain and os.path.isfile(os.path.join(self._root.folder, name))

    def _link(self, name: str) -> str:
        """A path from the page's folder, which no browser can take for another scheme."""
        path = os.path.relpath(os.path.join(self._root.folder, name), self.linked_from)
        return "./" + quote(path.encode("utf-8", "surrogateescape"))


def _embedded(image: "Image", side: int) -> str:
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
