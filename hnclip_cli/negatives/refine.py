"""Keep the negatives that a scorer which sees only text cannot tell from their captions.

Source: the adversarial refinement of SugarCrepe (Hsieh et al., NeurIPS 2023, arXiv 2306.14610,
section 3): text-only models score every pair, and pairs are dropped until as many prefer the
negative as prefer the caption, at every size of the difference. Theirs are Vera and a grammar
model; ours is a word-trigram model of the set's own captions, fitted without the group it scores.

Before, the set is filtered by a model that learns what tells its negatives from its captions, after
AFLite (Le Bras et al., ICML 2020, arXiv 2002.04108): learn from some groups, judge the others, drop
what is told most clearly, and learn anew from the rest.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hnclip_cli.errors import InputError
from hnclip_cli.language.discriminator import Discriminator
from hnclip_cli.language.ngram import NUM_FOLDS, Texts, score_in_folds
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, as_records, hash64
from hnclip_cli.streams.spool import Spool

# Differences of one kind are compared within bins of about this many pairs, of equal numbers.
PAIRS_PER_BIN = 50
MAX_BINS = 20

# Where balance would drop more than half of a kind, it may be left this far from 50 %.
MAX_ACCURACY = 0.55

# The filter drops this share of all pairs at a time, until what is left is learned no better than
# this, or is only this share of all pairs.
FILTERED_AT_A_TIME = 0.05
MAX_LEARNED_ACCURACY = 0.57
MIN_UNFILTERED = 0.58


class KindReport(NamedTuple):
    """What became of one kind: pairs, and in how many the text alone prefers the caption.

    A pair that scores the same is half right.
    """

    pairs: int
    right: float
    kept_pairs: int
    kept_right: float

    def __str__(self) -> str:
        share = f"kept {self.kept_pairs} of {self.pairs}"
        share += f" negatives ({self.kept_pairs / self.pairs:.0%})"
        if not self.kept_pairs:
            return share
        before, after = self.right / self.pairs, self.kept_right / self.kept_pairs
        return f"{share}; blind accuracy {before:.1%} before, {after:.1%} after"


def refine(
    records: Iterable[Mapping[str, Any]], *, seed: int = 0, policy: ErrorPolicy | None = None
) -> "Refined":
    """Drop negatives that a text model recognizes without the image.

    The whole set must be known before anything is dropped: it is written to a temporary file. In
    memory are one trigram model and about 150 bytes for each negative.

    Args:
        records: short records with ``negatives``, at least an empty list.
        seed: of the choice among equals.
        policy: what to do with a bad record; by default it is an error.

    Returns:
        The records in order, with those of their negatives that are kept.

    Raises:
        InputError: a bad record, unless the policy skips it.
    """
    policy = policy or ErrorPolicy()
    spool = Spool()
    numbers: dict[str, int] = {}
    kinds, order = array("I"), array("Q")
    discriminator = Discriminator()
    for record in as_records(records):
        try:
            _ = record.caption, record.group
            if "negatives" not in record:
                raise record.error('missing field "negatives"', hint="hnclip negatives first")
            negatives, name = record.negatives, record.id
        except InputError as error:
            policy.bad(error)
            continue
        for position, negative in enumerate(negatives):
            kinds.append(numbers.setdefault(negative.kind, len(numbers)))
            order.append(hash64(seed, name, negative.kind, position))
            discriminator.add(record.caption, negative.caption, hash64(record.group))
        spool.add(record)
    # How much the text alone prefers the caption to each negative, in nats.
    gaps = array("d")
    for _, (caption, *others) in score_in_folds(lambda: spool, _texts):
        gaps.extend(caption - other for other in others)
    unfiltered = filtered(discriminator, order)
    kept, reports = bytearray(len(gaps)), {}
    for kind, number in numbers.items():
        all_of_it = [i for i, of in enumerate(kinds) if of == number]
        members = [i for i in all_of_it if unfiltered[i]]
        chosen = choose([gaps[i] for i in members], [(order[i], i) for i in members])
        for place in chosen:
            kept[members[place]] = 1
        reports[kind] = KindReport(
            len(all_of_it),
            _right(gaps[i] for i in all_of_it),
            len(chosen),
            _right(gaps[members[place]] for place in chosen),
        )
    return Refined(spool, kept, reports)


@dataclass(eq=False)
class Refined:
    """The records that `refine` returns."""

    _spool: Spool
    _kept: bytearray
    # What became of each kind, in the order in which the kinds appear.
    reports: dict[str, KindReport]

    def __iter__(self) -> Iterator[Record]:
        kept = iter(self._kept)
        for record in self._spool:
            record["negatives"] = [item for item in record["negatives"] if next(kept)]
            yield record

    def summary(self) -> list[str]:
        """What was kept, a line for all and one for each kind."""
        if not self.reports:
            return ["refine: no negatives"]
        rows = {"refine": KindReport(*map(sum, zip(*self.reports.values(), strict=True)))}
        if len(self.reports) > 1:
            rows |= self.reports
        return [f"{name}: {report}" for name, report in rows.items()]


def fold(group: str) -> int:
    """The part of the set that a group's pairs are scored with; its captions are in no other."""
    return hash64("fold", group) % NUM_FOLDS


