"""hnclip plugins."""

from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode, HnclipError
from hnclip_cli.saying import shown


@click.command("plugins", cls=options.Command)
@options.format_option
@options.output_option
@options.plugin_option
@options.verbosity_options
def plugins(format_: str | None, output: str) -> ExitCode:
    """List what plug-ins add, and where it comes from.

    Reads nothing; writes a line for each kind, objective, benchmark or generator of an installed
    package or a --plugin: its "table", its "name" and what it is "from". If it cannot be used, it
    has an "error" too, and the exit code is 1. Memory does not matter.

    \b
    Example:
      hnclip plugins
      hnclip plugins --plugin my_kinds.py --format json
    """
    lines = _lines()

    def table() -> str:
        return "".join(
            f"{line['table']:<11} {shown(line['name']):<24} {shown(line['from'])}"
            + (f"  ({line['error']})\n" if "error" in line else "\n")
            for line in lines
        )

    console.write_listing(lines, table, format_, output)
    return ExitCode.FAILED if any("error" in line for line in lines) else ExitCode.DONE


def _lines() -> list[dict[str, Any]]:
    from hnclip_cli.plugins import TABLES, Table, additions, import_from

    lines = []
    for name, place in TABLES.items():
        table: Table[Any] = import_from(place)
        for addition in additions(name):
            lines.append({"table": name, "name": addition.name, "from": addition.origin})
            try:
                table.check_name(addition)
                table.load(addition)
            except HnclipError as error:
                lines[-1]["error"] = str(error)
    return lines
