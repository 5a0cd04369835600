"""hnclip embed."""

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import RecordReader, Shard
from hnclip_cli.streams.records import RowsOf


@click.command()
@options.input_argument
@options.output_option
@click.option(
    "--of",
    type=click.Choice(["image", "caption", "negatives"]),
    required=True,
    help="What to embed of each record.",
)
@options.model_options()
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Type of the numbers in the array.",
)
@options.image_root_option
@options.remote_images_option
@options.batch_size_option
@options.workers_option
@options.shard_option
@options.on_error_option
@options.verbosity_options
def embed(
    input_: str, output: str, of: RowsOf, model: str, pretrained: str | None, device: str,
    precision: str | None, dtype: str, image_root: str | None, remote_images: bool,
    batch_size: int, workers: int, shard: Shard | None, on_error: str,
) -> ExitCode:  # fmt: skip
    """Embed images or texts of records as rows of one NPY array.

    Reads records, writes one 2-D array of unit vectors. Row i belongs to record i; --of negatives
    gives a row for each negative, a record's rows together. With --on-error skip a bad image or
    caption leaves a row of NaN, so that the rows stay in place.

    Rows are written as they come, memory does not grow. An NPY header holds the number of rows,
    so a pipe gets its first byte at the end.

    \b
    Example:
      hnclip embed --of image --model run/ caps.jsonl -o images.npy
      hnclip embed --of caption --model run/ < caps.jsonl > captions.npy
    """
    options.check_has_weights(model, pretrained)

    from hnclip_cli.embedding.embed import embed as run
    from hnclip_cli.models.load import load_clip
    from hnclip_cli.streams.images import image_root_of
    from hnclip_cli.streams.npy import NpyWriter

    with (
        console.error_policy(on_error) as policy,
        console.open_input(input_) as stream,
        console.open_output(output, binary=True) as out,
    ):
        clip = load_clip(model, pretrained, device=device, precision=precision or "fp32")
        reader = RecordReader(stream, input_, policy, shard)
        blocks = run(
            reader, clip, of, batch_size=batch_size, policy=policy,
            image_root=image_root_of(input_, image_root, remote_images), workers=workers,
        )  # fmt: skip
        with NpyWriter(out, clip.embed_dim, dtype) as writer:
            for block in console.progress(blocks, unit="record"):
                writer.write(block)
    return policy.exit_code
