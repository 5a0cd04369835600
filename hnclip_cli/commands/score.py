"""hnclip score."""

from contextlib import ExitStack

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import RecordReader, Shard
from hnclip_cli.streams.records import RowsOf


@click.command()
@options.input_argument
@options.output_option
@options.model_options(required=False)
@click.option("--image-embeddings", metavar="FILE", help="NPY from embed --of image.")
@click.option("--caption-embeddings", metavar="FILE", help="NPY from embed --of caption.")
@click.option("--negative-embeddings", metavar="FILE", help="NPY from embed --of negatives.")
@options.image_root_option
@options.remote_images_option
@options.batch_size_option
@options.workers_option
@options.shard_option
@options.on_error_option
@options.verbosity_options
def score(
    input_: str, output: str, model: str | None, pretrained: str | None, device: str,
    precision: str | None, image_embeddings: str | None, caption_embeddings: str | None,
    negative_embeddings: str | None, image_root: str | None, remote_images: bool,
    batch_size: int, workers: int, shard: Shard | None, on_error: str,
) -> ExitCode:  # fmt: skip
    """Score every caption of a record, true and negative, against its image.

    Reads records, writes them with "scores" added: a matrix of cosines, a row an image, a column
    a caption (the true one first, then the negatives). Either from --model, or from embeddings
    made before, with no model.

    Records come out in order, a batch at a time; --batch-size 1 answers line by line. Memory
    does not grow.

    \b
    Example:
      hnclip score --model run/ < test.jsonl | hnclip eval
      hnclip score --image-embeddings images.npy --caption-embeddings captions.npy
        --negative-embeddings negatives.npy test.jsonl
    """
    files: dict[RowsOf, str | None] = {
        "image": image_embeddings, "caption": caption_embeddings, "negatives": negative_embeddings,
    }  # fmt: skip
    _check_usage(input_, model, pretrained, files)

    from hnclip_cli.streams.records import format_record

    with (
        ExitStack() as stack,
        console.error_policy(on_error) as policy,
        console.open_input(input_) as stream,
        console.open_output(output) as out,
    ):
        reader = RecordReader(stream, input_, policy, shard)
        if model:
            from hnclip_cli.models.load import load_clip
            from hnclip_cli.scoring.from_model import score_with_model
            from hnclip_cli.streams.images import image_root_of

            clip = load_clip(model, pretrained, device=device, precision=precision or "fp32")
            scored = score_with_model(
                reader, clip, batch_size=batch_size, policy=policy,
                image_root=image_root_of(input_, image_root, remote_images), workers=workers,
            )  # fmt: skip
        else:
            from hnclip_cli.scoring.from_arrays import score_with_arrays
            from hnclip_cli.streams.npy import NpyReader

            arrays = {
                of: NpyReader(stack.enter_context(console.open_input(path)), path)
                for of, path in files.items()
                if path
            }
            scored = score_with_arrays(reader, arrays, policy)
        for count, record in enumerate(console.progress(scored, unit="record"), 1):
            out.write(format_record(record))
            if count % batch_size == 0:
                out.flush()
    return policy.exit_code


def _check_usage(
    input_: str, model: str | None, pretrained: str | None, files: dict[RowsOf, str | None]
) -> None:
    given = [path for path in files.values() if path]
    if bool(model) == bool(given):
        raise click.UsageError("scores come either from --model or from the embedding files")
    if model:
        options.check_has_weights(model, pretrained)
    elif not (files["image"] and files["caption"]):
        raise click.UsageError("both --image-embeddings and --caption-embeddings are needed")
    if [input_, *given].count("-") > 1:
        raise click.UsageError("only one of INPUT and the embedding files can be stdin (-)")
