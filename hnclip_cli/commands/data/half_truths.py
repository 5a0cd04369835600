"""hnclip data half-truths."""

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


@click.command("half-truths", cls=options.Command)
@options.input_argument
@options.output_option
@options.run
def half_truths(run: Run, input_: str, output: str) -> None:
    """Write true parts of captions, and the same parts with a wrong addition.

    Reads records with "negatives", and writes an item for each negative that has a half-truth:
    captions F (the whole caption), A (a true part of it) and H (that part with a wrong addition),
    in order. eval then counts s(A) > s(H) and s(F) > s(A) > s(H), of entities and of relations.
    Memory does not grow.

    \b
    Example:
      hnclip data scenes scenes/ -n 500 --split test | hnclip negatives |
        hnclip data half-truths | hnclip score --model run/ | hnclip eval
    """
    from hnclip_cli.negatives.half_truths import half_truths

    records, out = run.read(input_), run.create(output)
    console.write_records(half_truths(records, policy=run.policy, note=console.note), out)
