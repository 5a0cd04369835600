"""hnclip embed."""

import click


@click.command("embed")
def embed() -> None:
    """To be written."""
