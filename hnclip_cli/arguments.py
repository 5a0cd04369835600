"""Files that arguments name: no command writes a file that it reads, under any spelling."""

import os
import stat
import sys
from itertools import combinations
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

_NAMED = f"{__name__}.named"  # where a context keeps what its arguments have named


class _Named(NamedTuple):
    name: str  # ``-`` for a standard stream
    is_written: bool
    label: str  # of the argument


class FileName(click.ParamType[str]):
    """The name of a file that a command reads or writes, ``-`` for a standard stream."""

    name = "path"

    def __init__(self, *, is_written: bool) -> None:
        self._is_written = is_written

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("the name is empty; . is the working folder", param, ctx)
        if self._is_written and value.endswith("/"):
            self.fail(f"{value!r} names a folder, expected a file", param, ctx)
        if ctx is not None and param is not None:
            label = param.opts[0] if isinstance(param, click.Option) else value
            if value == "-":
                label = f"standard {'output' if self._is_written else 'input'}"
            ctx.meta.setdefault(_NAMED, []).append(_Named(value, self._is_written, label))
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


READ, WRITTEN = FileName(is_written=False), FileName(is_written=True)


def check_files(ctx: click.Context) -> None:
    """Refuse (`click.UsageError`) to write to a file that is read, or to write to one twice.

    Files are compared by what they are: links, other spellings and what a shell has redirected
    count. Devices, folders and sockets may be several at once.
    """
    named = ctx.meta.get(_NAMED, [])
    if not any(file.is_written for file in named):
        named = [*named, _Named("-", True, "standard output")]
    for one, other in combinations(sorted(named, key=lambda file: file.is_written), 2):
        if one.name == other.name == "-" and one.is_written == other.is_written:
            raise click.UsageError(f"only one file can be - ({one.label})")
        if other.is_written and (identity := _identity(one)) and identity == _identity(other):
            raise click.UsageError(
                f"{one.label} and {other.label} are the same file; try another {other.label}"
            )


def _identity(file: _Named) -> tuple[Any, ...] | None:
    """What a name stands for; None, where it is no file, or one that may be shared."""
    name = file.name.removeprefix("file://")
    if "://" in name:
        return (name,)
    try:
        if file.name == "-":
            stream = sys.stdout if file.is_written else sys.stdin
            status = os.fstat(stream.fileno())
        else:
            status = os.stat(name)
    except FileNotFoundError:
        if file.is_written:  # two of them may still become one
            folder, last = os.path.split(os.path.realpath(name))
            if os.path.isdir(folder):
                return os.stat(folder).st_dev, os.stat(folder).st_ino, last.casefold()
    except (OSError, ValueError, AttributeError):  # whoever opens it will say so
        pass
    else:
        if stat.S_IFMT(status.st_mode) in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFBLK):
            return status.st_dev, status.st_ino
    return None
