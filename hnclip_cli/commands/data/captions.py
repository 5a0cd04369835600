"""hnclip data captions."""

import itertools
from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


@click.command("captions", cls=options.Command)
@click.argument("path", metavar="PATH", type=options.PATH)
@click.option(
    "--images",
    metavar="DIR",
    type=options.PATH,
    help="Folder of the images; it must have each image.",
)
@click.option(
    "--format",
    "format_",
    type=options.TableName(
        "format",
        "hnclip_cli.sources.caption_files.formats:FORMATS",
        describe=lambda name, table: table[name].what,
    ),
    help="Format of PATH, see below.  [default: found from its content]",
)
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME",
    help="Only this split: train, restval, val, test; repeatable.",
)
@click.option("--caption-key", metavar="NAME", help="The field or column with the captions.")
@click.option("--image-key", metavar="NAME", help="The field or column with the image.")
@click.option(
    "--save-images",
    metavar="DIR",
    type=options.PATH,
    help="Write images that lie inside of parquet or Arrow files into DIR.",
)
@options.caption_lines_option
@click.option("--limit", type=options.Whole(1), metavar="N", help="Stop after N records.")
@click.option("--sample", type=options.Whole(1), metavar="N", help="N records, drawn by --seed.")
@options.seed_option
@options.output_option
@options.run
def captions(
    run: Run, path: str, format_: str | None, limit: int | None, sample: int | None, seed: int,
    output: str, splits: tuple[str, ...], **how: Any,
) -> None:  # fmt: skip
    """Write a record for each caption of a file or folder in a known format.

    Reads names and texts, no images; the content of PATH tells the format. Captions of one image
    are records with the same image, which train treats as one group. Memory does not grow, except
    for the names of COCO's images.

    \b
    Example:
      hnclip data captions captions_train2017.json --images train2017/ |
        hnclip negatives --units > train.jsonl
      hnclip data captions dataset_coco.json --images coco/ --split train
      hnclip data captions mine.jsonl --caption-key description --image-key photo
    """
    if how["images"] and how["save_images"]:
        raise click.UsageError("--images and --save-images are not for the same file")
    from hnclip_cli.sources.caption_files import caption_records, sampled

    records = caption_records(
        path, format=format_, splits=splits, policy=run.policy, note=console.note, **how
    )
    read = console.progress(records, unit="caption")
    chosen = read if sample is None else sampled(read, sample, seed)
    console.write_records(itertools.islice(chosen, limit), run.create(output), at_once=64)
