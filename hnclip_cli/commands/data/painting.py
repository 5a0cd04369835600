"""What hnclip data inpaint and generate have in common."""

from collections.abc import Callable
from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run
from hnclip_cli.streams.jsonl import Shard

# fmt: off
painting_options = options.together(
    click.argument("folder", metavar="DIR", type=options.PATH),
    options.input_argument,
    options.output_option,
    click.option("--items", metavar="FILE", type=options.WRITTEN,
        help="Also write an item of two images and two captions for each negative with an image,"
        " for score and eval."),
    click.option("--model", required=True, metavar="NAME|DIR",
        help="A pipeline of diffusers: a folder, or a name in the cache of the Hugging Face hub."),
    click.option("--kind", "kinds", multiple=True, metavar="KIND",
        help="Only negatives of this kind; repeatable.  [default: see above]"),
    click.option("--steps", type=options.Whole(1, 1000), metavar="N",
        help="Steps of denoising.  [default: the pipeline's]"),
    click.option("--guidance", type=options.Number(0, 1000), metavar="X",
        help="Scale of classifier-free guidance.  [default: the pipeline's]"),
    click.option("--size", type=options.Whole(16, 4096), metavar="PIXELS",
        help="Longer side of the new images.  [default: what the pipeline was trained for]"),
    click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]",
        callback=options.read_device,
        help="Where the pipeline runs; auto takes CUDA where there is one."),
    click.option("--precision", type=options.Choice(["fp32", "bf16", "fp16"]), default="fp32",
        help="Arithmetic of the pipeline."),
    options.seed_option,
    options.shard_option,
)
# fmt: on


def paint(
    make: Callable[..., Any], benchmark: str, run: Run, *, folder: str, input_: str, output: str,
    items: str | None, images: dict[str, Any], kinds: tuple[str, ...], shard: Shard | None,
    **how: Any,
) -> None:  # fmt: skip
    """Write the records of `inpaint` or `generate`, and the items of what has been painted."""
    from hnclip_cli.sources.painting import pairs_of
    from hnclip_cli.streams.images import image_root_of

    root = image_root_of(input_, **images)
    given = {"kinds": kinds} if kinds else {}
    records, out = run.read(input_, shard), run.create(output)
    pairs = run.create(items) if items else None
    painted = make(records, folder, image_root=root, policy=run.policy, **given, **how)
    for record in console.reading(painted, records):
        console.write_records([record], out)
        if pairs:
            console.write_records(pairs_of(record, benchmark), pairs)
    console.note(*painted.summary())
