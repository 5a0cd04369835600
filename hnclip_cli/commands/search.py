"""hnclip search."""

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run
from hnclip_cli.streams.jsonl import Shard
from hnclip_cli.streams.records import RowsOf

_OF: dict[str, RowsOf] = {"text": "caption", "image": "image"}


@click.command("search", cls=options.Command)
@click.argument("queries", metavar="QUERIES", type=options.READ)
@click.argument("gallery", metavar="GALLERY", type=options.READ)
@options.output_option
@click.option(
    "-k",
    type=options.Whole(1),
    default=10,
    metavar="N",
    help="How many rows to find for each query.",
)
@click.option(
    "--records",
    metavar="FILE",
    type=options.READ,
    help="The records of both arrays; each one comes out with the rows that were found.",
)
@click.option(
    "--direction",
    type=options.Choice([f"{one}-to-{other}" for one in _OF for other in _OF]),
    default="text-to-image",
    help="Whether QUERIES and GALLERY are texts or images of the records.",
)
@options.shard_option
@options.run
def search(
    run: Run, queries: str, gallery: str, output: str, k: int, records: str | None,
    direction: str, shard: Shard | None,
) -> None:  # fmt: skip
    """Find the nearest rows of one array of embeddings for each row of another.

    Reads QUERIES and GALLERY, NPY from hnclip embed or folders of such files, and writes a line for
    each query: {"query": row, "top": [[row, cosine], ...]}, best first. The search is exact, and
    memory does not grow with GALLERY.

    With --records the lines are the records, with these fields and "top_ids", the ids of the
    records that were found.

    \b
    Example:
      hnclip search captions.npy images.npy > found.jsonl
      hnclip search -k 5 images.npy captions.npy --records test.jsonl \\
        --direction image-to-text
    """
    from hnclip_cli.scoring.search import search

    queries_of, gallery_of = (_OF[word] for word in direction.split("-to-"))
    out = run.create(output)
    hits = search(
        run.rows(queries), run.rows(gallery), k, records=run.read(records) if records else None,
        queries_of=queries_of, gallery_of=gallery_of, shard=shard, policy=run.policy,
    )  # fmt: skip
    console.write_records(console.progress(hits, unit="query"), out)
