"""Plug-ins: entries that others add to the tables of this package.

An installed package adds one by an entry point of the group ``hnclip.kinds``,
``hnclip.objectives``, … under the entry's name. A local file or module adds those of its dicts
``KINDS``, ``OBJECTIVES``, …; `load_plugin` or ``--plugin`` names it, or the environment variable
`VARIABLE`, by which the processes that a run starts find it too.
"""

import contextlib
import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from hnclip_cli.errors import ExitCode, HnclipError, Stopped

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

VARIABLE = "HNCLIP_PLUGINS"
# The tables, and where they are.
TABLES = {
    "kinds": "hnclip_cli.negatives.kinds.registry:KINDS",
    "generators": "hnclip_cli.negatives.generators.registry:GENERATORS",
    "benchmarks": "hnclip_cli.benchmarks:BENCHMARKS",
    "objectives": "hnclip_cli.training.objectives:OBJECTIVES",
}

# The plug-ins whose entries have been loaded into this process.
in_use: set[str] = set()


@dataclass(frozen=True, slots=True)
class Addition:
    """An entry that a plug-in has for a table; `load` imports it."""

    name: str
    origin: str
    load: Callable[[], Any]
    is_local: bool


class Table(Mapping[str, T]):
    """Entries by name: the built-in ones, and those of plug-ins, loaded when they are asked for.

    Args:
        name: as ``kinds``, for the group ``hnclip.kinds`` and the dict ``KINDS``.
        built_in: the entries; or the places of those that are imported late, "module:attribute".
        entry_type: what an entry must be an instance of.
        called: what that is called in words.
        adopt: gives the entry of a plug-in a form that checks what it does, for example.

    Raises:
        HnclipError: on looking an entry up, or listing them: a plug-in is broken.
    """

    def __init__(
        self,
        name: str,
        built_in: Mapping[str, T | str],
        entry_type: Any,
        *,
        called: str = "",
        adopt: Callable[[T], T] = lambda entry: entry,
    ) -> None:
        self.name, self.built_in = name, built_in
        self._entry_type, self._called = entry_type, called or entry_type.__name__
        self._adopt = adopt
        self._loaded: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name in self.built_in:
            entry = self.built_in[name]
            return import_from(entry) if isinstance(entry, str) else entry
        if name not in self._loaded:
            found = [addition for addition in additions(self.name) if addition.name == name]
            if not found:
                raise KeyError(name)
            if len(found) > 1:
                origins = " and ".join(addition.origin for addition in found)
                raise HnclipError(f"{self.name}: {name!r} is in {origins}", hint="without one")
            self._loaded[name] = self.load(found[0])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def __iter__(self) -> Iterator[str]:
        found = additions(self.name)
        for addition in found:
            if addition.is_local:
                self.check_name(addition)
        return iter(dict.fromkeys([*self.built_in, *(addition.name for addition in found)]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def check_name(self, addition: Addition) -> None:
        """Refuse what would replace a built-in entry."""
        if addition.name in self.built_in:
            raise HnclipError(
                f"{addition.name!r} of its {self.name} is built in",
                where=f"plug-in {addition.origin}",
                hint="another name",
            )

    def load(self, addition: Addition) -> T:
        """Import an entry. What its functions raise will name the plug-in."""
        where = f"plug-in {addition.origin}: {addition.name!r} of its {self.name}"
        with blaming(where):
            entry = addition.load()
        if not isinstance(entry, self._entry_type):
            raise HnclipError(
                "wrong type", where=where, got=type(entry).__name__, expected=self._called
            )
        in_use.add(addition.origin)
        named: T = _blamed(self._adopt(entry), where)
        return named


def import_from(place: str) -> Any:
    """What "module:attribute" stands for."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def load_plugin(plugin: str) -> None:
    """Add the entries of a local plug-in, in this process and in those that it starts.

    Args:
        plugin: a file name that ends in ``.py``, or the name of a module.

    Raises:
        HnclipError: it is not there, cannot be imported or has no entries.
    """
    if plugin.endswith(".py"):
        plugin = str(Path(plugin).absolute())
    if all(_entries(plugin, table) is None for table in TABLES):
        expected = f"any of {', '.join(table.upper() for table in TABLES)}"
        raise HnclipError("it adds nothing", where=f"plug-in {plugin}", expected=expected)
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys((*_local(), plugin)))


def additions(table: str) -> list[Addition]:
    """What plug-ins have for a table, unchecked; `HnclipError` where a local one is broken."""
    found = []
    for point in _installed(f"hnclip.{table}"):
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        found.append(Addition(point.name, origin, point.load, False))
    for plugin in _local():
        entries = _entries(plugin, table) or {}
        for name in entries:
            found.append(Addition(name, plugin, functools.partial(entries.get, name), True))
    return found


def _entries(plugin: str, table: str) -> dict[str, Any] | None:
    """What a local plug-in has for a table, unchecked but for the names; None for nothing."""
    where = f"plug-in {plugin}"
    module = _import(plugin)
    with blaming(where):
        entries = getattr(module, table.upper(), None)
        if entries is None:
            return None
        if not isinstance(entries, Mapping):
            raise HnclipError(
                f"{table.upper()} has the wrong type",
                where=where,
                got=type(entries).__name__,
                expected="a dict",
            )
        entries = dict(entries)
        for name in entries:
            if not isinstance(name, str) or not name:
                problem = f"a name in {table.upper()} is none"
                raise HnclipError(problem, where=where, got=repr(name), expected="some text")
        return entries


def _local() -> list[str]:
    return [plugin for plugin in os.environ.get(VARIABLE, "").split(os.pathsep) if plugin]


@functools.cache
def _installed(group: str) -> "Iterable[EntryPoint]":
    # A help page has no time to import what knows about packages where there is nothing to know.
    files = (file for path in sys.path for file in Path(path).glob("*-info/entry_points.txt"))
    if not any(b"[hnclip." in file.read_bytes() for file in files):
        return ()
    from importlib.metadata import entry_points

    return entry_points(group=group)


@functools.cache
def _import(plugin: str) -> ModuleType:
    with blaming(f"plug-in {plugin}"):
        if not plugin.endswith(".py"):
            return importlib.import_module(plugin)
        if not os.path.isfile(plugin):
            raise HnclipError("no such file", where=f"plug-in {plugin}")
        name = f"hnclip_plugin_{Path(plugin).stem}"
        spec = importlib.util.spec_from_file_location(name, plugin)
        assert spec and spec.loader
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


@contextlib.contextmanager
def blaming(where: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into an error that says where."""
    try:
        yield
    except (HnclipError, Stopped, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if isinstance(error, SystemExit) and error.code == ExitCode.TERMINATED:
            raise
        raise HnclipError(f"{type(error).__name__}: {error}", where=where) from error


def _blamed(entry: Any, where: str) -> Any:
    """An entry whose functions, at any depth, name the plug-in where they fail."""
    if is_dataclass(entry) and not isinstance(entry, type):
        names = [field.name for field in fields(entry) if field.init]
        return replace(entry, **{name: _blamed(getattr(entry, name), where) for name in names})
    if isinstance(entry, Mapping):
        return {_blamed(key, where): _blamed(value, where) for key, value in entry.items()}
    if type(entry) in (list, tuple):
        return type(entry)(_blamed(item, where) for item in entry)
    return _blamed_function(entry, where) if callable(entry) else entry


def _blamed_function(function: Callable[..., Any], where: str) -> Callable[..., Any]:
    def iterate(items: Iterator[Any]) -> Iterator[Any]:
        with blaming(where):
            yield from items

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        with blaming(where):
            result = function(*args, **options)
        if isinstance(result, Iterator):
            return iterate(result)
        is_own = type(result).__module__ == function.__module__ != "builtins"
        return _BlamedObject(result, where) if is_own else result

    return call


class _BlamedObject:
    """An object of a plug-in's own class, whose methods name the plug-in where they fail."""

    def __init__(self, own: Any, where: str) -> None:
        self._own, self._where = own, where

    def __getattr__(self, name: str) -> Any:
        return _blamed(getattr(self._own, name), self._where)
