"""hnclip compare."""

from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


@click.command("compare", cls=options.Command)
@click.argument("runs", nargs=-1, required=True, metavar="A B [C…]", type=options.READ)
@options.report_options
@options.run
def compare(
    run: Run, runs: tuple[str, ...], by: tuple[str, ...], format_: str | None, output: str,
    html: str | None, image_root: str | None, **settings: Any,
) -> None:  # fmt: skip
    """Compare models on the same records: each number, and its change from the first.

    Reads two or more files of scores of the same records, paired by id, and writes one report.
    Intervals are of the differences, from paired rounds. With more than two files the table marks
    the differences whose interval is clear of zero; --html takes two.

    Memory: less than 1 kB a record and file.

    \b
    Example:
      hnclip compare before.jsonl after.jsonl
      hnclip compare before.jsonl after.jsonl --html compare.html --format table
      hnclip compare clip.jsonl negclip.jsonl ce-clip.jsonl --by subset
    """
    if len(runs) < 2:
        raise click.UsageError("nothing to compare with; it takes two or more files")
    if html and (len(runs) > 2 or "-" in runs):
        raise click.UsageError("--html takes two files, and reads them twice: neither can be -")

    from hnclip_cli.evaluation.compare import compare as compare_runs
    from hnclip_cli.evaluation.gallery import flips
    from hnclip_cli.evaluation.html import format_html
    from hnclip_cli.evaluation.report import DEFAULT_BY
    from hnclip_cli.evaluation.table import format_comparison
    from hnclip_cli.streams.images import default_image_root
    from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
    from hnclip_cli.streams.records import format_record

    out = run.create(output)
    page = run.create(html) if html else None
    report = compare_runs(
        [run.read(path) for path in runs], by=by or DEFAULT_BY, policy=run.policy, **settings
    )
    options.note_unmeasured(by, report)
    as_table = console.as_table(format_, output)
    out.write(format_comparison(report).encode() if as_table else format_record(report))
    if page:
        # What is bad was complained about when it was read first.
        streams = [run.enter_context(console.open_input(path)) for path in runs]
        again = [RecordReader(*of, ErrorPolicy("skip")) for of in zip(streams, runs, strict=True)]
        root = image_root or default_image_root(runs[1])
        found = flips(report["flipped"], *again)
        page.write(format_html(report, *found, root, console.note).encode())
