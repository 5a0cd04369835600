"""Offers of what the kinds propose, those candidates first that read as well as the caption.

A negative that holds a rare word, or words that never stand side by side, can be told from the
caption without the image. So candidates are judged before one is chosen.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Protocol

from hnclip_cli.language.caption import Caption
from hnclip_cli.negatives.analysis.rewriting import with_articles
from hnclip_cli.negatives.choosing.choice import Offers, drawn_order
from hnclip_cli.negatives.kinds.registry import KINDS, Kind
from hnclip_cli.streams.edits import Edit

# Of one kind and caption; real captions have a few dozen.
MAX_CANDIDATES = 500
# So many of them, by hash, are judged; the others are not needed.
MAX_JUDGED = 32
# The choice is among the best third: always the best would repeat the same few words.
BEST_PART = 3

# A candidate and its loss.
_Judged = tuple[list[Edit], float]


class Preference(Protocol):
    """Judges how candidates read.

    Attributes:
        max_loss: a candidate that loses more is a misfit, taken only by a record without others.
    """

    max_loss: float

    def losses(self, caption: Caption, candidates: Sequence[list[Edit]]) -> list[float]:
        """What each candidate, of whatever kind, loses against the caption; lowest is best."""


class Ranked:
    """Proposes the candidates of kinds for a `NegativeMaker`, by how they read.

    Args:
        kinds: names from `KINDS`.
        preference: ranks the candidates of those that are judged.
    """

    def __init__(self, kinds: Iterable[str], preference: Preference) -> None:
        self._kinds = {name: KINDS[name] for name in kinds}
        self._preference = preference

    def __call__(self, captions: Sequence[Caption]) -> Iterator[Iterator[Offers]]:
        return map(self._offers, captions)

    def _offers(self, caption: Caption) -> Iterator[Offers]:
        """All that fits at once, then each misfit alone, the best first."""
        ranked = self._ranked(caption)
        max_loss = self._preference.max_loss
        yield {
            name: (edits for edits, loss in judged if loss <= max_loss)
            for name, judged in ranked.items()
        }
        misfits = [
            (loss, {name: [edits]})
            for name, judged in ranked.items()
            for edits, loss in judged
            if loss > max_loss
        ]
        yield from (offers for _, offers in sorted(misfits, key=itemgetter(0)))

    def _ranked(self, caption: Caption) -> dict[str, Iterable[_Judged]]:
        drawn = {
            name: list(islice(drawn_candidates(name, kind, caption), MAX_JUDGED))
            for name, kind in self._kinds.items()
            if kind.is_judged
        }
        candidates = list(chain(*drawn.values()))
        losses = iter(self._preference.losses(caption, candidates) if candidates else ())
        ranked: dict[str, Iterable[_Judged]] = {}
        for name, kind in self._kinds.items():
            if not kind.is_judged:
                ranked[name] = zip(kind.edits(caption), repeat(-math.inf))
            elif of_kind := drawn[name]:
                ranked[name] = _best_part_first(list(zip(of_kind, losses, strict=False)))
        return ranked


def drawn_candidates(name: str, kind: Kind, caption: Caption) -> Iterator[list[Edit]]:
    """The candidates of a kind in an order of the record's own, each with a/an put right."""
    found = list(islice(kind.edits(caption), MAX_CANDIDATES))
    for index in drawn_order(caption.draw, name, range(len(found))):
        yield with_articles(caption, found[index])


def _best_part_first(drawn: Sequence[_Judged]) -> list[_Judged]:
    """The best third in the order drawn, then the others by their losses."""
    by_loss = sorted(range(len(drawn)), key=lambda place: drawn[place][1])
    num_best = math.ceil(len(drawn) / BEST_PART)
    return [drawn[place] for place in (*sorted(by_loss[:num_best]), *by_loss[num_best:])]
