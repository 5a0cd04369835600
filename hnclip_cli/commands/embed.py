"""hnclip embed."""

import os
from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run
from hnclip_cli.streams.files import is_url
from hnclip_cli.streams.jsonl import Shard
from hnclip_cli.streams.pace import Pace
from hnclip_cli.streams.packed import packing_of
from hnclip_cli.streams.records import RowsOf


@click.command("embed", cls=options.Command)
@options.input_argument
@options.output_option
@click.option(
    "--of",
    type=options.Choice(["image", "caption", "negatives"]),
    required=True,
    help="What to embed of each record.",
)
@options.model_options()
@options.head_options
@click.option(
    "--dtype",
    type=options.Choice(["fp32", "fp16", "float32", "float16"]),
    metavar="fp32|fp16",
    default="fp32",
    help="Type of the numbers in the array.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue an earlier run of the same command with -o FILE.",
)
@options.image_options
@options.batch_size_option
@options.workers_option
@options.array_shard_option
@options.key_options
@options.run
def embed(
    run: Run, input_: str, output: str, of: RowsOf, model: str, pretrained: str | None,
    preprocess_of: str | None, device: str, precision: str | None, head: str | None,
    head_scale: float | None, dtype: str, resume: bool, images: dict[str, Any], batch_size: int,
    workers: int, shard: Shard | None,
) -> None:  # fmt: skip
    """Embed images or texts of records as rows of one NPY array.

    Reads records, writes one 2-D array of unit vectors. Row i belongs to record i; --of negatives
    gives a row for each negative, a record's rows together. With --on-error skip a bad image or
    caption leaves a row of NaN, so that the rows stay in place.

    Each distinct image or caption is encoded once. Rows are written as they come, and memory does
    not grow. An NPY header holds the number of rows, so a pipe gets its first byte at the end.

    With -o FILE, rows are in FILE.partial until the array is whole. After a kill, --resume keeps
    these rows and gives the same bytes as one run.

    \b
    Example:
      hnclip embed --of image --model run/ caps.jsonl -o images.npy
      hnclip embed --of caption --model run/ < caps.jsonl > captions.npy
      hnclip embed --of caption --model run/ caps.jsonl -o captions.npy --resume
    """
    options.check_has_weights(model, pretrained)
    options.check_head(head, head_scale)
    is_file = output != "-" and (not os.path.exists(output) or os.path.isfile(output))
    is_file = is_file and not (is_url(output) or packing_of(output))
    if resume and not is_file:
        raise click.UsageError("--resume needs -o FILE, a plain file, not packed and not a URL")

    from hnclip_cli.streams.images import image_root_of

    root = image_root_of(input_, **images)
    reader = run.read(input_, shard)

    from hnclip_cli.embedding.embed import embed_blocks
    from hnclip_cli.embedding.partial import partial_array
    from hnclip_cli.models.encoder import Encoder
    from hnclip_cli.models.load import load_clip
    from hnclip_cli.streams.npy import NpyWriter

    dtype = {"fp32": "float32", "fp16": "float16"}.get(dtype, dtype)
    out = None if is_file else run.create(output, binary=True)
    clip = load_clip(
        model, pretrained, preprocess_of=preprocess_of, device=device,
        precision=precision or "fp32", head=head, head_scale=head_scale, note=console.note,
    )  # fmt: skip
    kept = writer = None
    if out is not None:
        writer = run.enter_context(NpyWriter(out, clip.embed_dim, dtype))
    else:
        settings = clip.settings() | {
            "--of": of, "--dtype": dtype, "--batch-size": batch_size,
        }  # fmt: skip
        if of == "image":
            settings |= {
                "--image-root": root.folder,
                "--background": str(root.background),
                "--exif-orientation": root.exif_orientation,
            }
        kept = run.enter_context(
            partial_array(output, clip.embed_dim, dtype, settings, resume=resume)
        )
    encoder = Encoder(
        clip, batch_size=batch_size, image_root=root, workers=workers, policy=run.policy
    )
    pace = Pace(of if of == "negatives" else f"{of}s", workers if of == "image" else None)
    blocks = embed_blocks(reader, of, encoder, policy=run.policy, kept=kept, pace=pace)
    for rows, digest in console.reading(blocks, reader, says=pace):
        if kept:
            kept.write(rows, digest)
        elif writer:
            writer.write(rows)
    console.note(*pace.notes())
