"""The tables of words: the built-in ones beside this file, and a user's own laid over them.

docs/words.md describes tables and notation. An entry of a user with a new key stands behind the
built-in ones; in tables of rules, where the first that fits counts, before them.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import MAX_WORDS_BYTES, read_whole

K = TypeVar("K")
T = TypeVar("T")

BUILT_IN = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table; those of ``key`` and ``needed`` may not be left out."""

    key: tuple[str, ...]
    needed: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    has_order: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.needed, *self.other, "example")


TABLES = {
    "families": Table(("family",), ("nature", "rank"), ("place", "traits", "tied to")),
    "nouns": Table(("noun",), ("family", "use"), ("plural", "like", "traits")),
    "noun_classes": Table(("class", "noun")),
    "stand_ins": Table(("noun",), (), ("instead", "at rest")),
    "alongside": Table(("noun",), ("others",)),
    "verbs": Table(("verb",), (), ("like", "participle", "traits")),
    "actions": Table(("actor", "action", "then"), ("instead",), has_order=True),
    "words": Table(("class", "word")),
    "colors": Table(("color",), (), ("like", "near")),
    "color_names": Table(("color", "before")),
    "color_ranges": Table(("things",), (), ("colors", "odd")),
    "sizes": Table(("size",), (), ("opposite", "look")),
    "attributes": Table(("attribute",), ("class",), ("like", "said of", "use")),
    "states": Table(("state", "said of"), ("instead",), has_order=True),
    "made_of": Table(("noun",), ("materials",)),
    "relations": Table(("words",), ("relation",)),
    "placements": Table(("place", "relation"), ("instead",)),
    "flips": Table(("relation", "before", "after"), ("instead",)),
    "numbers": Table(("words",), ("number",)),
    "fixed": Table(("name",), (), ("plural",)),
    "protect": Table(("word",)),
}
# Key columns that may be empty: what must follow an action, what a state is said of, …
_MAY_BE_EMPTY = {"then", "said of", "before", "after"}


@dataclass(slots=True)
class Row:
    """An entry of a table: its cells by column, and where it stands."""

    cells: dict[str, str]
    key: tuple[str, ...]
    where: str
    is_own: bool

    def __getitem__(self, column: str) -> str:
        """A cell; empty where it or its column is left out."""
        return self.cells.get(column, "")

    def items(self, column: str) -> tuple[str, ...]:
        """The items of a cell, which stand between commas."""
        cell = self.cells.get(column)
        if not cell:
            return ()
        items = tuple(map(str.strip, cell.split(",")))
        if not all(items):
            raise self.fault(f"an empty item in the column {column!r}", got=cell)
        return items

    def one_of(self, column: str, choices: Sequence[str]) -> str:
        """A cell that must be one of a few words."""
        return self._known(column, self[column], choices)

    def traits(self, choices: Sequence[str]) -> frozenset[str]:
        """The items of the column ``traits``, each one of a few words."""
        return frozenset(self._known("traits", item, choices) for item in self.items("traits"))

    def _known(self, column: str, word: str, choices: Sequence[str]) -> str:
        if word not in choices:
            expected = ", ".join(filter(None, choices))
            raise self.fault(
                f"an unknown word in the column {column!r}", got=word, expected=expected
            )
        return word

    def fault(self, problem: str, *, got: str = "", expected: str = "") -> HnclipError:
        return HnclipError(problem, where=self.where, got=got, expected=expected)


