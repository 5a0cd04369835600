"""hnclip eval."""

import contextlib

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode


@click.command("eval")
@options.input_argument
@options.output_option
@click.option(
    "--by",
    multiple=True,
    metavar="FIELD",
    help="Break the measures down by a field, repeatable.  [default: kind, benchmark, subset]",
)
@click.option("--image-embeddings", metavar="F", help="NPY, row i the image of record i.")
@click.option("--caption-embeddings", metavar="F", help="NPY, row i the caption of record i.")
@click.option(
    "--bootstrap",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    metavar="N",
    help="Rounds behind each interval; 0 gives none.",
)
@options.seed_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["json", "table"]),
    help="[default: table on a terminal, else json]",
)
@options.on_error_option
@options.verbosity_options
def eval_(
    input_: str,
    output: str,
    by: tuple[str, ...],
    image_embeddings: str | None,
    caption_embeddings: str | None,
    bootstrap: int,
    seed: int,
    format_: str | None,
    on_error: str,
) -> ExitCode:
    """Measure scored records: accuracy, matching, retrieval, each with its interval.

    Reads records with scores (hnclip score adds them) and writes one report. With embeddings of
    images and captions it measures retrieval too, and scores may be missing. A tie counts as
    wrong. docs/eval.md defines every number.

    The report comes when the input ends; only ties in retrieval depend on the order of the records.
    Memory: less than 1 kB a record, and the embeddings.

    \b
    Example:
      hnclip score --model run/ sugarcrepe.jsonl | hnclip eval
      hnclip eval --by benchmark --format table scored.jsonl
      hnclip eval --image-embeddings i.npy --caption-embeddings c.npy pairs.jsonl
    """
    if (image_embeddings is None) != (caption_embeddings is None):
        raise click.UsageError("--image-embeddings and --caption-embeddings need each other")
    if [input_, image_embeddings, caption_embeddings].count("-") > 1:
        raise click.UsageError(
            "only one of INPUT, --image-embeddings and --caption-embeddings can be -"
        )

    from hnclip_cli.evaluation.report import DEFAULT_BY, evaluate
    from hnclip_cli.evaluation.table import format_table
    from hnclip_cli.streams.jsonl import RecordReader
    from hnclip_cli.streams.npy import NpyReader
    from hnclip_cli.streams.records import format_record

    with contextlib.ExitStack() as stack:
        policy = stack.enter_context(console.error_policy(on_error))
        stream = stack.enter_context(console.open_input(input_))
        arrays = [
            NpyReader(stack.enter_context(console.open_input(path)), path) if path else None
            for path in (image_embeddings, caption_embeddings)
        ]
        out = stack.enter_context(console.open_output(output))
        report = evaluate(
            RecordReader(stream, input_, policy),
            by=by or DEFAULT_BY,
            image_embeddings=arrays[0],
            caption_embeddings=arrays[1],
            rounds=bootstrap,
            seed=seed,
        )
        for field in by:
            if field not in report.get("by", {}):
                console.note(f"no measured record has a field {field!r}: no section for it")
        as_table = format_ == "table" or (
            format_ is None and output == "-" and console.wants_table()
        )
        out.write(format_table(report).encode() if as_table else format_record(report))
    return policy.exit_code
