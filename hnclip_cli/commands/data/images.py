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
    help="Only such files: '*.jpg', 'train/*/*.png'; may be repeated.  [default: image endings]",
)
@options.caption_lines_option
@options.output_option
@options.run
def images(
    run: Run, folder: str, patterns: tuple[str, ...], caption_lines: bool, output: str
) -> None:
    """Write a record for each image file below DIR and each of its captions.

    Reads names, no images. Records have id and image, sorted by path, and where there are any a
    caption from NAME.txt beside NAME.jpg, or the fields of metadata.jsonl or .csv in its folder,
    where file_name says which image a line is about. Memory holds one folder's names and metadata.
    What is not read is counted at the end.

    \b
    Example:
      hnclip data images photographs/ |
        hnclip embed --of image --model run/ > images.npy
    """
    from hnclip_cli.sources.folders import folder_records

    records = folder_records(folder, patterns, run.policy, caption_lines=caption_lines)
    if not console.write_records(records, run.create(output)):
        console.note(f"{folder}: no image files")
