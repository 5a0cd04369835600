"""hnclip mine: nearest captions or images as negatives."""

from typing import Literal

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import Shard

# fmt: off
_options = options.together(
    click.option("--of", type=click.Choice(["caption", "image"]), default="caption",
        show_default=True,
        help='What to add: captions to "negatives", or images as "negative_images".'),
    click.option("--queries", metavar="NPY",
        help="Embeddings to compare those of NPY with, for captions near to an image, for"
        " example.  [default: NPY]"),
    click.option("-k", type=click.IntRange(min=1), default=3, show_default=True,
        help="How many to add to a record."),
    click.option("--margin", type=click.FloatRange(min=0), metavar="X",
        help="Only what is at least X less similar than the record's own pair."),
    click.option("--relative-margin", type=click.FloatRange(min=0), metavar="X",
        help="The same, X being a part of the similarity of the record's own pair, as 0.05."),
)
# fmt: on


@click.command("mine")
@click.argument("embeddings", metavar="NPY")
@options.input_argument
@options.output_option
@_options
@options.shard_option
@options.on_error_option
@options.verbosity_options
def mine(
    embeddings: str, input_: str, output: str, of: Literal["caption", "image"],
    queries: str | None, k: int, margin: float | None, relative_margin: float | None,
    shard: Shard | None, on_error: str,
) -> ExitCode:  # fmt: skip
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
    from hnclip_cli.streams.jsonl import RecordReader

    with console.error_policy(on_error) as policy:
        with console.open_input(input_) as stream, console.open_output(output) as out:
            mined = mine(
                RecordReader(stream, input_, policy), embeddings, of=of, queries=queries, k=k,
                margin=margin, relative_margin=relative_margin, shard=shard, policy=policy,
            )  # fmt: skip
            console.write_records(mined, out)
        for line in mined.summary():
            console.note(line)
    return policy.exit_code
