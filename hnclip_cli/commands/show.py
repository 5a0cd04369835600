"""hnclip show."""

import os
from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run


@click.command("show", cls=options.Command)
@click.argument("inputs", nargs=-1, metavar="[INPUT]...", type=options.READ)
@options.output_option
@click.option(
    "--link-images",
    is_flag=True,
    help="Link to the image files.  [default: small copies in the page]",
)
@click.option(
    "--image-budget",
    type=options.Number(0),
    default=24,
    metavar="MB",
    help="About the size of all images in the page; with more images each one is smaller.",
)
@click.option("--limit", type=options.Whole(1), default=10_000, help="Most records on the page.")
@options.image_options
@options.key_options
@options.run
def show(
    run: Run, inputs: tuple[str, ...], output: str, link_images: bool, image_budget: float,
    limit: int, images: dict[str, Any],
) -> None:  # fmt: skip
    """Write one page that shows negatives, scored records, or logs of training.

    Reads records, with or without negatives and scores, the report of eval, or the logs of one or
    several runs of train. The fields of the first line say which. The page is one file that works
    offline (docs/show.md). On the page you can label negatives, and export the labels as TSV.

    Memory: the texts and images of the page.

    \b
    Example:
      hnclip negatives pairs.jsonl |
        hnclip show --image-root coco/ -o negatives.html
      hnclip show scored.jsonl -o scored.html
      hnclip show clip.log.jsonl ce-clip.log.jsonl -o training.html
    """
    from functools import partial

    from hnclip_cli.evaluation.pages.show import show as show_page
    from hnclip_cli.streams.images import image_root_of

    out = run.create(output)
    names = inputs or ("-",)
    page_folder = "." if output == "-" else os.path.dirname(output) or "."
    page = show_page(
        *(run.read(name) for name in names),
        image_root=image_root_of(names[0], **images),
        limit=limit,
        image_budget=round(image_budget * 1e6),
        linked_from=page_folder if link_images else None,
        policy=run.policy,
        note=console.note,
        progress=partial(console.progress, unit="picture"),
    )
    out.write(page.encode("utf-8", "replace"))
