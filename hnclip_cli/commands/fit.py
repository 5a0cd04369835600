"""hnclip fit: a model of what goes with what, from captions."""

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import Shard


@click.command("fit")
@options.input_argument
@options.output_option
@options.shard_option
@options.on_error_option
@options.verbosity_options
def fit(input_: str, output: str, shard: Shard | None, on_error: str) -> ExitCode:
    """Fit a model of which words go together, for negatives --fitted.

    Reads records with "caption", writes one JSON file with the counts of their word trigrams.
    Memory grows with the trigrams up to 1 GB; then those seen once are forgotten.

    \b
    Example:
      hnclip fit caps.jsonl -o fitted.json
      hnclip negatives --fitted fitted.json caps.jsonl > hard.jsonl
    """
    from hnclip_cli.negatives.choosing.fluency import fit
    from hnclip_cli.streams.jsonl import RecordReader

    with console.error_policy(on_error) as policy:
        with console.open_input(input_) as stream:
            fitted = fit(RecordReader(stream, input_, policy, shard), policy=policy)
        with console.open_output(output) as out:
            fitted.save(out)
    return policy.exit_code
