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
    help="Link to the image files, from the page's folder.  [default: small copies in the page]",
)
@click.option(
    "--image-budget",
    type=options.Number(0),
    default=24,
    metavar="MB",
    help="About what all pictures may take; the more there are, the smaller each is.",
)
@click.option("--limit", type=options.Whole(1), default=10_000, help="Records shown, at most.")
@options.image_options
@options.key_options
@options.run
def show(
    run: Run, inputs: tuple[str, ...], output: str, link_images: bool, image_budget: float,
    limit: int, images: dict[str, Any],
) -> None:  # fmt: skip
    """Write one page to look at: negatives, scored records, or the log of a training.

    Reads records, with or without negatives and scores, the report of eval, or the logs of one or
    several trainings, and tells by the fields which it is. The page is one file that works offline;
    docs/show.md says what is on it. Negatives can be labeled on it, and the labels kept as TSV.

    Memory: the texts that are shown, and the pictures.

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
