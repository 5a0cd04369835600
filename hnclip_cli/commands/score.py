"""hnclip score."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader, Shard
from hnclip_cli.streams.records import Record, RowsOf

if TYPE_CHECKING:
    from hnclip_cli.language.parser import Parser
    from hnclip_cli.models.clip import Clip
    from hnclip_cli.streams.npy import NpyReader

DIRECTIONS: dict[str, tuple[RowsOf, RowsOf]] = {
    "text-to-image": ("caption", "image"), "image-to-text": ("image", "caption"),
}  # fmt: skip


@dataclass(frozen=True)
class _Settings:
    """What was typed; ``input_`` is None where --top-k goes without records."""

    input_: str | None
    model: str | None
    pretrained: str | None
    device: str
    precision: str | None
    image_embeddings: str | None
    caption_embeddings: str | None
    negative_embeddings: str | None
    logits: bool
    method: str
    explain: bool
    top_k: int | None
    direction: str | None
    image_root: str | None
    remote_images: bool
    batch_size: int
    workers: int
    shard: Shard | None

    @property
    def files(self) -> dict[RowsOf, str]:
        """The embeddings that were given."""
        files: dict[RowsOf, str | None] = {
            "image": self.image_embeddings,
            "caption": self.caption_embeddings,
            "negatives": self.negative_embeddings,
        }
        return {of: path for of, path in files.items() if path}


@click.command()
@options.input_argument
@options.output_option
@options.model_options(required=False)
@click.option("--image-embeddings", metavar="FILE", help="NPY from embed --of image.")
@click.option("--caption-embeddings", metavar="FILE", help="NPY from embed --of caption.")
@click.option("--negative-embeddings", metavar="FILE", help="NPY from embed --of negatives.")
@click.option(
    "--logits", is_flag=True, help="The model's logits instead of cosines; needs --model."
)
@click.option(
    "--method",
    type=click.Choice(["cosine", "comclip"]),
    default="cosine",
    show_default=True,
    help='comclip adds parts of the image, which the records name in "regions".',
)
@click.option(
    "--explain", is_flag=True, help='Add "explain": what each edit of each negative changed.'
)
@click.option(
    "--top-k",
    type=click.IntRange(min=1),
    metavar="N",
    help="Find the N nearest rows of one array for each row of the other.",
)
@click.option(
    "--direction",
    type=click.Choice(list(DIRECTIONS)),
    help="Of --top-k: what looks for what.  [default: text-to-image]",
)
@options.image_root_option
@options.remote_images_option
@options.batch_size_option
@options.workers_option
@options.shard_option
@options.on_error_option
@options.verbosity_options
@click.pass_context
def score(
    ctx: click.Context, /, input_: str, output: str, on_error: str, **settings: Any
) -> ExitCode:
    """Score every caption of a record, true and negative, against its image.

    Reads records, writes them with "scores" added: a matrix of cosines, a row an image, a column
    a caption (the true one first, then the negatives). Either from --model, or from embeddings
    made before, with no model.

    With --top-k, reads two arrays of embeddings and writes a line for each query: {"query": row,
    "top": [[row, cosine], ...]}, best first. INPUT is then optional: the records that both arrays
    were made from, which come out with these fields and the ids of what was found.

    Records come out in order, a batch at a time; --batch-size 1 answers line by line. Memory
    does not grow.

    \b
    Example:
      hnclip score --model run/ < test.jsonl | hnclip eval
      hnclip score --image-embeddings images.npy --caption-embeddings captions.npy
        --negative-embeddings negatives.npy test.jsonl
      hnclip score --top-k 10 --image-embeddings images.npy --caption-embeddings captions.npy
    """
    typed = ctx.get_parameter_source("input_") is not click.core.ParameterSource.DEFAULT
    reads_records = typed or not settings["top_k"]
    given = _Settings(input_=input_ if reads_records else None, **settings)
    _check_usage(given)

    from hnclip_cli.streams.records import format_record

    with (
        ExitStack() as stack,
        console.error_policy(on_error) as policy,
        console.open_output(output) as out,
    ):
        results: Iterable[dict[str, Any]]
        if given.top_k:
            results = _retrieve(given, stack, policy)
        elif given.files:
            results = _score_arrays(given, stack, policy)
        else:
            results = _score_with_model(given, stack, policy)
        unit = "query" if given.top_k else "record"
        for count, result in enumerate(console.progress(results, unit=unit), 1):
            out.write(format_record(result))
            if count % given.batch_size == 0:
                out.flush()
    return policy.exit_code


def _check_usage(given: _Settings) -> None:
    files = given.files
    if given.top_k:
        if given.model or given.logits or given.explain or given.method != "cosine":
            raise click.UsageError("--top-k goes with embeddings, not with a model")
        if given.negative_embeddings:
            raise click.UsageError("--top-k goes with images and captions, not with negatives")
    elif given.direction:
        raise click.UsageError("--direction goes with --top-k")
    elif given.logits and not given.model:
        raise click.UsageError("--logits needs --model, which knows their scale")
    elif bool(given.model) == bool(files) and not given.logits:
        raise click.UsageError("scores come either from --model or from the embedding files")
    if given.method == "comclip" and (files or given.explain):
        raise click.UsageError("--method comclip needs --model, and goes without --explain")
    if given.explain and files:
        raise click.UsageError("--explain needs --model: it scores texts that have no embeddings")
    if given.model:
        options.check_has_weights(given.model, given.pretrained)
    if (files or given.top_k) and not {"image", "caption"} <= files.keys():
        raise click.UsageError("both --image-embeddings and --caption-embeddings are needed")
    if [given.input_, *files.values()].count("-") > 1:
        raise click.UsageError("only one of INPUT and the embedding files can be stdin (-)")


def _load(given: _Settings) -> "Clip":
    from hnclip_cli.models.load import load_clip

    assert given.model
    return load_clip(
        given.model, given.pretrained, device=given.device, precision=given.precision or "fp32"
    )


def _read(given: _Settings, stack: ExitStack, policy: ErrorPolicy) -> RecordReader:
    assert given.input_
    stream = stack.enter_context(console.open_input(given.input_))
    return RecordReader(stream, given.input_, policy, given.shard)


def _arrays(given: _Settings, stack: ExitStack) -> "dict[RowsOf, NpyReader]":
    from hnclip_cli.streams.npy import NpyReader

    return {
        of: NpyReader(stack.enter_context(console.open_input(path)), path)
        for of, path in given.files.items()
    }


def _score_with_model(given: _Settings, stack: ExitStack, policy: ErrorPolicy) -> Iterable[Record]:
    from hnclip_cli.scoring.comclip import score_with_comclip
    from hnclip_cli.scoring.encoding import Encoder
    from hnclip_cli.scoring.from_model import logits_of, score_with_model
    from hnclip_cli.streams.images import image_root_of

    reader = _read(given, stack, policy)
    clip = _load(given)
    root = image_root_of(reader.source, given.image_root, given.remote_images)
    encoder = Encoder(clip, given.batch_size, policy, root, given.workers)
    logits = logits_of(clip) if given.logits else None
    if given.method == "cosine":
        return score_with_model(reader, encoder, logits=logits, explain=given.explain)
    return _noting(score_with_comclip(reader, encoder, _noun_phrases, logits=logits))


def _score_arrays(given: _Settings, stack: ExitStack, policy: ErrorPolicy) -> Iterable[Record]:
    from hnclip_cli.scoring.from_arrays import score_with_arrays

    reader, arrays = _read(given, stack, policy), _arrays(given, stack)
    logits = None
    if given.logits:
        from hnclip_cli.scoring.from_model import logits_of

        logits = logits_of(_load(given))
    return score_with_arrays(reader, arrays, policy, logits)


def _retrieve(given: _Settings, stack: ExitStack, policy: ErrorPolicy) -> Iterable[dict[str, Any]]:
    from hnclip_cli.scoring.retrieval import add_hits, check_num_rows, ids_of_rows, retrieve
    from hnclip_cli.streams.spool import seekable

    arrays = _arrays(given, stack)
    of, found = DIRECTIONS[given.direction or "text-to-image"]
    queries, gallery = arrays[of], arrays[found]
    assert given.top_k
    if given.input_ is None:
        return retrieve(queries, gallery, given.top_k, policy, given.shard)
    stream = seekable(stack.enter_context(console.open_input(given.input_)))
    ids = ids_of_rows(RecordReader(stream, given.input_, policy), found)
    check_num_rows(len(ids), gallery.shape[0], found)
    stream.seek(0)
    again = RecordReader(stream, given.input_, ErrorPolicy("skip"))  # bad lines are known by now
    hits = retrieve(queries, gallery, given.top_k, policy, given.shard)
    return add_hits(again, of, hits, ids, queries.shape[0])


def _noting(records: Iterable[Record]) -> Iterable[Record]:
    """The records; at the end a note on those that ComCLIP had nothing to add to."""
    num_records = num_plain = 0
    for record in records:
        num_records += 1
        num_plain += not record.get("regions")
        yield record
    if num_plain:
        console.note(f"{num_plain} of {num_records} records have no regions: plain cosines")


@lru_cache(maxsize=4096)
def _noun_phrases(caption: str) -> Sequence[tuple[int, int]]:
    """The character spans of a caption's base noun phrases."""
    parsed = _parser().parse([caption])[0]
    words = parsed.words
    return [(words[p.first].start, words[p.stop - 1].end) for p in parsed.phrases]


@cache
def _parser() -> "Parser":
    from hnclip_cli.language.caption import PHRASES
    from hnclip_cli.language.parser import Parser

    return Parser(PHRASES)
