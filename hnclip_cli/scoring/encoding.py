"""What scoring needs encoded: images, parts of images and captions, each once."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from hnclip_cli.errors import InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.decoders import Decoders, preprocessing
from hnclip_cli.streams.images import ImageRoot, load_image
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Box, Record
from hnclip_cli.streams.regions import only
from hnclip_cli.streams.threads import chunked, map_ahead

# Images whose rows are remembered, those used last: 32 MB for rows of 512.
MAX_IMAGES = 1 << 14


class View(NamedTuple):
    """An image, all of it or only what lies in the boxes, the rest black."""

    name: str
    boxes: tuple[Box, ...] = ()


@dataclass(eq=False, slots=True)
class _Slot:
    """A distinct view, and its row, or why there is none."""

    view: View
    pixels: Any = None
    row: np.ndarray | None = None
    problem: str = ""


@dataclass(slots=True)
class _Item:
    """A record and what it needs; ``new`` are the slots that no recent record had."""

    record: Record
    slots: list[_Slot] = field(default_factory=list)
    new: list[_Slot] = field(default_factory=list)
    error: InputError | None = None


@dataclass
class Encoder:
    """Encodes the images and captions of records, a batch of records at a time.

    Attributes:
        clip: the model.
        batch_size: records taken together; also images in one forward pass.
        policy: what to do with a record whose images cannot be had.
        image_root: where relative paths start, and whether URLs are fetched.
        workers: processes that decode; 0 decodes in line and ahead of nothing.
    """

    clip: Clip
    batch_size: int
    policy: ErrorPolicy
    image_root: str | ImageRoot = "."
    workers: int = 0

    def batches(
        self, records: Iterable[Record], views_of: Callable[[Record], list[View]]
    ) -> Iterator[list[tuple[Record, np.ndarray]]]:
        """Yield the records with the rows of their views, each of shape (views, D).

        A view that a recent record had is neither decoded nor encoded again. Records whose views
        cannot be had are left out where the policy skips; where it fails, those before them come
        first.

        Args:
            records: what is scored.
            views_of: the views of a record, at least one. Where it raises an `InputError`, the
                record is bad.
        """
        with ExitStack() as stack:
            load, num_threads = self._loader(stack)
            items = map_ahead(load, _plan(records, views_of), num_threads)
            for chunk in chunked(items, self.batch_size):
                yield from self._batch(chunk)

    def captions(self, captions: Iterable[str]) -> dict[str, np.ndarray]:
        """The row of each distinct caption, shape (D,)."""
        # Those that begin alike are encoded together, so that their beginning is encoded once.
        distinct = sorted(set(captions), key=lambda text: (text.casefold(), text))
        with torch.inference_mode():
            rows = self.clip.encode_captions(distinct).cpu().numpy()
        return dict(zip(distinct, rows, strict=True))

    def _loader(self, stack: ExitStack) -> tuple[Callable[[_Item], _Item], int]:
        whole = stack.enter_context(PixelLoader(self.clip, self.image_root, self.workers))
        decode: Callable[[Record, str], Any]
        if self.workers:  # its processes start when the first part of an image is wanted
            decode = stack.enter_context(Decoders(self.image_root, self.workers))
        else:
            decode = lambda record, name: load_image(record, name, self.image_root)  # noqa: E731

        def load(item: _Item) -> _Item:
            images: dict[str, Any] = {}
            for slot in item.new:
                name, boxes = slot.view
                try:
                    if not boxes:
                        slot.pixels = whole(item.record, [name])[0]
                        continue
                    if name not in images:
                        images[name] = decode(item.record, name)
                    part = only(item.record, images[name], boxes)
                    with preprocessing(item.record, name):
                        slot.pixels = self.clip.preprocess(part)
                except InputError as error:
                    slot.problem = str(error).removeprefix(f"{item.record.where}: ")
            return item

        return load, whole.num_threads

    def _batch(self, chunk: Sequence[_Item]) -> Iterator[list[tuple[Record, np.ndarray]]]:
        good: list[_Item] = []
        failure: InputError | None = None
        for item in chunk:
            problem = next((slot.problem for slot in item.slots if slot.problem), "")
            error = InputError(problem, where=item.record.where) if problem else item.error
            if error is None:
                good.append(item)
            elif self.policy.on_error == "fail":
                failure = error
                break
            else:
                self.policy.bad(error)
        # Those of a bad record too: another may have the same, and pixels take up much memory.
        self._encode(slot for item in chunk for slot in item.slots)
        if good:
            yield [(item.record, np.stack([slot.row for slot in item.slots])) for item in good]  # type: ignore[misc]
        if failure:
            self.policy.bad(failure)

    def _encode(self, slots: Iterable[_Slot]) -> None:
        new = list(dict.fromkeys(slot for slot in slots if slot.pixels is not None))
        for start in range(0, len(new), self.batch_size):
            batch = new[start : start + self.batch_size]
            with torch.inference_mode():
                rows = self.clip.encode_images(torch.stack([slot.pixels for slot in batch]))
            for slot, row in zip(batch, rows.cpu().numpy(), strict=True):
                slot.row, slot.pixels = row.copy(), None  # a view would keep the whole batch


def _plan(records: Iterable[Record], views_of: Callable[[Record], list[View]]) -> Iterator[_Item]:
    recent: OrderedDict[tuple[View, Box | None], _Slot] = OrderedDict()
    for record in records:
        item = _Item(record)
        try:
            views, crops = views_of(record), record.crops
        except InputError as error:
            item.error = error
            views, crops = [], {}
        for view in views:
            key = view, crops.get(view.name)
            slot = recent.get(key)
            if slot is None:
                slot = recent[key] = _Slot(view)
                item.new.append(slot)
            recent.move_to_end(key)
            item.slots.append(slot)
        while len(recent) > MAX_IMAGES:
            recent.popitem(last=False)
        yield item
