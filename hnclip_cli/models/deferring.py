"""Imports that wait until what they import is used, for packages of others that import much.

Python 3.15 has them (PEP 810); here they are made by a finder. A name that is used at once is
imported at once, so what waits changes how long a program takes to start, and nothing else.
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class Deferred:
    """A name of a module, which is imported when the name is used."""

    def __init__(self, module: str, name: str) -> None:
        self._place = module, name

    def _value(self) -> Any:
        module, name = self._place
        return getattr(import_module(module), name)

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self._value()(*args, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._value(), name)

    def __instancecheck__(self, value: object) -> bool:
        # Where nobody has imported the class, nothing can be of it.
        return self._place[0] in sys.modules and isinstance(value, self._value())

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._value(),)


class _DeferredModule(ModuleType):
    """A module in whose place are `Deferred` names."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Deferred(self.__name__, name)


class _Finder(MetaPathFinder, Loader):
    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages
        self.deferred: list[str] = []

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        package = next((p for p in self.packages if f"{name}.".startswith(f"{p}.")), None)
        if package is None or (name == package and PathFinder.find_spec(name, path) is None):
            return None  # not installed, and whoever imports it may do without
        self.deferred.append(name)
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _DeferredModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


@contextlib.contextmanager
def deferring(*packages: str) -> Iterator[None]:
    """What is imported of these packages in this block is imported when it is used."""
    finder = _Finder(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in finder.deferred:
            module = sys.modules.pop(name, None)
            parent, _, child = name.rpartition(".")
            if parent and vars(sys.modules.get(parent, module)).get(child) is module:
                delattr(sys.modules[parent], child)
