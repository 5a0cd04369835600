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
    """Paint what negatives say into the images of their records.

    Reads records with "image", "caption" and "negatives", and for a negative a "box" or "mask" of
    what changes, or boxes with words in the record (docs/images.md). Writes PNG files into DIR, and
    the records with "image" in such negatives and "negative_images"; memory holds one record. By
    default negatives that change a color, an object or a size are painted. An image that is there
    is not made again, so a run that ended early is continued by the same command.

    \b
    Example:
      hf download stabilityai/stable-diffusion-2-inpainting
      hnclip data inpaint painted/ hard.jsonl \\
        --model stabilityai/stable-diffusion-2-inpainting \\
        --items items.jsonl -o with-images.jsonl
    """
    from hnclip_cli.sources.painting import inpaint

    paint(inpaint, "inpaint", run, **given)
