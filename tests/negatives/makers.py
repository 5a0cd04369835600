"""Makers as the tests want them."""

from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.choosing.maker import NegativeMaker
from hnclip_cli.negatives.choosing.ranking import Ranked
from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS


class Indifferent:
    """A preference for nothing."""

    max_loss = 0.0

    def gaps(self, caption):
        return None

    def losses(self, caption, candidates):
        return [0.0] * len(candidates)


def by_rules(*kinds, preference=None, **choices):
    """A maker of these kinds, or of the default ones."""
    choosing = Choosing(kinds or DEFAULT_KINDS, **choices)
    return NegativeMaker(choosing, Ranked(choosing.kinds, preference or Indifferent()))
