"""hnclip data: records from a seed, from official files, from folders and shards of images."""

import click

from hnclip_cli.lazy import LazyGroup

COMMANDS = {
    "scenes": (
        "hnclip_cli.commands.data.scenes:scenes",
        "Draw captioned scenes of colored shapes into DIR.",
    ),
    "benchmark": (
        "hnclip_cli.commands.data.benchmark:benchmark",
        "Turn the official files of a benchmark into records.",
    ),
    "images": (
        "hnclip_cli.commands.data.images:images",
        "Write a record for each image file below DIR.",
    ),
    "webdataset": (
        "hnclip_cli.commands.data.webdataset:webdataset",
        "Write a record for each sample of tar shards.",
    ),
}


@click.group("data", cls=LazyGroup, table=COMMANDS)
def data() -> None:
    """Make records: draw scenes, read the official files of a benchmark, find images."""
