"""hnclip eval."""

import contextlib

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode


@click.command("eval")
@options.input_argument
@click.option(
    "--embeddings",
    nargs=2,
    metavar="IMAGES CAPTIONS",
    help="Measure retrieval too: two NPY files, row i the image and the caption of record i.",
)
@click.option(
    "--blind",
    is_flag=True,
    help="Beside each accuracy, what text alone achieves: by trigrams of the other captions.",
)
@click.option(
    "--blind-model",
    metavar="NAME|DIR",
    help="The same by a causal language model that is there (hnclip[lm]).",
)
@options.report_options
def eval_(
    input_: str,
    embeddings: tuple[str, str] | None,
    blind: bool,
    blind_model: str | None,
    by: tuple[str, ...],
    bootstrap: int,
    seed: int,
    without: list[str],
    format_: str | None,
    output: str,
    html: str | None,
    image_root: str | None,
    on_error: str,
) -> ExitCode:
    """Measure scored records: accuracy, matching, retrieval, each with its interval.

    Reads records with scores (hnclip score adds them) and writes one report. With embeddings of
    images and captions it measures retrieval too, and scores may be missing. A tie counts as
    wrong. docs/eval.md defines every number, and names the official score of each benchmark.

    The report comes when the input ends; only ties in retrieval depend on the order of the records.
    Memory: less than 1 kB a record, and the embeddings.

    \b
    Example:
      hnclip score --model run/ sugarcrepe.jsonl | hnclip eval
      hnclip eval --by benchmark --format table scored.jsonl
      hnclip eval --blind --html report.html scored.jsonl -o report.json
      hnclip eval --embeddings images.npy captions.npy pairs.jsonl
    """
    if [input_, *(embeddings or ())].count("-") > 1:
        raise click.UsageError("only one of INPUT and the two arrays can be -")
    options.check_page(html, output)

    from hnclip_cli.evaluation.gallery import Gallery
    from hnclip_cli.evaluation.html import format_html
    from hnclip_cli.evaluation.report import DEFAULT_BY, evaluate
    from hnclip_cli.evaluation.table import format_table
    from hnclip_cli.streams.images import default_image_root
    from hnclip_cli.streams.jsonl import RecordReader
    from hnclip_cli.streams.npy import Rows
    from hnclip_cli.streams.records import format_record

    with contextlib.ExitStack() as stack:
        policy = stack.enter_context(console.error_policy(on_error))
        records = RecordReader(stack.enter_context(console.open_input(input_)), input_, policy)
        images, captions = (
            Rows.from_npy(stack.enter_context(console.open_input(path)), path) if path else None
            for path in embeddings or (None, None)
        )
        out = stack.enter_context(console.open_output(output))
        page = stack.enter_context(console.open_output(html)) if html else None
        gallery = Gallery() if page else None
        report = evaluate(
            records,
            by=by or DEFAULT_BY,
            image_embeddings=images,
            caption_embeddings=captions,
            rounds=bootstrap,
            seed=seed,
            without=without,
            blind=blind_model or ("trigrams" if blind else None),
            watch=gallery.watch if gallery else None,
            policy=policy,
        )
        for field in (field for field in by if field not in report.get("by", {})):
            console.note(f"no measured record has a field {field!r}: no section for it")
        as_table = console.as_table(format_, output)
        out.write(format_table(report).encode() if as_table else format_record(report))
        if page and gallery:
            root = image_root or default_image_root(input_)
            found = gallery.failures(), gallery.num_failures
            page.write(format_html(report, *found, root, console.note).encode())
    return policy.exit_code
