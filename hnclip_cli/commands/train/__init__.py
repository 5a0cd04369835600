"""hnclip train: the command, its dry run, and the validation during training."""

from hnclip_cli.commands.train.command import train

__all__ = ["train"]
