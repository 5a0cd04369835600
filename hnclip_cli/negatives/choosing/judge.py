"""Candidates in the order that a language model prefers, the last word before one is chosen.

A causal model judges a sentence by its log-probability, a masked one by its pseudo-log-likelihood
(Salazar et al., ACL 2020), a word of several tokens from left to right (Kauf and Ivanova, ACL
2023). Where candidates differ in length, long ones would lose by it alone. So the value is divided
by ((5 + words) / 6) ** 0.8, "PenLP" of Lau et al. (TACL 2020), which predicts best how acceptable
people find a sentence. Words are counted and not tokens, so that rare words, which have more
tokens, win nothing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from hnclip_cli.language.caption import Caption
from hnclip_cli.language.ngram import tokenize
from hnclip_cli.negatives.choosing.choice import Offers
from hnclip_cli.negatives.choosing.maker import Propose
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.edits import Edit, apply_edits

# Of each kind this many are judged: those that were drawn first among the plausible.
NUM_JUDGED = 5
# A model's value of a text depends in its last digits on the texts beside it.
DECIMALS = 3

# The log-probability of each text, in nats.
Score = Callable[[list[str]], list[float]]


class Judged:
    """Proposes what ``propose`` does, the first few candidates of each kind best first.

    The texts of all captions are scored together, each different one once; what is scored
    together changes nothing.
    """

    def __init__(self, propose: Propose, score: Score) -> None:
        self._propose = propose
        self._score = score

    def __call__(self, captions: Sequence[Caption]) -> Iterator[Iterator[Offers]]:
        found = [_Offered(*one) for one in zip(captions, self._propose(captions), strict=True)]
        texts = sorted({text for offered in found for text in offered.texts()}, key=_by_length)
        values = dict(zip(texts, map(penalized, texts, self._score(texts)), strict=True))
        return (offered.ranked(values) for offered in found)


class _Offered:
    """The offers for a caption, the first candidates of the first offer taken out."""

    def __init__(self, caption: Caption, offers: Iterable[Offers]) -> None:
        self._text = caption.text
        self._later = iter(offers)
        self._first = {kind: iter(edits) for kind, edits in next(self._later, {}).items()}
        self._few = {
            kind: list(islice(edits, NUM_JUDGED if KINDS[kind].is_judged else 0))
            for kind, edits in self._first.items()
        }

    def texts(self) -> Iterator[str]:
        """What there is to judge."""
        for few in self._few.values():
            if len(few) > 1:
                yield from (apply_edits(self._text, edits) for edits in few)

    def ranked(self, values: Mapping[str, float]) -> Iterator[Offers]:
        """The offers again, by the values of texts; equal ones stay as they were."""

        def loss(edits: list[Edit]) -> float:
            return -values[apply_edits(self._text, edits)]

        first = {
            kind: chain(sorted(few, key=loss) if len(few) > 1 else few, self._first[kind])
            for kind, few in self._few.items()
        }
        return chain([first], self._later)


def penalized(text: str, log_probability: float) -> float:
    """A text's log-probability by its number of words, in nats, rounded to `DECIMALS`."""
    penalty = math.pow((5 + len(tokenize(text))) / 6, 0.8)
    return round(log_probability / penalty, DECIMALS)


def _by_length(text: str) -> tuple[int, str]:
    """Texts of one length stand together, for little padding."""
    return len(text), text
