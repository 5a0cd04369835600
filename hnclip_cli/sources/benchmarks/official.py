"""What all readers share: finding the official files, their items, their images."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.files import inside, open_input_file
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record


class Item(Record):
    """One item of an official file; its errors name the file and the item's key there."""

    def __init__(self, fields: dict[str, Any], path: str, key: str, index: int) -> None:
        super().__init__(fields, path, index=index)
        self.key = key

    @property
    def where(self) -> str:
        return _where(self.source, self.key)

    @property
    def subset(self) -> str:
        """The file's name without its ending."""
        return os.path.splitext(os.path.basename(self.source))[0]

    def text(self, name: str) -> str:
        """A field that holds text, exactly as published.

        Raises:
            InputError: it is missing, no string, or blank.
        """
        return self._text(name)


@dataclass
class Official:
    """The files of one benchmark, where the user says they are.

    Attributes:
        path: one official file, or the folder that holds them.
        images: the folder of the images.
        policy: what a bad item does.
        note: receives what the user should know though it is no error.

    Raises:
        HnclipError: ``images`` is no folder.
    """

    path: str
    images: str
    policy: ErrorPolicy = field(default_factory=ErrorPolicy)
    note: Callable[[str], None] = lambda text: None

    def __post_init__(self) -> None:
        if not os.path.isdir(self.images):
            raise HnclipError(
                "no such folder", where=self.images, hint="--images with the folder of the images"
            )

    def files(self, names: Sequence[str]) -> list[str]:
        """The paths of the official files that are there, in the order of ``names``.

        Raises:
            HnclipError: none is there, or ``path`` is a file of another name.
        """
        expected = " ".join(names)
        if not os.path.isdir(self.path):
            exists = os.path.exists(self.path)
            if not exists or os.path.basename(self.path) not in names:
                raise HnclipError(
                    "not an official file" if exists else "no such file or folder",
                    where=self.path,
                    expected=f"one of {expected}, or their folder",
                )
            return [self.path]
        found = [name for name in names if os.path.isfile(os.path.join(self.path, name))]
        if not found:
            raise HnclipError("no official file in this folder", where=self.path, expected=expected)
        if absent := [name for name in names if name not in found]:
            self.note(
                f"{self.path}: {len(absent)} of the {len(names)} official files are not there: "
                f"{' '.join(absent)}"
            )
        return [os.path.join(self.path, name) for name in found]

    def json_items(self, names: Sequence[str]) -> Iterator[Item]:
        """The items of JSON files that hold one object each, in their own order.

        Raises:
            HnclipError: a file is not there, is broken JSON, or holds something else.
        """
        for path in self.files(names):
            content = _read_json(path)
            if not isinstance(content, dict):
                raise HnclipError(
                    "not an official file",
                    where=path,
                    got=f"a JSON {type(content).__name__}",
                    expected="one object that holds the items by key",
                )
            for index, (key, value) in enumerate(content.items()):
                if isinstance(value, dict):
                    yield Item(value, path, key, index)
                else:
                    where, got = _where(path, key), repr(value)[:60]
                    error = InputError("not an item", where=where, got=got, expected="an object")
                    self.policy.bad(error)

    def records(
        self, items: Iterable[Item], convert: Callable[[Item], dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        """Turn items to records; a bad item meets the policy."""
        for item in items:
            try:
                record = convert(item)
            except InputError as error:
                self.policy.bad(error)
            else:
                yield record

    def image(self, item: Item, name: str) -> str:
        """The path of an item's image: the folder as the user named it, joined with the name.

        Raises:
            InputError: the name leaves the folder, or no such file is there.
        """
        try:
            path = inside(self.images, name, "image")
        except HnclipError as error:
            raise item.error(str(error)) from None
        if not os.path.isfile(path):
            raise item.error("image not found", got=repr(path), hint="another --images folder")
        return path


def _where(path: str, key: str) -> str:
    return f"{path}: item {key!r}"


def _read_json(path: str) -> Any:
    import orjson

    with open_input_file(path) as stream:
        data = stream.read()
    try:
        return orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise HnclipError(
            f"broken JSON ({error})", where=path, hint="fetching the file again"
        ) from None
