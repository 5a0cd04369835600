"""hnclip search."""

from contextlib import ExitStack

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import RecordReader, Shard
from hnclip_cli.streams.records import RowsOf

_OF: dict[str, RowsOf] = {"text": "caption", "image": "image"}


@click.command("search")
@click.argument("queries", metavar="QUERIES")
@click.argument("gallery", metavar="GALLERY")
@options.output_option
@click.option(
    "-k",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="How many rows to find for each query.",
)
@click.option(
    "--records",
    metavar="FILE",
    help="The records that both arrays were made from; they come out with what was found.",
)
@click.option(
    "--direction",
    type=click.Choice([f"{one}-to-{other}" for one in _OF for other in _OF]),
    default="text-to-image",
    show_default=True,
    help="What of the records QUERIES and GALLERY are.",
)
@options.shard_option
@options.on_error_option
@options.verbosity_options
def search(
    queries: str, gallery: str, output: str, k: int, records: str | None, direction: str,
    shard: Shard | None, on_error: str,
) -> ExitCode:  # fmt: skip
    """Find the nearest rows of one array of embeddings for each row of another.

    Reads QUERIES and GALLERY, NPY from hnclip embed, and writes a line for each query: {"query":
    row, "top": [[row, cosine], ...]}, best first. The search is exact, and memory does not grow
    with GALLERY.

    With --records the lines are the records, with these fields and "top_ids", the ids of the
    records that were found.

    \b
    Example:
      hnclip search captions.npy images.npy > found.jsonl
      hnclip search -k 5 images.npy captions.npy --records test.jsonl --direction image-to-text
    """
    files = [queries, gallery, *([records] if records else [])]
    if files.count("-") > 1:
        raise click.UsageError("only one of QUERIES, GALLERY and --records can be stdin (-)")

    from hnclip_cli.scoring.search import search
    from hnclip_cli.streams.npy import Rows
    from hnclip_cli.streams.records import format_record

    queries_of, gallery_of = (_OF[word] for word in direction.split("-to-"))
    with ExitStack() as stack:
        policy = stack.enter_context(console.error_policy(on_error))
        out = stack.enter_context(console.open_output(output))
        streams = [stack.enter_context(console.open_input(path)) for path in files]
        hits = search(
            Rows.from_npy(streams[0], queries), Rows.from_npy(streams[1], gallery), k,
            records=RecordReader(streams[2], files[2], policy) if records else None,
            queries_of=queries_of, gallery_of=gallery_of, shard=shard, policy=policy,
        )  # fmt: skip
        for hit in console.progress(hits, unit="query"):
            out.write(format_record(hit))
    return policy.exit_code
