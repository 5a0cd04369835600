"""hnclip data: records from a seed, from official files, from folders and shards of images."""

import json
import textwrap
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode

if TYPE_CHECKING:
    from hnclip_cli.language.parser import Parser
    from hnclip_cli.sources.benchmarks.official import Prompter, Tagger


def _check_path(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    if not value:
        raise click.BadParameter("the name is empty; . is the working folder")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise click.BadParameter("the name is not UTF-8, so no record can hold it") from None
    return value


def _check_paths(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(_check_path(ctx, param, value) or "" for value in values)


class BenchmarkCommand(click.Command):
    """Names the benchmarks below the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from hnclip_cli.sources.benchmarks import READERS

        with formatter.section("Benchmarks"):
            names = textwrap.fill(
                " ".join(READERS),
                formatter.width,
                initial_indent="  ",
                subsequent_indent="  ",
                break_on_hyphens=False,
            )
            formatter.write(f"{names}\n")


@click.group("data")
def data() -> None:
    """Make records: draw scenes, read the official files of a benchmark, find images."""


@data.command("scenes")
@click.argument("folder", metavar="DIR", callback=_check_path)
@click.option(
    "-n", "num_scenes", type=click.IntRange(min=0), required=True, help="How many scenes."
)
@click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="test shows only combinations of color and shape that train never shows.",
)
@options.seed_option
@click.option(
    "--image-size",
    type=click.IntRange(min=32, max=2048),
    default=64,
    show_default=True,
    metavar="PIXELS",
    help="Width and height of the images.",
)
@click.option(
    "--max-objects",
    type=click.IntRange(1, 3),
    default=3,
    show_default=True,
    help="Most objects in a scene.",
)
@options.output_option
@options.verbosity_options
def scenes(
    folder: str,
    num_scenes: int,
    split: str,
    seed: int,
    image_size: int,
    max_objects: int,
    output: str,
) -> None:
    """Draw captioned scenes of colored shapes into DIR.

    Reads nothing; writes PNG files into DIR and a record an image to stdout, each as soon as its
    image is there. Memory does not grow with -n. Scene number i depends only on i and the flags
    other than -n, so a longer run begins with the scenes of a shorter one.

    \b
    Example:
      hnclip data scenes scenes/ -n 4000 > train.jsonl
      hnclip data scenes scenes/ -n 500 --split test | hnclip negatives > test.jsonl
    """
    from hnclip_cli.sources.scenes.records import scene_records
    from hnclip_cli.streams.records import format_record

    records = scene_records(
        folder,
        num_scenes,
        seed=seed,
        split=split,
        image_size=image_size,
        max_objects=max_objects,
    )
    with console.open_output(output) as out:
        for record in console.progress(records, unit="scene", total=num_scenes):
            out.write(format_record(record))
            out.flush()


@data.command("benchmark", cls=BenchmarkCommand)
@click.argument("name", required=False, metavar="NAME")
@click.argument("path", required=False, metavar="PATH", callback=_check_path)
@click.option(
    "--images",
    metavar="DIR",
    callback=_check_path,
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
@click.option(
    "--format",
    "format_",
    type=click.Choice(["json", "table"]),
    help="Form of --list.  [default: table on a terminal, else json]",
)
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
    from hnclip_cli.sources.benchmarks import READERS

    if wants_list:
        return _list_benchmarks(format_, output)
    if name is None or path is None or images is None:
        missing = "NAME" if name is None else "PATH" if path is None else "--images"
        raise click.UsageError(f"missing {missing}; --list shows what there is")
    if name not in READERS:
        raise click.UsageError(f"no benchmark {name!r}; expected one of: {', '.join(READERS)}")
    from hnclip_cli.sources.benchmarks.official import Official
    from hnclip_cli.streams.records import format_record

    with console.error_policy(on_error) as policy, console.open_output(output) as out:
        official = Official(path, images, policy, console.note, _tagger(), _prompter(templates))
        for record in READERS[name].read(official):
            out.write(format_record(record))
    return policy.exit_code


@data.command("images")
@click.argument("folder", metavar="DIR", callback=_check_path)
@click.option(
    "--pattern",
    "patterns",
    multiple=True,
    metavar="GLOB",
    help="Only such files: '*.jpg', 'train/*/*.png'; may be repeated.  [default: image endings]",
)
@options.on_error_option
@options.output_option
@options.verbosity_options
def images(folder: str, patterns: tuple[str, ...], on_error: str, output: str) -> ExitCode:
    """Write a record for each image file below DIR.

    Reads names, no images. Records have id and image, sorted by path, and where there are any a
    caption from NAME.txt beside NAME.jpg, or the fields of metadata.jsonl in its folder, where
    file_name says which image a line is about. Memory holds one folder's names and metadata.

    \b
    Example:
      hnclip data images photographs/ | hnclip embed --of image --model run/ > images.npy
    """
    from hnclip_cli.sources.folders import folder_records
    from hnclip_cli.streams.records import format_record

    count = 0
    with console.error_policy(on_error) as policy, console.open_output(output) as out:
        for count, record in enumerate(folder_records(folder, patterns, policy), 1):  # noqa: B007
            out.write(format_record(record))
    if not count:
        console.note(f"{folder}: no image files")
    return policy.exit_code


@data.command("webdataset")
@click.argument("shards", nargs=-1, required=True, metavar="SHARD…", callback=_check_paths)
@options.on_error_option
@options.output_option
@options.verbosity_options
def webdataset(shards: tuple[str, ...], on_error: str, output: str) -> ExitCode:
    """Write a record for each sample of tar shards.

    Reads the names and texts in plain tar files in the order given; braces stand for several, as
    in 'shard-{000..009}.tar'. Images stay where they are: a record names one as SHARD::MEMBER,
    which embed, score and train read in place. Memory holds the keys of one shard.

    \b
    Example:
      hnclip data webdataset 'shard-{000..009}.tar' | hnclip negatives > train.jsonl
      hnclip train --model hnclip-tiny --steps 20 -o run/ train.jsonl > log.jsonl
    """
    from hnclip_cli.sources.shards import shard_records
    from hnclip_cli.streams.records import format_record

    with console.error_policy(on_error) as policy, console.open_output(output) as out:
        for record in shard_records(shards, policy):
            out.write(format_record(record))
    return policy.exit_code


def _list_benchmarks(format_: str | None, output: str) -> ExitCode:
    from hnclip_cli.sources.benchmarks.listing import listing, listing_table

    with console.open_output(output) as out:
        if format_ == "table" or (format_ is None and output == "-" and console.wants_table()):
            out.write(listing_table().encode())
        else:
            for entry in listing():
                out.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
    return ExitCode.DONE


def _tagger() -> "Tagger":
    """The tagger of ``hnclip negatives``, loaded when the first caption comes."""

    def tag(texts: Sequence[str]) -> list[list[tuple[str, str]]]:
        captions = parser().parse(texts)
        return [[(word.text, word.tag) for word in caption.words] for caption in captions]

    @cache
    def parser() -> "Parser":
        from hnclip_cli.language.caption import TAGS
        from hnclip_cli.language.parser import Parser

        return Parser(TAGS)

    return tag


def _prompter(templates: str) -> "Prompter":
    def prompts(classes: Sequence[str]) -> list[list[str]]:
        from hnclip_cli.models.zero_shot import class_prompts

        return class_prompts(classes, templates)

    return prompts
