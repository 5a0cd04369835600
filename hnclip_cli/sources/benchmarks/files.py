"""What all readers share: finding the official files and reading their items."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.benchmarks.items import Item, item_name
from hnclip_cli.streams.files import open_input_file
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader

# Texts -> for each the words and their Penn Treebank tags.
Tagger = Callable[[Sequence[str]], Iterable[Sequence[tuple[str, str]]]]
# Class names -> for each its prompts, as many for one as for another.
Prompter = Callable[[Sequence[str]], Sequence[Sequence[str]]]

_MAX_NAMES = 8  # official files that a message names


@dataclass
class Files:
    """The files of one benchmark, where the user says they are.

    Attributes:
        benchmark: its name, which its records carry.
        path: one official file, or the folder that holds them.
        images: the folder of the images.
        policy: what a bad item does.
        note: receives what the user should know though it is no error.
        tag: tags words, where negatives are made from tagged captions; by default with spaCy.
        prompts: turns class names into prompts for zero-shot classification; by default with the
            templates named by ``templates``.
        templates: ``photo``, ``simple`` or ``openai``: one prompt, or open_clip's 7 or 80.

    Raises:
        HnclipError: ``images`` is no folder.
    """

    benchmark: str
    path: str
    images: str
    policy: ErrorPolicy = field(default_factory=ErrorPolicy)
    note: Callable[[str], None] = lambda text: None
    tag: Tagger | None = None
    prompts: Prompter | None = None
    templates: str = "photo"

    def __post_init__(self) -> None:
        if not os.path.isdir(self.images):
            raise HnclipError(
                "no such folder", where=self.images, hint="--images with the folder of the images"
            )

    def paths(self, names: Sequence[str]) -> list[str]:
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

    def first(self, *names: str) -> str:
        """The path of the one official file, the first of ``names`` that is there.

        Raises:
            HnclipError: none is there, or ``path`` is a file of another name.
        """
        return next(iter(self._found(names).values()))

    def _found(self, names: Sequence[str]) -> dict[str, str]:
        """The path of each official file that is there, by its name."""
        bases = [os.path.basename(name) for name in names]
        # Without its folder, where that says all.
        flat = {
            name: base if bases.count(base) == 1 else name
            for name, base in zip(names, bases, strict=True)
        }
        if os.path.isdir(self.path):
            found = {
                name: path
                for name in names
                for path in (os.path.join(self.path, place) for place in (flat[name], name))
                if os.path.isfile(path)
            }
            if not found:
                raise HnclipError(
                    "no official file in this folder", where=self.path, expected=listed(names)
                )
            return found
        whole = os.path.abspath(self.path)
        for name in names:
            if whole.endswith(os.sep + flat[name]) and os.path.exists(whole):
                return {name: self.path}
        raise HnclipError(
            "not an official file" if os.path.exists(whole) else "no such file or folder",
            where=self.path,
            expected=f"one of {listed(names)}, or their folder"
            if len(names) > 1
            else f"{names[0]}, or its folder",
        )

    def json_items(
        self,
        paths: Iterable[str],
        kind: type = dict,
        pairs: Callable[[Any], Iterable[tuple[Any, Any]]] | None = None,
    ) -> Iterator[Item]:
        """The items of JSON files, in their own order.

        Args:
            paths: the files.
            kind: what each holds, one object or one list.
            pairs: the keys and items in it; by default its own.

        Raises:
            HnclipError: a file cannot be read, is broken JSON, or holds something else.
        """
        pairs = pairs or (dict.items if kind is dict else enumerate)
        for path in paths:
            yield from self.items(path, pairs(read_json(path, kind)))

    def jsonl_items(self, path: str) -> Iterator[Item]:
        """The items of a file with one JSON object a line; the key is the line's number.

        Raises:
            HnclipError: the file cannot be read.
        """
        with open_input_file(path) as stream:
            for record in RecordReader(stream, path, self.policy):
                yield Item(record, self, path, str(record.line), record.index)

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
                    yield Item(row, self, path, str(index + 1), index, fault)
            except (csv.Error, UnicodeDecodeError) as error:
                raise HnclipError(f"broken CSV ({error})", where=path) from None

    def items(self, path: str, pairs: Iterable[tuple[Any, Any]]) -> Iterator[Item]:
        """Keys and values of an official file as items; a value that is no object is a bad one."""
        for index, (key, value) in enumerate(pairs):
            if isinstance(value, dict):
                yield Item(value, self, path, str(key), index)
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


def reader(
    items: Callable[[Files], Iterable[Item]], convert: Callable[[Item], dict[str, Any] | None]
) -> Callable[[Files], Iterator[dict[str, Any]]]:
    """What reads a benchmark: where its items are, and how each becomes a record."""
    return lambda files: files.records(items(files), convert)


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


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first of many."""
    more = ["…"] if len(names) > _MAX_NAMES else []
    return " ".join([*names[:_MAX_NAMES], *more])
