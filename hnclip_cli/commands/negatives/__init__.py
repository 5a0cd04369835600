"""hnclip negatives: the command, its flags, and what each of its modes does."""

from hnclip_cli.commands.negatives.command import negatives

__all__ = ["negatives"]
