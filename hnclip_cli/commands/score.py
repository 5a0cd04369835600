"""hnclip score."""

from collections.abc import Iterable
from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run
from hnclip_cli.streams.jsonl import Shard
from hnclip_cli.streams.records import Record

_EMBEDDINGS = ("image_embeddings", "caption_embeddings", "negative_embeddings")


@click.command("score", cls=options.Command)
@options.input_argument
@options.output_option
@options.model_options(required=False)
@options.head_options
@click.option(
    "--image-embeddings",
    metavar="FILE",
    type=options.READ,
    help="NPY from embed --of image, instead of --model.",
)
@click.option(
    "--caption-embeddings", metavar="FILE", type=options.READ, help="NPY from embed --of caption."
)
@click.option(
    "--negative-embeddings",
    metavar="FILE",
    type=options.READ,
    help="NPY from embed --of negatives, if the records have negatives.",
)
@click.option(
    "--method",
    type=options.Choice(["cosine", "comclip", "explain"]),
    default="cosine",
    help='comclip adds the parts of the image in "regions"; explain writes "explain": what each '
    "edit of each negative changed.",
)
@click.option(
    "--logits", is_flag=True, help="The model's logits instead of cosines; needs --model."
)
@options.image_options
@options.batch_size_option
@options.workers_option
@options.shard_option
@options.key_options
@options.run
def score(
    run: Run, input_: str, output: str, model: str | None, pretrained: str | None,
    preprocess_of: str | None, device: str, precision: str | None, head: str | None,
    head_scale: float | None, images: dict[str, Any], batch_size: int, shard: Shard | None,
    **settings: Any,
) -> None:  # fmt: skip
    """Score every caption of a record, true and negative, against its image.

    Reads records, writes them with "scores" added: a matrix of cosines with one row per image
    and one column per caption (the true one first, then the negatives). The cosines come from
    --model, or from embeddings that you made before.

    Records come out in order, a batch at a time; --batch-size 1 answers line by line. Memory
    does not grow.

    \b
    Example:
      hnclip score --model run/ < test.jsonl | hnclip eval
      hnclip score --image-embeddings i.npy --caption-embeddings c.npy test.jsonl
      hnclip score --model run/ --method explain test.jsonl
    """
    options.check_head(head, head_scale)
    files = {name: settings[name] for name in _EMBEDDINGS if settings[name]}
    _check_usage(input_, model, pretrained, files, settings["method"], settings["logits"], head)

    from hnclip_cli.streams.images import image_root_of

    root = image_root_of(input_, **images)
    out, records = run.create(output), run.read(input_, shard)

    from hnclip_cli.models.load import load_clip
    from hnclip_cli.scoring.score import score

    settings |= {name: run.rows(path) for name, path in files.items()}
    if model:
        settings["model"] = load_clip(
            model, pretrained, preprocess_of=preprocess_of, device=device,
            precision=precision or "fp32", head=head, head_scale=head_scale, note=console.note,
        )  # fmt: skip
    scored = score(
        records,
        batch_size=batch_size,
        image_root=root,
        policy=run.policy,
        **settings,
    )
    noted = _noting(scored) if settings["method"] == "comclip" else scored
    if model and not files:
        noted = _counting_alike(noted)
    console.write_records(console.reading(noted, records), out, at_once=batch_size)


def _check_usage(
    input_: str, model: str | None, pretrained: str | None, files: dict[str, str], method: str,
    logits: bool, head: str | None,
) -> None:  # fmt: skip
    if head and not model:
        raise click.UsageError("--head needs --model")
    if logits and not model:
        raise click.UsageError("--logits needs --model for the logit scale")
    if bool(model) == bool(files) and not logits:
        raise click.UsageError("scores come either from --model or from embeddings")
    if files and method != "cosine":
        raise click.UsageError(f"--method {method} needs --model, and no embeddings")
    if files and not files.keys() >= set(_EMBEDDINGS[:2]):
        raise click.UsageError("both --image-embeddings and --caption-embeddings are needed")
    if model:
        options.check_has_weights(model, pretrained)


def _noting(records: Iterable[Record]) -> Iterable[Record]:
    """The records; at the end a note on those that ComCLIP had nothing to add to."""
    num_records = num_plain = 0
    for record in records:
        num_records += 1
        num_plain += not record.get("regions")
        yield record
    if num_plain:
        console.note(f"{num_plain} of {num_records} records have no regions: plain cosines")


def _counting_alike(records: Iterable[Record]) -> Iterable[Record]:
    """The records; at the end a note on false captions that are true ones to the model."""
    num_alike = 0
    for record in records:
        num_alike += len(record.get("same_tokens", []))
        yield record
    if num_alike:
        console.note(f"false captions with the tokens of true ones: {num_alike} (same_tokens)")
