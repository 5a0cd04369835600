"""hnclip score."""

import click


@click.command("score")
def score() -> None:
    """To be written."""
