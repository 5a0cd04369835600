"""What has to be encoded of each record: the images and captions not seen lately."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from hnclip_cli.errors import InputError
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.records import Record, RowsOf

LOST = "image could not be used, as found before the run was resumed"


@dataclass(eq=False, slots=True)
class Slot:
    """A distinct image or caption, and its row once there is one.

    Attributes:
        content: the caption, or the image's name.
        key: what tells it from others: the content, and the crop of an image that has one.
        source: pixels, shape (3, height, width), of an image that is decoded and not yet encoded.
        row: shape (D,).
        problem: why there will be no row.
    """

    content: str
    key: str
    source: Any = None
    row: np.ndarray | None = None
    problem: str = ""


@dataclass(slots=True)
class Item:
    """The rows of one record, behind those of the lines before it that are no records.

    Attributes:
        gap: lines before the record that have a row and are no records.
        record: None behind the last record.
        slots: where the record's rows come from; empty where the record is bad.
        new: those of the slots that no recent record had.
        num_bad: rows of a bad record.
    """

    gap: int
    record: Record | None
    slots: list[Slot] = field(default_factory=list)
    new: list[Slot] = field(default_factory=list)
    num_bad: int = 0

    @property
    def num_rows(self) -> int:
        return self.gap + self.num_bad + len(self.slots)

    @property
    def contents(self) -> list[str]:
        return [slot.key for slot in self.slots]


class KeptRows(Protocol):
    """Rows that an earlier run has left, and the digest of what they were made from."""

    num_rows: int
    digest: str

    def read(self, num_rows: int) -> np.ndarray:
        """The next rows, float32, shape (num_rows, D)."""


def plan(reader: RecordReader, of: RowsOf, capacity: int, kept: KeptRows | None) -> Iterator[Item]:
    """Yield an item for each record, and one at the end.

    What is new depends on the records alone, so that a run that goes on where another ended
    encodes the same things together.

    Args:
        reader: the records.
        of: what of them is embedded.
        capacity: distinct images or captions that are remembered, those used last.
        kept: rows of the first records, which then need no encoding.

    Raises:
        InputError: a record is bad and the reader's policy is to fail.
    """
    recent: OrderedDict[str, Slot] = OrderedDict()
    next_index = num_rows = 0
    for record in reader:
        item = Item(record.index - next_index if of != "negatives" else 0, record)
        next_index = record.index + 1
        try:
            contents = _contents(record, of)
        except InputError as error:
            reader.policy.bad(error)
            contents, item.num_bad = [], record.num_rows(of)
        for content, key in contents:
            slot = recent.get(key)
            if slot is None:
                slot = recent[key] = Slot(content, key)
                item.new.append(slot)
            recent.move_to_end(key)
            item.slots.append(slot)
        while len(recent) > capacity:
            recent.popitem(last=False)
        num_rows += item.num_rows
        if kept and 0 < num_rows <= kept.num_rows:
            _fill(item, kept.read(item.num_rows))
        yield item
    yield Item(reader.num_lines - next_index if of != "negatives" else 0, None)


def _contents(record: Record, of: RowsOf) -> list[tuple[str, str]]:
    """The content and the key of each row."""
    if of == "image":
        crops = record.crops
        return [
            (name, f"{name} {crops[name]}" if name in crops else name) for name in record.image_list
        ]
    if of == "negatives":
        texts = [negative.caption for negative in record.negatives]
    else:
        texts = record.caption_list
    return [(text, text) for text in texts]


def _fill(item: Item, rows: np.ndarray) -> None:
    for slot, row in zip(item.slots, rows[item.num_rows - len(item.slots) :], strict=True):
        if slot.row is None and not slot.problem:
            if np.isnan(row).any():
                slot.problem = LOST
            else:
                slot.row = row.copy()
