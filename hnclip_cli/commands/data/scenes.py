"""hnclip data scenes."""

from typing import Any

import click

from hnclip_cli import console, options


@click.command("scenes", cls=options.Command)
@click.argument("folder", metavar="DIR", type=options.PATH)
@click.option("-n", "num_scenes", type=options.Whole(0), required=True, help="How many scenes.")
@click.option(
    "--split",
    type=options.Choice(["train", "test"]),
    default="train",
    help="test shows only combinations of color and shape that train never shows.",
)
@options.seed_option
@click.option(
    "--image-size",
    type=options.Whole(32, 2048),
    default=64,
    metavar="PIXELS",
    help="Width and height of the images.",
)
@click.option(
    "--max-objects",
    type=options.Whole(1, 3),
    default=3,
    help="Most objects in a scene.",
)
@click.option(
    "--alike",
    is_flag=True,
    help="Draw two to four objects of one kind in each scene; captions count them.",
)
@options.output_option
@options.verbosity_options
def scenes(folder: str, num_scenes: int, output: str, **how: Any) -> None:
    """Draw captioned scenes of colored shapes into DIR.

    Reads nothing; writes PNG files into DIR and a record per image to stdout, as soon as its image
    is there. Memory does not grow with -n. Scene number i depends only on i and the flags
    other than -n, so a longer run begins with the scenes of a shorter one.

    \b
    Example:
      hnclip data scenes scenes/ -n 4000 > train.jsonl
      hnclip data scenes scenes/ -n 500 --split test |
        hnclip negatives > test.jsonl
    """
    from hnclip_cli.sources.scenes.records import scene_records

    records = scene_records(folder, num_scenes, **how)
    with console.open_output(output) as out:
        console.write_records(console.progress(records, unit="scene", total=num_scenes), out)
