"""The names of files and folders that become part of records."""

from typing import Any

import click


class PathType(click.ParamType[str]):
    """A name that a record can hold."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("the name is empty; . is the working folder", param, ctx)
        try:
            str(value).encode()
        except UnicodeEncodeError:
            self.fail("the name is not UTF-8, so no record can hold it", param, ctx)
        return str(value)


PATH = PathType()