def filtered(discriminator: Discriminator, order: Sequence[int]) -> NDArray[np.bool_]:
    """Which pairs are left when those that are told most clearly have been dropped, shape (pairs,).

    ``order``, lowest first, decides among pairs that are told as clearly.
    """
    left = np.ones(len(order), bool)
    tie_breaks = np.asarray(order, np.uint64)
    least = math.ceil(MIN_UNFILTERED * len(left))
    attempt = 0
    while True:
        members = np.flatnonzero(left)
        preferences = discriminator.preferences(left, attempt)
        surplus = np.heaviside(preferences, 0.5).sum() - MAX_LEARNED_ACCURACY * len(members)
        # Twice the standard error: of few pairs, some are told by chance.
        if surplus <= math.sqrt(len(members)) or len(members) <= least:
            return left
        count = min(math.ceil(FILTERED_AT_A_TIME * len(left)), len(members) - least)
        clearest = np.lexsort((tie_breaks[members], -preferences))[:count]
        left[members[clearest[preferences[clearest] > 0]]] = False
        attempt += 1


def choose(gaps: Sequence[float], order: Sequence[tuple[int, int]]) -> set[int]:
    """The pairs of one kind to keep, as indices.

    ``gaps`` say how much the text alone prefers the caption of each pair (below 0, the negative),
    and ``order``, lowest first, decides among pairs of about the same difference.

    In bins of the absolute difference, as many are kept on either side; then the smallest left over
    on either side, so that both come to the number of the smaller. Ties stay. Where that would be
    less than half, the smallest differences of the larger side come back, until half are kept or
    that side is `MAX_ACCURACY` of what is kept.
    """
    found = {i for i, gap in enumerate(gaps) if gap == 0}
    ranked = sorted((i for i, gap in enumerate(gaps) if gap), key=lambda i: abs(gaps[i]))
    size, num_bins = len(ranked), min(MAX_BINS, max(1, len(ranked) // PAIRS_PER_BIN))
    left: tuple[list[int], list[int]] = ([], [])
    for number in range(num_bins):
        members = ranked[size * number // num_bins : size * (number + 1) // num_bins]
        members.sort(key=lambda i: order[i])
        sides = [i for i in members if gaps[i] > 0], [i for i in members if gaps[i] < 0]
        count = min(map(len, sides))
        for side, rest in zip(sides, left, strict=True):
            found.update(side[:count])
            rest += side[count:]
    for rest in left:
        rest.sort(key=lambda i: (abs(gaps[i]), order[i]))
    fewer, more = sorted(left, key=len)
    found.update(fewer, more[: len(fewer)])
    num_larger = len(found) / 2  # ties are half on either side
    for i in more[len(fewer) :]:
        if 2 * len(found) >= len(gaps) or num_larger + 1 > MAX_ACCURACY * (len(found) + 1):
            break
        found.add(i)
        num_larger += 1
    return found


def _texts(record: Record) -> Texts:
    negatives = [negative.caption for negative in record.negatives]
    return Texts(fold(record.group), [record.caption], [record.caption, *negatives])


def _right(gaps: Iterable[float]) -> float:
    """In how many pairs the text alone prefers the caption."""
    return math.fsum(0.5 if gap == 0 else gap > 0 for gap in gaps)
