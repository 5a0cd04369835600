"""A group of commands that imports each only when it is asked for."""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, cast

import click


class _Commands(Mapping[str, click.Command]):
    def __init__(self, package: str, table: Mapping[str, str]) -> None:
        self._package, self._table = package, table

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._table:
            raise KeyError(name)
        file = vars(import_module(f"{self._package}.{name}"))
        command: click.Command = file.get(name) or file[f"{name}_"]  # eval_
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class LazyGroup(click.Group):
    """A click group of the files of a package; its own help imports none of them.

    Args:
        package: where a file of each command's name is.
        table: the first line of each command's help, in the order of the group's.
    """

    def __init__(self, *, package: str, table: Mapping[str, str], **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast(MutableMapping[str, click.Command], _Commands(package, table))
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))
