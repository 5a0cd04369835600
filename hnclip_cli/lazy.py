"""A group of commands that imports each only when it is asked for."""

from collections.abc import Mapping, MutableMapping
from importlib import import_module
from typing import Any, cast

import click


class LazyGroup(click.Group):
    """A click group of the files of a package; its own help imports none of them.

    Args:
        package: where a file of each command's name is.
        table: the first line of each command's help, in the order of the group's.
    """

    def __init__(self, *, package: str, table: Mapping[str, str], **settings: Any) -> None:
        super().__init__(**settings)
        self.package, self.table = package, table
        # Of these click takes nothing but the names, for "Did you mean".
        self.commands = cast(MutableMapping[str, click.Command], table)

    def list_commands(self, ctx: click.Context | None = None) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context | None, name: str) -> click.Command | None:
        if name not in self.table:
            return None
        name = name.replace("-", "_")
        file = vars(import_module(f"{self.package}.{name}"))
        command: click.Command = file.get(name) or file[f"{name}_"]  # eval_
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))
