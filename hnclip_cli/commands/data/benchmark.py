"""hnclip data benchmark."""

import json
import textwrap

import click

from hnclip_cli import console, options
from hnclip_cli.commands.data.paths import PATH
from hnclip_cli.errors import ExitCode


class BenchmarkCommand(click.Command):
    """Names the benchmarks below the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from hnclip_cli.benchmarks import BENCHMARKS

        with formatter.section("Benchmarks"):
            names = textwrap.fill(
                " ".join(BENCHMARKS),
                formatter.width,
                initial_indent="  ",
                subsequent_indent="  ",
                break_on_hyphens=False,
            )
            formatter.write(f"{names}\n")


@click.command("benchmark", cls=BenchmarkCommand)
@click.argument("name", required=False, metavar="NAME")
@click.argument("path", required=False, metavar="PATH", type=PATH)
@click.option(
    "--images",
    metavar="DIR",
    type=PATH,
    help="Folder of the benchmark's images.  [required]",
)
@click.option(
    "--templates",
    type=click.Choice(["photo", "simple", "openai"]),
    default="photo",
    show_default=True,
    help="Prompts of imagefolder: one, or the 7 or 80 templates of open_clip.",
)
@click.option(
    "--list",
    "wants_list",
    is_flag=True,
    help="Instead: where the official files of each benchmark come from, how many items they "
    "give, and the official metric.",
)
@options.format_option
@options.plugin_option
@options.on_error_option
@options.output_option
@options.verbosity_options
def benchmark(
    name: str | None,
    path: str | None,
    images: str | None,
    templates: str,
    wants_list: bool,
    format_: str | None,
    on_error: str,
    output: str,
) -> ExitCode:
    """Turn the official files of a benchmark into records.

    PATH is one official file, or the folder that holds them; a record an item goes to stdout, in
    the official order, with captions exactly as published. One file is held in memory at a time.

    \b
    Example:
      hnclip data benchmark --list
      hnclip data benchmark sugarcrepe sugarcrepe/ --images val2017/ > sugarcrepe.jsonl
      hnclip data benchmark sugarcrepe swap_obj.json --images val2017/ |
        hnclip score --model run/ | hnclip eval
    """
    from hnclip_cli.benchmarks import BENCHMARKS

    if wants_list:
        return _list_benchmarks(format_, output)
    if name is None or path is None or images is None:
        missing = "NAME" if name is None else "PATH" if path is None else "--images"
        raise click.UsageError(f"missing {missing}; --list shows what there is")
    if name not in BENCHMARKS:
        raise click.UsageError(f"no benchmark {name!r}; expected one of: {', '.join(BENCHMARKS)}")
    from hnclip_cli.sources.benchmarks import read_benchmark
    from hnclip_cli.streams.records import format_record

    with console.error_policy(on_error) as policy, console.open_output(output) as out:
        for record in read_benchmark(
            name, path, images, templates=templates, policy=policy, note=console.note
        ):
            out.write(format_record(record))
    return policy.exit_code


def _list_benchmarks(format_: str | None, output: str) -> ExitCode:
    from hnclip_cli.sources.benchmarks.listing import listing, listing_table

    with console.open_output(output) as out:
        if console.as_table(format_, output):
            out.write(listing_table().encode())
        else:
            for entry in listing():
                out.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
    return ExitCode.DONE
