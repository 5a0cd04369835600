"""A group of commands that imports each only when it is asked for."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, cast

import click

from hnclip_cli.plugins import import_from

# In the order of the help: the name, where the command is ("module:attribute"), and its line.
Table = Mapping[str, tuple[str, str]]


class _Commands(Mapping[str, click.Command]):
    def __init__(self, table: Table) -> None:
        self._table = table

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = import_from(self._table[name][0])
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class LazyGroup(click.Group):
    """A click group over a table of commands; its own help imports none of them."""

    def __init__(self, *, table: Table, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast(MutableMapping[str, click.Command], _Commands(table))
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])
