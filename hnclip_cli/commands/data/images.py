"""hnclip data images."""

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


@click.command("images", cls=options.Command)
@click.argument("folder", metavar="DIR", type=options.PATH)
@click.option(
    "--pattern",
    "patterns",
    multiple=True,
    metavar="GLOB",
    help="Only files that match, such as '*.jpg'; repeatable.  [default: image endings]",
)
@options.caption_lines_option
@options.output_option
@options.run
def images(
    run: Run, folder: str, patterns: tuple[str, ...], caption_lines: bool, output: str
) -> None:
    """Write a record for each image file below DIR and each of its captions.

    Reads names, and opens no image. Records have id and image, sorted by path. NAME.txt beside
    NAME.jpg is its caption. metadata.jsonl or metadata.csv in its folder gives fields to the image
    in file_name. Memory holds one folder's names and metadata. A note counts the files that were
    not read.

    \b
    Example:
      hnclip data images photographs/ |
        hnclip embed --of image --model run/ > images.npy
    """
    from hnclip_cli.sources.folders import folder_records

    records = folder_records(folder, patterns, run.policy, caption_lines=caption_lines)
    if not console.write_records(records, run.create(output)):
        console.note(f"{folder}: no image files")
