"""hnclip compare."""

import itertools
import re
from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


def _read_pattern(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> re.Pattern[str] | None:
    """A regular expression with a group."""
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise click.BadParameter(f"{text!r} is no regular expression: {error}") from None
    if not pattern.groups:
        raise click.BadParameter(f"{text!r} has no group; try '(.+)-seed[0-9]+'")
    return pattern


@click.command("compare", cls=options.Command)
@click.argument("runs", nargs=-1, required=True, metavar="A B [C…]", type=options.READ)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="Name of a model in the table, once per file.  [default: the file's]",
)
@click.option(
    "--group-by",
    metavar="REGEX",
    callback=_read_pattern,
    help="Files are seeds of one model if the part of their names in (…) is the same; the table "
    "has their mean and deviation.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="KEY",
    help="Only numbers with this key, such as 'sugarcrepe.*'; repeatable.",
)
@click.option("--transpose", is_flag=True, help="One row per model.")
@options.report_options(
    click.option(
        "--format",
        "format_",
        type=options.Choice(["json", "table", "markdown", "latex", "csv", "html"]),
        help="[default: table on a terminal, else json]",
    )
)
@options.run
def compare(
    run: Run, runs: tuple[str, ...], names: tuple[str, ...], group_by: re.Pattern[str] | None,
    only: tuple[str, ...], transpose: bool, by: tuple[str, ...], format_: str | None, output: str,
    html: str | None, image_root: str | None, **settings: Any,
) -> None:  # fmt: skip
    """Compare models on the same records: one table of any number of them.

    Reads scored files, paired by id, or reports of eval. For two scored files the report has each
    number with its change and interval, and the records that flipped. For more files it is one
    table: the best number is bold, seeds have mean ± deviation, and a star marks a model that
    differs from the first one (paired bootstrap, Holm's correction). Reports of eval hold no items,
    so they get no stars.

    Memory: less than 1 kB per record and file.

    \b
    Example:
      hnclip compare before.jsonl after.jsonl
      hnclip compare before.jsonl after.jsonl --html compare.html --format table
      hnclip compare clip.jsonl negclip.jsonl ce-clip.jsonl \\
        --format latex --only 'sugarcrepe.*'
      hnclip compare clip-s*.jsonl ce-clip-s*.jsonl \\
        --group-by '(.+)-s[0-9]+' --format markdown
    """
    if len(runs) < 2:
        raise click.UsageError("nothing to compare with; it takes two or more files")
    if html and (len(runs) > 2 or "-" in runs):
        raise click.UsageError("--html takes two files, and reads them twice: neither can be -")
    if names and len(names) != len(runs):
        raise click.UsageError(f"--name is given {len(names)} times, for {len(runs)} files")

    from hnclip_cli.evaluation.compare import compare as compare_runs
    from hnclip_cli.evaluation.layouts import LAYOUTS
    from hnclip_cli.evaluation.report import DEFAULT_BY
    from hnclip_cli.evaluation.table import format_comparison
    from hnclip_cli.evaluation.tabulate import tabulate
    from hnclip_cli.streams.records import format_record

    out = run.create(output)
    page = run.create(html) if html else None
    settings |= {"by": by or DEFAULT_BY, "policy": run.policy}
    scored: list[Any] = [_scored(run, path) for path in runs]
    how = options.how_run(dict.fromkeys(runs, ""))
    layout = "table" if console.as_table(format_, output) else format_ or "json"
    is_table = names or group_by or only or transpose or layout not in ("json", "table")
    if len(runs) > 2 or is_table or any(isinstance(one, dict) for one in scored):
        if page:
            raise click.UsageError(
                "--html is for two scored files, without options of the table of models"
            )
        sources = names or _short_names(runs)
        models = None
        if group_by:
            models = [_model(group_by, *of) for of in zip(runs, sources, strict=True)]
        report = tabulate(scored, names=sources, models=models, only=only, **settings)
        report |= {"run": how, "skipped": run.policy.num_skipped}
        text = LAYOUTS[layout](report, transpose).encode() if layout != "json" else b""
        out.write(text or format_record(report))
        return
    report = compare_runs(scored, names=runs, **settings)
    report |= {"run": how, "skipped": run.policy.num_skipped}
    options.note_unmeasured(by, report)
    out.write(format_comparison(report).encode() if layout == "table" else format_record(report))
    if page:
        page.write(_page(run, runs, report, image_root))


def _scored(run: Run, path: str) -> Any:
    """The scored records of a file, or the report that it holds."""
    records = run.read(path)
    stream = iter(records)
    first = next(stream, None)
    if first is not None and {"bootstrap", "ties", "records"} <= first.keys():
        return dict(first)
    return _Named(path, itertools.chain([] if first is None else [first], stream))


class _Named(itertools.chain[Any]):
    """Records that know the name of their file."""

    source: str

    def __new__(cls, source: str, records: Any) -> "_Named":
        named = super().__new__(cls, records)
        named.source = source
        return named


def _short_names(paths: tuple[str, ...]) -> tuple[str, ...]:
    """The files' names without folder and endings, or as they are where two would be the same."""
    ending = re.compile(r"(\.scored)?(\.jsonl?)?(\.gz)?$")
    short = tuple(ending.sub("", path.rpartition("/")[2]) for path in paths)
    return short if len(set(short)) == len(paths) and all(short) else paths


def _model(group_by: re.Pattern[str], path: str, name: str) -> str:
    """Which model a file is of."""
    found = group_by.search(path if name in path else name)
    if not found:
        return name
    matched = " ".join(filter(None, found.groups()))
    return matched.rpartition("/")[2] or name


def _page(run: Run, paths: tuple[str, ...], report: dict[str, Any], root: str | None) -> bytes:
    """The page with what two models judge differently."""
    from hnclip_cli.evaluation.gallery import flips
    from hnclip_cli.evaluation.pages.report import format_html
    from hnclip_cli.streams.images import default_image_root
    from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader

    # What is bad was complained about when it was read first.
    streams = [run.enter_context(console.open_input(path)) for path in paths]
    again = [RecordReader(*of, ErrorPolicy("skip")) for of in zip(streams, paths, strict=True)]
    found = flips(report["flipped"], *again)
    root = root or default_image_root(paths[1])
    return format_html(report, *found, root, console.note).encode()
