"""hnclip data."""

import click


@click.command("data")
def data() -> None:
    """To be written."""
