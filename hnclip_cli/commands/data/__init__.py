"""hnclip data: records from a seed, from official files, from folders and shards of images."""

import click

from hnclip_cli.lazy import LazyGroup

COMMANDS = {
    "scenes": "Draw captioned scenes of colored shapes into DIR.",
    "benchmark": "Turn the official files of a benchmark into records.",
    "captions": "Write a record for each caption of a file or folder in a known format.",
    "images": "Write a record for each image file below DIR and each of its captions.",
    "webdataset": "Write a record for each caption of each sample of tar shards.",
    "half-truths": "Write true parts of captions, and the same parts with a wrong addition.",
    "inpaint": "Make images of negatives by painting into the images of their records.",
    "generate": "Make an image of each negative caption, as TripletCLIP does.",
}


@click.group("data", cls=LazyGroup, package=__name__, table=COMMANDS)
def data() -> None:
    """Make records: draw scenes, read the official files of a benchmark, find images."""
