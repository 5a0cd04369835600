"""hnclip train."""

import click


@click.command("train")
def train() -> None:
    """To be written."""
