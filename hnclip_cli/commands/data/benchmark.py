"""hnclip data benchmark."""

import textwrap

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


class BenchmarkCommand(options.Command):
    """Names the benchmarks below the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from hnclip_cli.benchmarks import BENCHMARKS

        with formatter.section("Benchmarks"):
            names = " ".join(BENCHMARKS)
            lines = textwrap.wrap(names, formatter.width - 2, break_on_hyphens=False)
            formatter.write("".join(f"  {line}\n" for line in lines))


@click.command("benchmark", cls=BenchmarkCommand)
@click.argument("name", required=False, metavar="NAME")
@click.argument("path", required=False, metavar="PATH", type=options.PATH)
@click.option(
    "--images",
    metavar="DIR",
    type=options.PATH,
    help="Folder of the benchmark's images.  [required]",
)
@click.option(
    "--templates",
    type=click.Choice(["photo", "simple", "openai"]),
    default="photo",
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
@options.output_option
@options.run
def benchmark(
    run: Run, name: str | None, path: str | None, images: str | None, templates: str,
    wants_list: bool, format_: str | None, output: str,
) -> None:  # fmt: skip
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
        from hnclip_cli.sources.benchmarks import listing, listing_table

        return console.write_listing(listing(), listing_table, format_, output)
    if name is None or path is None or images is None:
        missing = "NAME" if name is None else "PATH" if path is None else "--images"
        raise click.UsageError(f"missing {missing}; --list shows what there is")
    if name not in BENCHMARKS:
        raise click.UsageError(f"no benchmark {name!r}; expected one of: {', '.join(BENCHMARKS)}")

    from hnclip_cli.sources.benchmarks import read_benchmark

    out = run.create(output)
    records = read_benchmark(
        name, path, images, templates=templates, policy=run.policy, note=console.note
    )
    console.write_records(records, out)
