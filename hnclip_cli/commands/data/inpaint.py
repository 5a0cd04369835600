"""hnclip data inpaint."""

from typing import Any

import click

from hnclip_cli import options
from hnclip_cli.commands.data.painting import paint, painting_options
from hnclip_cli.console import Run


@click.command("inpaint", cls=options.Command)
@painting_options
@options.image_options
@options.run
def inpaint(run: Run, **given: Any) -> None:
    """Make images of negatives by painting into the images of their records.

    Reads records with "image", "caption" and "negatives". A "box" or "mask" of the negative, or
    boxes with words in the record, say where to paint (docs/images.md). Writes PNG files into DIR,
    and the records with "image" in painted negatives and with "negative_images". Memory holds one
    record. By default, negatives that change a color, an object or a size are painted. An image
    that exists is not made again, so the same command continues a run that ended early.

    \b
    Example:
      hf download stabilityai/stable-diffusion-2-inpainting
      hnclip data inpaint painted/ hard.jsonl \\
        --model stabilityai/stable-diffusion-2-inpainting \\
        --items items.jsonl -o with-images.jsonl
    """
    from hnclip_cli.sources.painting import inpaint

    paint(inpaint, "inpaint", run, **given)
