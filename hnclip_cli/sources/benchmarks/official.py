"""What all readers share: finding the official files, reading their items, finding images."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.benchmarks.items import Item, item_name
from hnclip_cli.streams.files import inside, open_input_file
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader

# Texts -> for each the words and their Penn Treebank tags.
Tagger = Callable[[Sequence[str]], Iterable[Sequence[tuple[str, str]]]]
# Class names -> for each its prompts, as many for one as for another.
Prompter = Callable[[Sequence[str]], Sequence[Sequence[str]]]

_MAX_NAMES = 8  # official files that a message names


def _absent(*_: object) -> NoReturn:
    raise HnclipError("this benchmark needs a tool that the caller did not pass in")


@dataclass
class Official:
    """The files of one benchmark, where the user says they are.

    Attributes:
        path: one official file, or the folder that holds them.
        images: the folder of the images.
        policy: what a bad item does.
        note: receives what the user should know though it is no error.
        tag: tags words, for the benchmarks whose negatives are made from tagged captions.
        prompts: turns class names into prompts, for zero-shot classification.

    Raises:
        HnclipError: ``images`` is no folder.
    """

    path: str
    images: str
    policy: ErrorPolicy = field(default_factory=ErrorPolicy)
    note: Callable[[str], None] = lambda text: None
    tag: Tagger = _absent
    prompts: Prompter = _absent

    def __post_init__(self) -> None:
        if not os.path.isdir(self.images):
            raise HnclipError(
                "no such folder", where=self.images, hint="--images with the folder of the images"
            )

    def files(self, names: Sequence[str]) -> list[str]:
        """The paths of the official files that are there, in the order of ``names``.

        A file whose official name has a folder, as ``atom/4.csv``, may also lie directly in
        ``path`` where no other has its name.

        Raises:
            HnclipError: none is there, or ``path`` is a file of another name.
        """
        found = self._found(names)
        absent = [name for name in names if name not in found]
        if absent and os.path.isdir(self.path):
            self.note(
                f"{self.path}: {len(absent)} of the {len(names)} official files are not there: "
                f"{listed(absent)}"
            )
        return list(found.values())

    def file(self, *names: str) -> str:
        """The path of the one official file, the first of ``names`` that is there.

        Raises:
            HnclipError: none is there, or ``path`` is a file of another name.
        """
        return next(iter(self._found(names).values()))

    def _found(self, names: Sequence[str]) -> dict[str, str]:
        """The path of each official file that is there, by its name."""
        if os.path.isdir(self.path):
            paths = {name: self._place(name, names) for name in names}
            found = {name: path for name, path in paths.items() if path}
            if not found:
                raise HnclipError(
                    "no official file in this folder", where=self.path, expected=listed(names)
                )
            return found
        whole = os.path.abspath(self.path)
        for name in names:
            flat = name if _is_ambiguous(name, names) else os.path.basename(name)
            if whole.endswith(os.sep + flat) and os.path.exists(whole):
                return {name: self.path}
        raise HnclipError(
            "not an official file" if os.path.exists(whole) else "no such file or folder",
            where=self.path,
            expected=f"one of {listed(names)}, or their folder"
            if len(names) > 1
            else f"{names[0]}, or its folder",
        )

    def _place(self, name: str, names: Sequence[str]) -> str | None:
        """Where a file lies in the folder ``path``, with its own folder or without."""
        flat = name if _is_ambiguous(name, names) else os.path.basename(name)
        paths = (os.path.join(self.path, place) for place in (name, flat))
        return next((path for path in paths if os.path.isfile(path)), None)

    def json_items(self, names: Sequence[str], kind: type = dict) -> Iterator[Item]:
        """The items of JSON files that hold one object each, or one list, in their own order.

        Raises:
            HnclipError: a file is not there, is broken JSON, or holds something else.
        """
        for path in self.files(names):
            content = read_json(path, kind)
            pairs = content.items() if kind is dict else enumerate(content)
            yield from self.items(path, ((str(key), value) for key, value in pairs))

    def jsonl_items(self, path: str) -> Iterator[Item]:
        """The items of a file with one JSON object a line; the key is the line's number.

        Raises:
            HnclipError: the file cannot be read.
        """
        with open_input_file(path) as stream:
            for record in RecordReader(stream, path, self.policy):
                yield Item(record, path, str(record.line), record.index)

    def csv_items(
        self, path: str, columns: Sequence[str], *, by_place: bool = False
    ) -> Iterator[Item]:
        """The items of a CSV file with a header; the key is the row's number from 1.

        Args:
            path: the file.
            columns: those that must be there.
            by_place: whatever the header calls them, they are these, in this order.

        Raises:
            HnclipError: the file cannot be read, is no UTF-8 CSV, or lacks one of ``columns``.
        """
        with open_input_file(path) as stream:
            text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
            try:
                rows = csv.DictReader(text, strict=True)
                header = list(rows.fieldnames or ())
                if by_place and len(header) == len(columns):
                    rows.fieldnames = list(columns)
                elif by_place or not set(columns) <= set(header):
                    raise HnclipError(
                        "not an official file",
                        where=path,
                        got=f"the columns {listed(header) or 'none'}",
                        expected=listed(columns),
                    )
                for index, row in enumerate(rows):
                    surplus = "more values than the header has columns"
                    fault = surplus if rows.restkey in row else ""
                    yield Item(row, path, str(index + 1), index, fault)
            except (csv.Error, UnicodeDecodeError) as error:
                raise HnclipError(f"broken CSV ({error})", where=path) from None

    def items(self, path: str, pairs: Iterable[tuple[str, Any]]) -> Iterator[Item]:
        """Keys and values of an official file as items; a value that is no object is a bad one."""
        for index, (key, value) in enumerate(pairs):
            if isinstance(value, dict):
                yield Item(value, path, key, index)
            else:
                where, got = item_name(path, key), repr(value)[:60]
                error = InputError("not an item", where=where, got=got, expected="an object")
                self.policy.bad(error)

    def records(
        self, items: Iterable[Item], convert: Callable[[Item], dict[str, Any] | None]
    ) -> Iterator[dict[str, Any]]:
        """Turn items to records.

        A bad item meets the policy; one that ``convert`` turns to None is left out without a
        word, because the official score does not count it either.
        """
        for item in items:
            try:
                record = convert(item)
            except InputError as error:
                self.policy.bad(error)
            else:
                if record is not None:
                    yield record

    def image(self, item: Item, *names: str) -> str:
        """The path of an item's image: the folder as the user named it, joined with the name.

        Args:
            item: whose image it is.
            names: where the image may lie in the folder; the first that is there is taken.

        Raises:
            InputError: a name leaves the folder, or no such file is there.
        """
        paths = []
        for name in names:
            try:
                paths.append(inside(self.images, name, "image"))
            except HnclipError as error:
                raise item.error(str(error)) from None
        for path in paths:
            if os.path.isfile(path):
                return path
        raise item.error("image not found", got=repr(paths[0]), hint="another --images folder")


@dataclass(frozen=True)
class Benchmark:
    """One line of the registry: how a benchmark is read, and what ``--list`` says of it.

    Attributes:
        read: turns the official files to records.
        path: what PATH is.
        images: what the folder of the images holds.
        source: where the official files come from.
        items: how many records the official files give; None where nobody says.
        metric: the official metric.
        aggregation: how it is brought to one number.
    """

    read: Callable[[Official], Iterator[dict[str, Any]]]
    path: str
    images: str
    source: str
    items: int | None
    metric: str
    aggregation: str


def read_json(path: str, kind: type = object) -> Any:
    """The content of a JSON file.

    Raises:
        HnclipError: it cannot be read, is broken, or is not of this kind.
    """
    import orjson

    with open_input_file(path) as stream:
        data = stream.read()
    try:
        content = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise HnclipError(
            f"broken JSON ({error})", where=path, hint="fetching the file again"
        ) from None
    if not isinstance(content, kind):
        raise HnclipError(
            "not an official file",
            where=path,
            got=f"a JSON {type(content).__name__}",
            expected="one object that holds the items by key" if kind is dict else "a list",
        )
    return content


def _is_ambiguous(name: str, names: Sequence[str]) -> bool:
    """Whether another official file is called the same in another folder."""
    base = os.path.basename(name)
    return sum(os.path.basename(other) == base for other in names) > 1


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first of many."""
    more = ["…"] if len(names) > _MAX_NAMES else []
    return " ".join([*names[:_MAX_NAMES], *more])
