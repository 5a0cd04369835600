"""hnclip mine: nearest captions or images as negatives."""

from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run

# fmt: off
_options = options.together(
    click.option("--of", type=click.Choice(["caption", "image"]), default="caption",

        help='What to add: captions to "negatives", or images as "negative_images".'),
    click.option("--queries", metavar="NPY", type=options.READ,
        help="Embeddings to compare those of NPY with, for captions near to an image, for"
        " example.  [default: NPY]"),
    click.option("-k", type=options.Whole(1), default=3,
        help="How many to add to a record."),
    click.option("--margin", type=options.Number(0, 2), metavar="X",
        help="Only what is at least X less similar than the record's own pair."),
    click.option("--relative-margin", type=options.Number(0, 2), metavar="X",
        help="The same, X being a part of the similarity of the record's own pair, as 0.05."),
)
# fmt: on


@click.command("mine", cls=options.Command)
@click.argument("embeddings", metavar="NPY", type=options.READ)
@options.input_argument
@options.output_option
@_options
@options.shard_option
@options.run
def mine(run: Run, embeddings: str, input_: str, output: str, **how: Any) -> None:
    """Add the nearest captions or images of other groups as negatives.

    Reads records with "image" and "caption", and NPY, whose row i embeds record i. Writes the
    records in order with what lies nearest; how many got fewer than -k is said on stderr. The
    whole input is read first, into a temporary file: memory holds a few numbers of each record.

    \b
    Example:
      hnclip embed --of image --model run/ caps.jsonl -o images.npy
      hnclip mine images.npy --of image < caps.jsonl > with-images.jsonl
    """
    from hnclip_cli.negatives.mining import mine

    records, out = run.read(input_), run.create(output)
    mined = mine(records, embeddings, policy=run.policy, **how)
    console.write_records(mined, out)
    console.note(*mined.summary())
