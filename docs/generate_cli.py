"""Write docs/cli.md from the commands themselves; a test fails when it is out of date.

python docs/generate_cli.py
"""

from collections.abc import Iterator
from pathlib import Path

import click

from hnclip_cli.cli import cli
from hnclip_cli.errors import ExitCode

WIDTH = 80  # whatever the terminal's
PAGE = Path(__file__).parent / "cli.md"
MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed; one line on stderr says where and why",
    ExitCode.USAGE: "wrong usage, found before anything heavy is loaded",
    ExitCode.SKIPPED: "finished; records were skipped (`--on-error skip`), stderr has the count",
    ExitCode.STOPPED: "`train` was stopped by a signal; its state is saved",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.READER_GONE: "the reader of the pipe went away",
    ExitCode.TERMINATED: "terminated (SIGTERM); half-written files are removed",
}


def helps(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """The name and the help of a command, then those of its subcommands."""
    context = command.make_context(
        name.rpartition(" ")[2], [], parent=parent, resilient_parsing=True, terminal_width=WIDTH
    )
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for subcommand in command.list_commands(context):
            child = command.get_command(context, subcommand)
            assert child is not None
            yield from helps(child, f"{name} {subcommand}", context)


def render() -> str:
    """The whole page."""
    codes = "\n".join(f"| {code.value} | {MEANINGS[code]} |" for code in ExitCode)
    head = (
        "# Commands\n\nThis page is written by `python docs/generate_cli.py`.\n\n"
        f"| exit code | meaning |\n|---|---|\n{codes}\n"
    )
    found = (f"## {name}\n\n```\n{text}\n```\n" for name, text in helps(cli, "hnclip"))
    return "\n".join([head, *found])


if __name__ == "__main__":
    PAGE.write_text(render())
