"""hnclip data webdataset."""

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


@click.command("webdataset", cls=options.Command)
@click.argument("shards", nargs=-1, required=True, metavar="SHARD…", type=options.PATH)
@options.caption_lines_option
@click.option(
    "--every-image",
    is_flag=True,
    help="Write records of each image of a sample, as one group.  [default: of the first image]",
)
@options.output_option
@options.run
def webdataset(
    run: Run, shards: tuple[str, ...], caption_lines: bool, every_image: bool, output: str
) -> None:
    """Write a record for each caption of each sample of tar shards.

    Reads the names and texts in plain tar files, in the order given. Braces name several files:
    'shard-{000..009}.tar'. Images stay in the shard: a record names one as SHARD::MEMBER, and
    embed, score and train read it there. Memory holds the keys of one shard. A note counts the
    members that were not read.

    \b
    Example:
      hnclip data webdataset 'shard-{000..009}.tar' |
        hnclip negatives --units > train.jsonl
      hnclip train --model hnclip-tiny --steps 20 -o run/ train.jsonl > log.jsonl
    """
    from hnclip_cli.sources.shards import shard_records

    records = shard_records(
        shards, run.policy, caption_lines=caption_lines, every_image=every_image
    )
    console.write_records(records, run.create(output))
