"""hnclip negatives."""

import click


@click.command("negatives")
def negatives() -> None:
    """To be written."""
