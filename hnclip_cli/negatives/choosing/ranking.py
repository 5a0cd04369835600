"""Offers of what the kinds propose, drawn by how well it fits into the caption.

A negative that holds a rare word, or words that never go together, can be told from the caption
without the image, and teaches nothing. So candidates are judged before one is chosen.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from hnclip_cli.language.caption import Caption
from hnclip_cli.negatives.analysis.rewriting import with_articles
from hnclip_cli.negatives.choosing.choice import Offers, drawn_order, uniform_drawn
from hnclip_cli.negatives.kinds.registry import KINDS, Kind
from hnclip_cli.streams.edits import Edit

if TYPE_CHECKING:
    from hnclip_cli.language.gaps import Gaps

# Of one kind and caption; real captions have a few dozen.
MAX_CANDIDATES = 500

# A candidate and its loss.
_Judged = tuple[list[Edit], float]


class Preference(Protocol):
    """Judges how candidates read.

    Attributes:
        max_loss: a candidate that loses more is a misfit, taken only by a record without others.
    """

    max_loss: float

    def gaps(self, caption: Caption) -> "Gaps | None":
        """What the kinds may ask before they propose; None: they propose all."""

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
        self._are_judged = any(kind.is_judged for kind in self._kinds.values())

    def __call__(self, captions: Sequence[Caption]) -> Iterator[Iterator[Offers]]:
        return map(self._offers, captions)

    def _offers(self, caption: Caption) -> Iterator[Offers]:
        """All that fits at once, then each misfit alone, the best first."""
        if self._are_judged:
            caption.gaps = self._preference.gaps(caption)
        ranked = self._ranked(caption)
        max_loss = self._preference.max_loss
        yield {name: self._fitting(name, caption, judged) for name, judged in ranked.items()}
        misfits = [
            (loss, name, edits)
            for name, judged in ranked.items()
            for edits, loss in judged
            if max_loss < loss < math.inf
        ]
        for _, name, edits in sorted(misfits, key=itemgetter(0)):
            yield {name: [self._mended(name, caption, edits)]}

    def _fitting(
        self, name: str, caption: Caption, judged: Iterable[_Judged]
    ) -> Iterator[list[Edit]]:
        """What fits of a kind, one after the other."""
        max_loss = self._preference.max_loss
        return (self._mended(name, caption, edits) for edits, loss in judged if loss <= max_loss)

    def _mended(self, name: str, caption: Caption, edits: list[Edit]) -> list[Edit]:
        return with_articles(caption, edits) if self._kinds[name].is_judged else edits

    def _ranked(self, caption: Caption) -> dict[str, Iterable[_Judged]]:
        """The candidates of each kind that has some, in the order in which they are taken."""
        ranked: dict[str, Iterable[_Judged]] = {}
        found: dict[str, list[list[Edit]]] = {}
        for name, kind in self._kinds.items():
            if not kind.is_judged:
                ranked[name] = zip(kind.edits(caption), repeat(-math.inf))
            elif edits := list(islice(kind.edits(caption), MAX_CANDIDATES)):
                ranked[name], found[name] = (), edits  # in the order of the kinds
        if found:
            # Several kinds may propose the very same.
            candidates = {id(edits): edits for edits in chain(*found.values())}
            judged = self._preference.losses(caption, list(candidates.values()))
            losses = dict(zip(candidates, judged, strict=True))
            max_loss = self._preference.max_loss
            for name, of_kind in found.items():
                pairs = [(edits, losses[id(edits)]) for edits in of_kind]
                ranked[name] = _drawn_by_loss(caption.draw, name, pairs, max_loss)
        return ranked


def drawn_candidates(name: str, kind: Kind, caption: Caption) -> Iterator[list[Edit]]:
    """The candidates of a kind in an order of the record's own, each with a/an put right."""
    found = list(islice(kind.edits(caption), MAX_CANDIDATES))
    for index in drawn_order(caption.draw, name, range(len(found))):
        yield with_articles(caption, found[index])


def _drawn_by_loss(
    draw: bytes, kind: str, judged: Sequence[_Judged], max_loss: float
) -> list[_Judged]:
    """Those that fit in an order drawn without replacement with probabilities of exp(-loss).

    Always the best would repeat the same few words. Gumbel's trick: the order of the sums of
    log-probabilities and numbers of the Gumbel distribution. The misfits stand behind.
    """

    def place(index: int) -> float:
        return judged[index][1] + math.log(-math.log(uniform_drawn(draw, kind, str(index))))

    fitting = [index for index, (_, loss) in enumerate(judged) if loss <= max_loss]
    misfits = [one for one in judged if one[1] > max_loss]
    return [*(judged[index] for index in sorted(fitting, key=place)), *misfits]
