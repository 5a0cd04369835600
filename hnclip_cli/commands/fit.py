"""hnclip fit: a model of what goes with what, from captions."""

import click

from hnclip_cli import options
from hnclip_cli.console import Run
from hnclip_cli.streams.jsonl import Shard


@click.command("fit")
@options.input_argument
@options.output_option
@options.shard_option
@options.run
def fit(run: Run, input_: str, output: str, shard: Shard | None) -> None:
    """Fit a model of which words go together, for negatives --fitted.

    Reads records with "caption", writes one JSON file with the counts of their word trigrams.
    Memory grows with the trigrams up to 1 GB; then those seen once are forgotten.

    \b
    Example:
      hnclip fit caps.jsonl -o fitted.json
      hnclip negatives --fitted fitted.json caps.jsonl > hard.jsonl
    """
    from hnclip_cli.negatives.choosing.fluency import fit

    fitted = fit(run.read(input_, shard), policy=run.policy)
    fitted.save(run.create(output))
