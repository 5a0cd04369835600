"""hnclip eval."""

import click


@click.command("eval")
def eval_() -> None:
    """To be written."""
