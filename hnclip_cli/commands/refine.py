"""hnclip refine: drop the negatives that the text alone gives away."""

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode


@click.command("refine")
@options.input_argument
@options.output_option
@options.seed_option
@options.on_error_option
@options.verbosity_options
def refine(input_: str, output: str, seed: int, on_error: str) -> ExitCode:
    """Drop the negatives that the text alone gives away.

    Reads records with "negatives", writes them with those that a scorer of text cannot tell from
    their captions; what it kept is said on stderr. Order and number of records stay. The whole
    input is read first, into a temporary file: memory holds a trigram model and a few numbers for
    each negative.

    \b
    Example:
      hnclip negatives caps.jsonl | hnclip refine > hard.jsonl
    """
    from hnclip_cli.negatives.refine import refine
    from hnclip_cli.streams.jsonl import RecordReader

    with console.error_policy(on_error) as policy:
        with console.open_input(input_) as stream, console.open_output(output) as out:
            refined = refine(RecordReader(stream, input_, policy), seed=seed, policy=policy)
            console.write_records(refined, out)
        for line in refined.summary():
            console.note(line)
    return policy.exit_code
