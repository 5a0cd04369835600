"""hnclip data benchmark."""

import os

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run
from hnclip_cli.errors import ExitCode
from hnclip_cli.helping import none_of

# The name may be left out before PATH.
_NAME = options.TableName("name", "hnclip_cli.benchmarks:BENCHMARKS", is_strict=False)


@click.command("benchmark", cls=options.Command)
@click.argument("name", required=False, metavar="NAME", type=_NAME)
@click.argument("path", required=False, metavar="PATH", type=options.PATH)
@click.option(
    "--images",
    metavar="DIR",
    type=options.PATH,
    help="Folder of the benchmark's images.  [default: as --where says, below PATH]",
)
@click.option(
    "--templates",
    type=options.Choice(["photo", "simple", "openai"]),
    default="photo",
    help="Prompts of imagefolder: one, or the 7 or 80 templates of open_clip.",
)
@click.option(
    "--list",
    "wants_list",
    is_flag=True,
    help="List the benchmarks: source of the official files, number of items, official metric.",
)
@click.option(
    "--where",
    "wants_where",
    is_flag=True,
    help="Say what to download for NAME, from where, and into which folder.",
)
@click.option(
    "--check",
    "wants_check",
    is_flag=True,
    help="Say what is missing in PATH (exit 3); without NAME for all benchmarks in PATH.",
)
@options.format_option
@options.plugin_option
@options.output_option
@options.run
def benchmark(
    run: Run, name: str | None, path: str | None, images: str | None, templates: str,
    wants_list: bool, wants_where: bool, wants_check: bool, format_: str | None, output: str,
) -> ExitCode | None:  # fmt: skip
    """Turn the official files of a benchmark into records.

    PATH is one official file, or the folder that holds them, or without --images a folder for all
    benchmarks, laid out as --where says. One record per item goes to stdout, in the official
    order, with captions exactly as published. One file is held in memory at a time.

    \b
    Example:
      hnclip data benchmark --list
      hnclip data benchmark sugarcrepe --where
      hnclip data benchmark --check benchmarks/
      hnclip data benchmark sugarcrepe sugarcrepe/ --images val2017/ > items.jsonl
      hnclip data benchmark sugarcrepe swap_obj.json --images val2017/ |
        hnclip score --model run/ | hnclip eval
    """
    from hnclip_cli.benchmarks import BENCHMARKS

    if wants_list:
        from hnclip_cli.sources.benchmarks import listing, listing_table

        console.write_listing(listing(), listing_table, format_, output)
        return None
    if wants_check and path is None and name not in BENCHMARKS:
        name, path = None, name
    if name is not None and name not in BENCHMARKS:
        raise click.UsageError(f"no such benchmark; {none_of(name, BENCHMARKS)}")
    if wants_where:
        from hnclip_cli.sources.benchmarks.layout import where, where_text

        names = [name] if name else list(BENCHMARKS)
        console.write_listing(
            map(where, names), lambda: "\n".join(map(where_text, names)), format_, output
        )
        return None
    if path is None or (name is None and not wants_check):
        missing = "NAME" if name is None else "PATH"
        raise click.UsageError(f"missing {missing}; --list shows what there is")
    if wants_check:
        return _check(name, path, images, format_, output)

    from hnclip_cli.sources.benchmarks import read_benchmark
    from hnclip_cli.sources.benchmarks.files import lacking
    from hnclip_cli.sources.benchmarks.layout import located

    assert name is not None
    if images is None:
        if not os.path.isdir(os.path.join(path, name)):
            raise click.UsageError(f"missing --images, as {path} holds no folder {name}")
        path, images = located(name, path)
    out = run.create(output)
    records = read_benchmark(
        name, path, images, templates=templates, policy=run.policy, note=console.note
    )
    if said := lacking(name, path, console.write_records(records, out)):
        asked = f"hnclip data benchmark {name} {path} --images {images} --check"
        console.note(f"{said}; {asked} says what is missing")
    return None


def _check(
    name: str | None, path: str, images: str | None, format_: str | None, output: str
) -> ExitCode | None:
    """Say what is missing of one benchmark, or of each that has a folder in this one."""
    from hnclip_cli.sources.benchmarks.layout import check, check_text, located, present

    if name and images:
        places = [(name, path, images)]
    else:
        names = [name] if name else present(path)
        places = [(name, *located(name, path)) for name in names]
    found = [check(*place) for place in places]
    console.write_listing(found, lambda: "".join(map(check_text, found)), format_, output)
    return ExitCode.SKIPPED if any(one["problems"] for one in found) else None
