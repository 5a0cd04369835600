"""What all readers share: finding the official files and reading their items."""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from hnclip_cli.benchmarks import BENCHMARKS, Benchmark, Metric
from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.places import find_image, unpack_image
from hnclip_cli.streams.csv_files import read_csv
from hnclip_cli.streams.files import open_input_file, read_whole
from hnclip_cli.streams.images import image_size
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.packed import unpacking

_MAX_NAMES = 8  # official files that a message names


def lacking(name: str, path: str, count: int) -> str:
    """What is said of fewer items than a benchmark officially has; nothing where it has them."""
    expected = BENCHMARKS[name].items
    return f"{path}: {count:,} of {expected:,} items" if expected and count < expected else ""


@dataclass
class Files:
    """The files of one benchmark, where the user says they are.

    Methods raise `HnclipError` where a file is missing, of another name, damaged, or of another
    form. A bad item meets the policy.
    """

    benchmark: str  # its name, which its records carry
    path: str  # one official file, or the folder that holds them
    images: str  # the folder of the images
    policy: ErrorPolicy = field(default_factory=ErrorPolicy)
    note: Callable[[str], None] = lambda text: None  # of what is worth knowing, but no error
    templates: str = "photo"  # of zero-shot prompts, or open_clip's ``simple`` or ``openai``

    def __post_init__(self) -> None:
        if not os.path.isdir(self.images):
            raise HnclipError(
                "no such folder", where=self.images, hint="--images with the folder of the images"
            )

    def image(self, item: Item, names: tuple[str, ...]) -> str:
        """The path of an item's image, by the names that it may have in the folder."""
        return find_image(item, self.images, names)

    def unpacked(self, item: Item, name: str, stem: str) -> str:
        """The path of an image that lies inside of a file, once it is written into the folder."""
        return unpack_image(item, name, self.images, stem)

    def size(self, item: Item, path: str) -> tuple[int, int]:
        """Width and height of an item's image."""
        try:
            return image_size(path)
        except (OSError, HnclipError) as error:
            raise item.error(f"the image cannot be read ({error})", got=repr(path)) from None

    def paths(self, *releases: Sequence[str]) -> list[str]:
        """The paths of the official files that are there, in the order of their names.

        A file whose official name has a folder, as ``atom/4.csv``, may also lie directly in
        ``path`` where no other has its name. Of several releases, which name the same files each in
        its way, one is read: that of which most is there.
        """
        found = self._found([name for names in releases for name in names])
        names = max(releases, key=lambda names: len(found.keys() & names))
        found = {name: found[name] for name in names if name in found}
        absent = [name for name in names if name not in found]
        if absent and os.path.isdir(self.path):
            self.note(
                f"{self.path}: {len(absent)} of the {len(names)} official files are not there: "
                f"{listed(absent)}"
            )
        return list(found.values())

    def first(self, *names: str) -> str:
        """The path of the one official file, the first of ``names`` that is there."""
        return next(iter(self._found(names).values()))

    def _found(self, names: Sequence[str]) -> dict[str, str]:
        """The path of each official file that is there, by its name."""
        bases = [os.path.basename(name) for name in names]
        is_folder, whole = os.path.isdir(self.path), os.path.abspath(self.path)
        found: dict[str, str] = {}
        for name, base in zip(names, bases, strict=True):
            flat = base if bases.count(base) == 1 else name  # without its folder, if that says all
            if is_folder:
                places = [os.path.join(self.path, place) for place in (flat, name)]
                found.update((name, place) for place in places if os.path.isfile(place))
            elif whole.endswith(os.sep + flat) and os.path.exists(whole):
                found[name] = self.path
        if found:
            return found
        if is_folder:
            raise HnclipError(
                "no official file in this folder", where=self.path, expected=listed(names)
            )
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

        Each holds one object or one list, as ``kind`` says. ``pairs`` gives the keys and items in
        it; by default they are its own.
        """
        pairs = pairs or (dict.items if kind is dict else enumerate)
        for path in paths:
            yield from self.items(path, pairs(read_json(path, kind)))

    def jsonl_items(self, path: str) -> Iterator[Item]:
        """The items of a file with one JSON object a line; the key is the line's number."""
        with open_input_file(path) as stream:
            for record in RecordReader(stream, path, self.policy):
                yield Item(record, self, path, record.line)

    def csv_items(
        self, path: str, columns: Sequence[str], *, by_place: bool = False, delimiter: str = ","
    ) -> Iterator[Item]:
        """The items of a CSV file with a header; the key is the row's number from 1.

        The ``columns`` must be there; ``by_place`` in this order, whatever the header calls them.
        """
        with open_input_file(path) as stream, unpacking(path):
            try:
                rows = read_csv(stream, path, delimiter)
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
                for number, row in enumerate(rows, 1):
                    yield Item(row, self, path, number)
            except (csv.Error, UnicodeDecodeError) as error:
                raise HnclipError(f"broken CSV ({error})", where=path) from None

    def items(self, path: str, pairs: Iterable[tuple[Any, Any]]) -> Iterator[Item]:
        """Keys and values of an official file as items; a value that is no object is a bad one."""
        for key, value in pairs:
            if isinstance(value, dict):
                yield Item(value, self, path, key)
            else:
                got = repr(value)[:60]
                bad = Item({}, self, path, key)
                self.policy.bad(bad.error("not an item", got=got, expected="an object"))

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


@cache
def _facts() -> dict[str, dict[str, Any]]:
    file = resources.files("hnclip_cli.sources.benchmarks") / "facts.tsv"
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row.pop("name"): row | {"items": int(row["items"] or 0) or None} for row in rows}


def benchmark(
    name: str, read: Callable[[Files], Iterator[dict[str, Any]]], official: tuple[Metric, ...] = ()
) -> Benchmark:
    """A benchmark of hnclip's own, with what its line of ``facts.tsv`` says to people."""
    return Benchmark(read, official, **_facts()[name])


def read_json(path: str, kind: type = object) -> Any:
    """The content of a JSON file, which must be of this kind."""
    import orjson

    data = read_whole(path)
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
