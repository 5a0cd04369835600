"""hnclip data scenes."""

import click

from hnclip_cli import console, options
from hnclip_cli.commands.data.paths import PATH


@click.command("scenes")
@click.argument("folder", metavar="DIR", type=PATH)
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
