"""Composable commands that teach CLIP models composition with hard negatives."""

__version__ = "0.1.0"
