"""hnclip compare."""

import contextlib

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="A B [C…]")
@options.report_options
def compare(
    runs: tuple[str, ...],
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
    if runs.count("-") > 1:
        raise click.UsageError("only one of the files can be -")
    options.check_page(html, output)

    from hnclip_cli.evaluation.compare import compare as compare_runs
    from hnclip_cli.evaluation.gallery import flips
    from hnclip_cli.evaluation.html import format_html
    from hnclip_cli.evaluation.report import DEFAULT_BY
    from hnclip_cli.evaluation.table import format_comparison
    from hnclip_cli.streams.images import default_image_root
    from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
    from hnclip_cli.streams.records import format_record

    with contextlib.ExitStack() as stack:
        policy = stack.enter_context(console.error_policy(on_error))

        def read(path: str, policy: ErrorPolicy = policy) -> RecordReader:
            return RecordReader(stack.enter_context(console.open_input(path)), path, policy)

        out = stack.enter_context(console.open_output(output))
        page = stack.enter_context(console.open_output(html)) if html else None
        report = compare_runs(
            [read(path) for path in runs],
            by=by or DEFAULT_BY,
            rounds=bootstrap,
            seed=seed,
            without=without,
            policy=policy,
        )
        for field in (field for field in by if field not in report.get("by", {})):
            console.note(f"no measured record has a field {field!r}: no section for it")
        as_table = console.as_table(format_, output)
        out.write(format_comparison(report).encode() if as_table else format_record(report))
        if page:
            # What is bad was complained about when it was read first.
            again = [read(path, ErrorPolicy("skip")) for path in runs]
            root = image_root or default_image_root(runs[1])
            found = flips(report["flipped"], *again)
            page.write(format_html(report, *found, root, console.note).encode())
    return policy.exit_code
