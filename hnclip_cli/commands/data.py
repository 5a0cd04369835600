"""hnclip data: records from a seed, from official files, from folders and shards of images."""

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode


def _check_path(ctx: click.Context, param: click.Parameter, value: str) -> str:
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
    return tuple(_check_path(ctx, param, value) for value in values)


class BenchmarkCommand(click.Command):
    """Lists the benchmarks below the help, and imports them only then."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from hnclip_cli.sources.benchmarks import READERS

        with formatter.section("Benchmarks"):
            formatter.write_text(" ".join(READERS))


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
@click.argument("name")
@click.argument("path", callback=_check_path)
@click.option(
    "--images",
    required=True,
    metavar="DIR",
    callback=_check_path,
    help="Folder of the benchmark's images.",
)
@options.on_error_option
@options.output_option
@options.verbosity_options
def benchmark(name: str, path: str, images: str, on_error: str, output: str) -> ExitCode:
    """Turn the official files of a benchmark into records.

    PATH is one official file, or the folder that holds them; a record an item goes to stdout, in
    the official order, with captions exactly as published. One file is held in memory at a time.

    \b
    Example:
      hnclip data benchmark sugarcrepe sugarcrepe/ --images val2017/ > sugarcrepe.jsonl
      hnclip data benchmark sugarcrepe swap_obj.json --images val2017/ |
        hnclip score --model run/ | hnclip eval
    """
    from hnclip_cli.sources.benchmarks import READERS

    if name not in READERS:
        raise click.UsageError(f"no benchmark {name!r}; expected one of: {', '.join(READERS)}")
    from hnclip_cli.sources.benchmarks.official import Official
    from hnclip_cli.streams.records import format_record

    with console.error_policy(on_error) as policy, console.open_output(output) as out:
        for record in READERS[name](Official(path, images, policy, console.note)):
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
