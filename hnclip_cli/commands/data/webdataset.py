"""hnclip data webdataset."""

import click

from hnclip_cli import console, options
from hnclip_cli.commands.data.paths import PATH
from hnclip_cli.errors import ExitCode


@click.command("webdataset")
@click.argument("shards", nargs=-1, required=True, metavar="SHARD…", type=PATH)
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
