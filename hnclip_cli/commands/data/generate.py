"""hnclip data generate."""

from typing import Any

import click

from hnclip_cli import options
from hnclip_cli.commands.data.painting import paint, painting_options
from hnclip_cli.console import Run


@click.command("generate", cls=options.Command)
@painting_options
@options.image_root_option
@options.run
def generate(run: Run, image_root: str | None, **given: Any) -> None:
    """Make an image of each negative caption, as TripletCLIP does.

    Reads records with "caption" and "negatives". Writes PNG files into DIR, and the records with
    "image" in each negative and with "negative_images". Memory holds one record. By default
    negatives of all kinds get one. An image that exists is not made again, so the same command
    continues a run that ended early.

    \b
    Example:
      hf download stabilityai/sdxl-turbo
      hnclip data generate made/ hard.jsonl --model stabilityai/sdxl-turbo \\
        --steps 1 --guidance 0 -o with-images.jsonl
      hnclip train --objective triplet --model ViT-B-32 --pretrained openai \\
        -o run/ --epochs 5 < with-images.jsonl
    """
    from hnclip_cli.sources.painting import generate

    paint(generate, "generate", run, images={"image_root": image_root}, **given)
