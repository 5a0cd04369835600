"""hnclip eval."""

from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


@click.command("eval", cls=options.Command)
@options.input_argument
@click.option(
    "--embeddings",
    nargs=2,
    metavar="IMAGES CAPTIONS",
    type=options.READ,
    help="Measure retrieval too: two NPY files, row i the image and the caption of record i.",
)
@click.option(
    "--blind",
    is_flag=True,
    help="Also show each accuracy of a trigram model, which sees only the text.",
)
@click.option(
    "--blind-model",
    metavar="NAME|DIR",
    help="The same with a causal language model on this machine (hnclip[lm]).",
)
@options.report_options(options.format_option)
@options.run
def eval_(
    run: Run, input_: str, embeddings: tuple[str, str] | None, blind: bool, blind_model: str | None,
    by: tuple[str, ...], format_: str | None, output: str, html: str | None,
    image_root: str | None, **settings: Any,
) -> None:  # fmt: skip
    """Measure scored records: accuracy, matching, retrieval, each with its interval.

    Reads records with scores (hnclip score adds them) and writes one report. With embeddings of
    images and captions it measures retrieval too, and scores may be missing. A tie counts as
    wrong. docs/metrics.md defines every number.

    The report comes when the input ends; only ties in retrieval depend on the order of the records.
    Memory: less than 1 kB per record, and the embeddings.

    \b
    Example:
      hnclip score --model run/ sugarcrepe.jsonl | hnclip eval
      hnclip eval --by benchmark --format table scored.jsonl
      hnclip eval --blind --html report.html scored.jsonl -o report.json
      hnclip eval --embeddings images.npy captions.npy pairs.jsonl
    """

    from hnclip_cli.evaluation.gallery import Gallery
    from hnclip_cli.evaluation.pages.report import format_html
    from hnclip_cli.evaluation.report import DEFAULT_BY, evaluate
    from hnclip_cli.evaluation.table import format_table
    from hnclip_cli.streams.images import default_image_root
    from hnclip_cli.streams.records import format_record

    (records, read), out = run.read_hashed(input_), run.create(output)
    images, captions = map(run.rows, embeddings) if embeddings else (None, None)
    page = run.create(html) if html else None
    gallery = Gallery()
    report = evaluate(
        records,
        by=by or DEFAULT_BY,
        image_embeddings=images,
        caption_embeddings=captions,
        blind=blind_model or ("trigrams" if blind else None),
        watch=gallery.watch if page else None,
        policy=run.policy,
        **settings,
    )
    report["run"] |= options.how_run(
        {input_: read.hexdigest()} | dict.fromkeys(embeddings or (), "")
    )
    if "models" in report["run"]:
        console.note(f"{input_}: the records were scored by {len(report['run']['models'])} models")
    options.note_unmeasured(by, report)
    as_table = console.as_table(format_, output)
    out.write(format_table(report).encode() if as_table else format_record(report))
    if page:
        root = image_root or default_image_root(input_)
        found = gallery.failures(), gallery.num_failures
        page.write(format_html(report, *found, root, console.note).encode())