class Tables:
    """All tables, those of a user's folder laid over them; each is read when it is asked for.

    Methods raise `HnclipError`, with file and line, at the first fault in a table.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder
        # What a user removed, by table: the first key cells of the entries, and what hung on them.
        # The built-in entries that name these do without.
        self.removed: defaultdict[str, set[str]] = defaultdict(set)
        self._own = set() if folder is None else _own_tables(folder)

    def rows(self, name: str) -> list[Row]:
        """The entries of a table in their order."""
        table = TABLES[name]
        rows = _read(BUILT_IN / f"{name}.tsv", table, is_own=False)
        if name not in self._own:
            return list(rows.values())
        added: dict[tuple[str, ...], Row] = {}
        own = _read(Path(str(self.folder)) / f"{name}.tsv", table, is_own=True)
        for key, row in own.items():
            if key[0].startswith("-"):
                self._remove(name, rows, row)
            else:
                (rows if key in rows else added)[key] = row
        return list(({**added, **rows} if table.has_order else {**rows, **added}).values())

    @cached_property
    def word_lists(self) -> dict[str, tuple[str, ...]]:
        """The classes of words.tsv, in its order."""
        rows = self.rows("words")  # first, as it fills ``removed``
        found: dict[str, list[str]] = {name: [] for name in self.removed["words"]}
        for row in rows:
            found.setdefault(row["class"], []).append(row["word"])
        return {name: tuple(words) for name, words in found.items()}

    @cached_property
    def words(self) -> dict[str, frozenset[str]]:
        """The classes of words.tsv."""
        return {name: frozenset(words) for name, words in self.word_lists.items()}

    def words_of(self, row: Row, item: str) -> frozenset[str]:
        """The words that an item of a cell stands for: itself, or those of a ``<class>``."""
        if not item.startswith("<"):
            return frozenset({item})
        if not item.endswith(">") or item[1:-1] not in self.words:
            raise row.fault("not a class of words.tsv", got=item)
        return self.words[item[1:-1]]

    def in_turn(
        self, entries: Iterable[tuple[Row, K, T]], hides: Callable[[T, T], bool]
    ) -> dict[K, tuple[T, ...]]:
        """Rules of which the first that fits counts, by what they are for.

        None may hide a later one, that is, fit wherever it does; a user's own may hide built-in
        ones.
        """
        found: dict[K, list[tuple[Row, T]]] = {}
        for row, key, rule in entries:
            known = found.setdefault(key, [])
            for other, earlier in known:
                is_fault = (row.is_own and other.is_own) or not self._own
                if is_fault and hides(earlier, rule):
                    raise row.fault(f"a rule that is never reached: {other.where} fits first")
            known.append((row, rule))
        return {key: tuple(rule for _, rule in rules) for key, rules in found.items()}

    def refer(self, row: Row, entry: str, known: Mapping[str, T], name: str) -> T | None:
        """What another table says of an entry; None where a user removed it."""
        found = known.get(entry)
        if found is None and (row.is_own or entry not in self.removed[name]):
            raise row.fault(f"not in {name}.tsv", got=entry, expected=f"an entry of {name}.tsv")
        return found

    def referred(self, row: Row, column: str, known: Mapping[str, T], name: str) -> list[T]:
        """`refer` for the items of a cell, without those that are removed."""
        found = [self.refer(row, entry, known, name) for entry in row.items(column)]
        return [entry for entry in found if entry is not None]

    def _remove(self, name: str, rows: dict[tuple[str, ...], Row], row: Row) -> None:
        key = (row.key[0][1:].strip(), *row.key[1:])
        gone = [
            other
            for other in rows
            if all(mine in ("", theirs) for mine, theirs in zip(key, other, strict=True))
        ]
        if not gone:
            raise row.fault("there is no such entry to remove", got=" ".join(filter(None, key)))
        for other in gone:
            del rows[other]
            self.removed[name].add(other[0])


def _own_tables(folder: str) -> set[str]:
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".tsv")]
    except OSError as error:
        raise HnclipError(
            f"cannot read the folder of words: {error.strerror}", where=folder
        ) from None
    for name in sorted(names):
        if name[:-4] not in TABLES:
            where = os.path.join(folder, name)
            raise HnclipError("no table of this name", where=where, expected=", ".join(TABLES))
    return {name[:-4] for name in names}


def _read(path: Path, table: Table, is_own: bool) -> dict[tuple[str, ...], Row]:
    """The entries of a file by their keys."""
    rows: dict[tuple[str, ...], Row] = {}
    columns: list[str] = []
    for number, line in _lines(path):
        where = f"{path}:{number}"
        cells = [cell.strip() for cell in line.split("\t")]
        if not columns:
            columns = cells
            needed = {*table.key, *table.needed}
            is_odd = len(columns) > len(set(columns)) or columns[0] != table.key[0]
            if is_odd or not needed <= set(columns) <= set(table.columns):
                raise HnclipError(
                    "not the columns of this table",
                    where=where,
                    got=", ".join(columns),
                    expected=", ".join(table.columns) + "; a tab between each two",
                )
            continue
        named = dict(zip(columns, cells, strict=False))
        key = tuple([named.get(column, "") for column in table.key])
        row = rows.setdefault(key, Row(named, key, where, is_own))
        if row.where != where:
            name = " ".join(filter(None, key))
            raise HnclipError(f"an entry that is at {row.where} too", where=where, got=name)
        if len(cells) > len(columns):
            raise row.fault("more cells than columns", got=line)
        if not (is_own and line.startswith("-")):
            for column in (*table.key, *table.needed):
                if not row[column] and column not in _MAY_BE_EMPTY:
                    raise row.fault(f"the column {column!r} is empty")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that say something, and their numbers."""
    data = read_whole(str(path), MAX_WORDS_BYTES)
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.decode().rstrip()
        except UnicodeDecodeError:
            raise HnclipError("not UTF-8", where=f"{path}:{number}") from None
        if text and not text.startswith("#"):
            yield number, text
