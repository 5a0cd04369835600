"""hnclip eval."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING, Any

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode

if TYPE_CHECKING:
    from hnclip_cli.evaluation.blind import BlindBaseline
    from hnclip_cli.evaluation.gallery import Gallery


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
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    help="Instead of INPUT, two files of scores of the same records, paired by id.",
)
@click.option("--blind", is_flag=True, help="Beside each accuracy, what text alone achieves.")
@click.option(
    "--blind-model",
    metavar="NAME|DIR",
    help="Text alone by a causal language model (hnclip[lm]), not by trigrams of other captions.",
)
@click.option("--download", is_flag=True, help="Let --blind-model be fetched if it is not there.")
@click.option(
    "--without",
    metavar="F",
    help="Parts that official means leave out, a name a line (such as ARO's symmetric relations).",
)
@click.option("--html", metavar="F", help="Also write one page with charts and failures.")
@options.image_root_option
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
    compare: tuple[str, str] | None,
    blind: bool,
    blind_model: str | None,
    download: bool,
    without: str | None,
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
      hnclip eval --compare before.jsonl after.jsonl
      hnclip eval --image-embeddings i.npy --caption-embeddings c.npy pairs.jsonl
    """
    arrays = [image_embeddings, caption_embeddings]
    if arrays.count(None) == 1:
        raise click.UsageError("--image-embeddings and --caption-embeddings need each other")
    if compare:
        _check_compare(compare, input_, html, arrays, blind or blind_model is not None)
    elif [input_, *arrays].count("-") > 1:
        raise click.UsageError(
            "only one of INPUT, --image-embeddings and --caption-embeddings can be -"
        )
    if html is not None and html in ("-", output):
        raise click.UsageError("--html needs a file of its own")

    from hnclip_cli.evaluation.report import DEFAULT_BY, evaluate
    from hnclip_cli.evaluation.table import format_comparison, format_table
    from hnclip_cli.streams.jsonl import RecordReader
    from hnclip_cli.streams.npy import NpyReader
    from hnclip_cli.streams.records import format_record

    with contextlib.ExitStack() as stack:
        policy = stack.enter_context(console.error_policy(on_error))

        def read(path: str) -> RecordReader:
            return RecordReader(stack.enter_context(console.open_input(path)), path, policy)

        readers = [read(path) for path in compare or [input_]]
        rows = [
            NpyReader(stack.enter_context(console.open_input(path)), path) if path else None
            for path in arrays
        ]
        settings: dict[str, Any] = {
            "by": by or DEFAULT_BY,
            "rounds": bootstrap,
            "seed": seed,
            "without": _names(without),
        }
        out = stack.enter_context(console.open_output(output))
        page = stack.enter_context(console.open_output(html)) if html else None
        gallery = None
        if compare:
            from hnclip_cli.evaluation.compare import compare as compare_records

            report = compare_records(*readers, **settings)
        else:
            if page:
                from hnclip_cli.evaluation.gallery import Gallery

                gallery = Gallery()
            report = evaluate(
                *readers,
                image_embeddings=rows[0],
                caption_embeddings=rows[1],
                blind=_baseline(blind_model, download) if blind or blind_model else None,
                watch=gallery.watch if gallery else None,
                **settings,
            )
        for field in by:
            if field not in report.get("by", {}):
                console.note(f"no measured record has a field {field!r}: no section for it")
        as_table = format_ == "table" or (
            format_ is None and output == "-" and console.wants_table()
        )
        table = format_comparison if compare else format_table
        out.write(table(report).encode() if as_table else format_record(report))
        if page:
            _write_page(page, report, gallery, compare, image_root or _root(compare, input_))
    return policy.exit_code


def _check_compare(
    compare: tuple[str, str],
    input_: str,
    html: str | None,
    arrays: list[str | None],
    blind: bool,
) -> None:
    if input_ != "-" or any(arrays) or blind:
        raise click.UsageError("--compare A B takes no INPUT, embeddings or --blind beside it")
    if compare.count("-") > (0 if html else 1):
        raise click.UsageError(
            "--html reads A and B twice: neither can be -"
            if html
            else "only one of the two files of --compare can be -"
        )


def _names(path: str | None) -> list[str]:
    if path is None:
        return []
    with console.open_input(path) as stream:
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _baseline(name: str | None, download: bool) -> BlindBaseline:
    from hnclip_cli.evaluation.blind import BlindBaseline

    if name is None:
        return BlindBaseline()
    from hnclip_cli.models.causal import CausalModel

    model = CausalModel(name, download=download)
    return BlindBaseline(model.log_probabilities, name)


def _root(compare: tuple[str, str] | None, input_: str) -> str:
    from hnclip_cli.streams.images import default_image_root

    return default_image_root(compare[1] if compare else input_)


def _write_page(
    page: IO[bytes],
    report: dict[str, Any],
    gallery: Gallery | None,
    compare: tuple[str, str] | None,
    image_root: str,
) -> None:
    from hnclip_cli.evaluation.gallery import Thumbnails, flips
    from hnclip_cli.evaluation.html import format_html
    from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader

    if compare:
        with contextlib.ExitStack() as stack:
            again = [
                # What is bad was complained about when it was read first.
                RecordReader(stack.enter_context(console.open_input(p)), p, ErrorPolicy("skip"))
                for p in compare
            ]
            failures = flips(report["flipped"], *again)
        flipped = report["flipped"].values()
        count = len({name for flip in flipped for ids in flip.values() for name in ids})
    else:
        assert gallery is not None
        failures, count = gallery.failures(), gallery.num_failures
    thumbnails = Thumbnails(image_root)
    page.write(format_html(report, failures, thumbnails, count).encode())
    if missing := thumbnails.num_missing:
        plural = "" if missing == 1 else "s"
        console.note(f"{missing} picture{plural} left out: {thumbnails.first_error}")
