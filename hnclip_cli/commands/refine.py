"""hnclip refine: drop negatives that a text model recognizes without the image."""

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


@click.command("refine", cls=options.Command)
@options.input_argument
@options.output_option
@options.seed_option
@options.run
def refine(run: Run, input_: str, output: str, seed: int) -> None:
    """Drop negatives that a text model recognizes without the image.

    Reads records with "negatives", and keeps the negatives that text models cannot tell from their
    captions. A note says how many. Order and number of records stay. The whole input is read first,
    into a temporary file: memory holds a trigram model and about 150 bytes for each negative.

    \b
    Example:
      hnclip negatives caps.jsonl | hnclip refine > hard.jsonl
    """
    from hnclip_cli.negatives.refine import refine

    records, out = run.read(input_), run.create(output)
    refined = refine(records, seed=seed, policy=run.policy)
    console.write_records(refined, out)
    console.note(*refined.summary())
