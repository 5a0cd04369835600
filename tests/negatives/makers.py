"""Makers as the tests want them."""

from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.choosing.maker import NegativeMaker
from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS


def by_rules(*kinds, preference=None, **choices):
    """A maker of these kinds, or of the default ones."""
    return NegativeMaker(Choosing(kinds or DEFAULT_KINDS, **choices), preference)
