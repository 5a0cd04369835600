"""One item of an official file: its fields, checked, and the record it becomes."""

import ast
import math
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from hnclip_cli.streams.edits import edit_between
from hnclip_cli.streams.records import Record

if TYPE_CHECKING:
    from hnclip_cli.sources.benchmarks.files import Files

T = TypeVar("T")
MAX_INTEGER = 1 << 53  # beyond it a float no longer tells whole numbers apart


class Item(Record):
    """One item of an official file; its errors name the file and the item's key there.

    The key is its name in the file, or its place there. Whatever reads a field raises `InputError`
    where it is missing or holds something else.
    """

    def __init__(self, fields: Mapping[str, Any], files: "Files", path: str, key: object) -> None:
        super().__init__(fields, path)
        self.files = files
        self.key = str(key)

    def field(self, name: str, kind: type[T]) -> T:
        if None in self:  # what csv calls the values behind the last column
            raise self.error("more values than the header has columns")
        return super().field(name, kind)

    def inner(self, name: str) -> "Item":
        """A field that holds an object, as an item of the same place."""
        return Item(self.field(name, dict), self.files, self.source, self.key)

    @property
    def where(self) -> str:
        return f"{self.source}: item {self.key!r}"

    @property
    def subset(self) -> str:
        """The file's name without its ending."""
        return os.path.splitext(os.path.basename(self.source))[0]

    def number(self, name: str) -> int | float:
        """A field that holds a number, or the digits of one as CSV files do."""
        value: Any = self.field(name, object)
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise self.error(f'field "{name}" is no number', got=repr(value)[:60])
        return int(number) if number.is_integer() and abs(number) < MAX_INTEGER else number

    def integer(self, name: str, below: int | None = None) -> int:
        """A whole number from 0, less than ``below`` where that is given."""
        number = self.number(name)
        if not isinstance(number, int) or number < 0 or (below is not None and number >= below):
            expected = "a whole number from 0" + ("" if below is None else f" to {below - 1}")
            raise self.error(f'field "{name}" is out of range', got=str(number), expected=expected)
        return number

    def literal_texts(self, name: str) -> list[str]:
        """A field with the text of a Python list of texts, which is not run."""
        text = self.text(name)
        try:
            texts = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            texts = None
        if not isinstance(texts, list | tuple):
            expected = "['…', '…']"
            raise self.error(f'field "{name}" is no list', got=repr(text[:60]), expected=expected)
        self[name] = list(texts)
        return self.texts(name)

    def image_path(self, *names: str) -> str:
        """The path of an image: the folder as the user named it, joined with the name.

        Args:
            names: where the image may lie in the folder; the first that is there is taken.
        """
        return self.files.image(self, names)

    def short(
        self,
        image: str,
        caption: str,
        foils: Iterable[str],
        kind: str,
        *,
        box: Iterable[str] = (),
        **fields: Any,
    ) -> dict[str, Any]:
        """The record of an image, its caption and published negatives of one kind.

        Args:
            image: its path.
            caption: exactly as published, as are the ``foils``.
            foils: the negatives.
            kind: what changed.
            box: fields with left, top, width and height of the part of the image that counts.
            fields: as of `record`.
        """
        crop = [self.number(name) for name in box]
        crops: dict[str, Any] = {"crops": [crop]} if crop else {}
        return self.record(
            image=image,
            **crops,
            caption=caption,
            negatives=[negative(caption, foil, kind) for foil in foils],
            **fields,
        )

    def record(
        self, *, subset: str | None = None, tags: Mapping[str, str] | None = None, **fields: Any
    ) -> dict[str, Any]:
        """The record of this item: ``fields``, between its id and what `eval` groups by.

        Args:
            subset: what the official score tells apart first; by default the file's name.
            tags: what it tells apart within a subset, name by name.
            fields: the record's image, caption and negatives, or images, captions and truth.
        """
        benchmark, subset = self.files.benchmark, subset or self.subset
        record = {"id": f"{benchmark}/{subset}/{self.key}", **fields}
        record |= {"benchmark": benchmark, "subset": subset}
        return record | {"tags": dict(tags)} if tags else record


def negative(caption: str, text: str, kind: str) -> dict[str, Any]:
    """A published negative as the record has it."""
    return {"caption": text, "kind": kind, "edits": edit_between(caption, text)}
