"""Commands whose help has options in groups and names one a line; what a shell completes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from hnclip_cli import plugins
from hnclip_cli.streams.files import alike

TYPED = "hnclip.typed"  # what stood behind the command's name
# Groups that many commands have, which come last, in this order.
MODEL, IMAGES, COMMON = "Model", "Images", "In most commands"
SHARED = (MODEL, IMAGES, COMMON)
MAX_CHOICES = 32  # characters; what is longer is listed below the options


def of_files(kind: str) -> Callable[..., list[CompletionItem]]:
    """Completes names of files (``file``) or folders (``dir``), as the shell does."""
    return lambda ctx, param, incomplete: [CompletionItem(incomplete, type=kind)]


def none_of(name: str, names: Iterable[str]) -> str:
    """What is said of a name that is none of these."""
    near = alike(name, names)
    return f"got {name!r}, expected one of {', '.join(names)}" + (f"; try {near}" if near else "")


class Choice(click.Choice[str]):
    """One of a few names; for another that is spelled alike, the error says which."""

    def get_invalid_choice_message(self, value: str, ctx: click.Context | None) -> str:
        return none_of(value, self.choices)


class TableName(click.ParamType[str]):
    """A name from a table at "module:ATTRIBUTE", imported only when one is named or listed.

    Args:
        name: what the names are of, in one word.
        place: of the table.
        describe: what the help says of a name in the table.
        is_strict: whether another value is wrong usage, or left to the command.
        is_listed: whether the help lists the names.
    """

    def __init__(
        self,
        name: str,
        place: str,
        *,
        describe: Callable[[str, Mapping[str, Any]], str] = lambda name, table: "",
        is_strict: bool = True,
        is_listed: bool = True,
    ) -> None:
        self.name, self._place = name, place
        self._describe, self._is_strict = describe, is_strict
        self._is_listed = is_listed

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = plugins.import_from(self._place)
        return table

    def _choices(self) -> str:
        return f"[{'|'.join(self._table())}]"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        choices = self._choices()
        return choices if len(choices) <= MAX_CHOICES else self.name.upper()

    def rows(self) -> list[tuple[str, str]]:
        """Each name and what there is to say of it; nothing where the metavar has the names."""
        if not self._is_listed or len(self._choices()) <= MAX_CHOICES:
            return []
        table = self._table()
        return [(name, self._describe(name, table)) for name in table]

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if self._is_strict and value not in self._table():
            self.fail(none_of(value, self._table()), param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(name) for name in self._table() if name.startswith(incomplete)]


class Grouped(click.Option):
    """An option that the help shows under a heading of its own."""

    def __init__(self, *names: Any, group: str, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.group = group


class Command(click.Command):
    """A command that refuses two values where it takes one, of which click drops the first.

    Its help has its own options first, then those of groups, then names one a line.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[TYPED] = list(args)
        if not ctx.resilient_parsing:  # as completion is, of half a line
            self._check_once(ctx, args)
        return super().parse_args(ctx, args)

    def _check_once(self, ctx: click.Context, args: list[str]) -> None:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for param, count in Counter(given).items():
            if count == 1 or not isinstance(param, click.Option) or param.multiple or param.count:
                continue
            if not param.is_flag or param.secondary_opts:
                raise click.UsageError(
                    f"{param.opts[-1]} takes one value, and is given {count} times"
                )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        params = self.get_params(ctx)
        for param in params:
            row = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if row:
                own = COMMON if "--help" in param.opts else "Options"
                groups.setdefault(getattr(param, "group", own), []).append(row)
        for name in sorted(groups, key=lambda name: SHARED.index(name) if name in SHARED else -1):
            if groups[name]:
                with formatter.section(name):
                    formatter.write_dl(groups[name])
        for param in params:
            if isinstance(param.type, TableName) and (rows := param.type.rows()):
                with formatter.section(f"Values of {param.type.name.upper()}"):
                    formatter.write_dl(rows)
