"""hnclip fit: count which words occur together in captions."""

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
    """Count which words occur together in captions, for negatives --fitted.

    Reads records with "caption" and writes one JSON file: how often who does what, what is done to
    what, what is where, and which words occur in one caption. The built-in file is fitted from
    captions of COCO. With a file from captions like yours, negatives are more plausible. Memory
    grows with the number of different word pairs, up to 1 GB; then pairs seen once are dropped.

    \b
    Example:
      hnclip fit caps.jsonl -o fitted.json
      hnclip negatives --fitted fitted.json caps.jsonl > hard.jsonl
    """
    from hnclip_cli.negatives.fitting import fit

    fitted = fit(run.read(input_, shard), policy=run.policy)
    fitted.save(run.create(output))
