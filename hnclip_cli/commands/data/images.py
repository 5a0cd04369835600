"""hnclip data images."""

import click

from hnclip_cli import console, options
from hnclip_cli.commands.data.paths import PATH
from hnclip_cli.errors import ExitCode


@click.command("images")
@click.argument("folder", metavar="DIR", type=PATH)
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
