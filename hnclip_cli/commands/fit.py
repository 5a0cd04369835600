"""hnclip fit: a model of what goes with what, from captions."""

import click

from hnclip_cli import options
from hnclip_cli.console import Run
from hnclip_cli.streams.jsonl import Shard


@click.command("fit", cls=options.Command)
@options.input_argument
@options.output_option
@options.shard_option
@options.key_options
@options.run
def fit(run: Run, input_: str, output: str, shard: Shard | None) -> None:
    """Fit a model of what goes with what, for negatives --fitted.

    Reads records with "caption" and writes one JSON file: how often who does what, what is done to
    what, what is where, and which words occur in one caption. The built-in model is fitted from
    captions of COCO; one fitted from captions like yours makes negatives that fit them better.
    Memory grows with the different pairs of words, up to 1 GB; then those seen once are forgotten.

    \b
    Example:
      hnclip fit caps.jsonl -o fitted.json
      hnclip negatives --fitted fitted.json caps.jsonl > hard.jsonl
    """
    from hnclip_cli.negatives.fitting import fit

    fitted = fit(run.read(input_, shard), policy=run.policy)
    fitted.save(run.create(output))
