"""How usual a pair of words is: the ratio of its count to the count that chance would give.

It is shrunk towards the ratio of the families of the words (families.tsv), so that pairs never seen
borrow from their like:

    ratio(a, b) = (count(a, b) + k r) / (count(a) count(b) / total + k)

where r is the geometric mean of the ratios of (a, family of b) and (family of a, b), which are
shrunk in the same way towards that of the two families. With a Gamma prior of mean r and weight k
this is the posterior mean of a Poisson rate, as in DuMouchel, "Bayesian data mining in large
frequency tables" (1999).
"""

from functools import cached_property

import numpy as np

# Weights of the priors: of a pair, of a word with a family, of two families; of how often a word
# plays a part.
_PAIR, _HALF, _FAMILIES, _PART = 0.5, 1.5, 4.0, 3.0
# How much it counts that a word plays a part at all, beside with which other one.
PART_WEIGHT = 0.44
# What it costs that no caption has a pair.
_UNSEEN_LINK = 1.2


class Rows:
    """A sparse matrix by rows, of which only the first columns are kept."""

    def __init__(
        self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, num_columns: int
    ) -> None:
        kept = np.flatnonzero(columns < num_columns)
        order = kept[np.argsort(rows[kept], kind="stable")]
        self._columns, self._values = columns[order], values[order].astype("f4")
        numbers, starts = np.unique(rows[order], return_index=True)
        stops = [*starts.tolist(), len(order)][1:]
        spans = zip(numbers.tolist(), starts.tolist(), stops, strict=True)
        self._spans = {number: (start, stop) for number, start, stop in spans}

    def of(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """The columns and values of a row."""
        start, stop = self._spans.get(row, (0, 0))
        return self._columns[start:stop], self._values[start:stop]


class Side:
    """One side of a relation: how usual each choice is there.

    Args:
        mine: (P,) the words on this side of each pair.
        others: (P,) those on the other side.
        counts: (P,) of the pairs.
        shares: (W,) of all words.
        families: (W,) of all words.
        size: the number of choices.
    """

    def __init__(
        self,
        mine: np.ndarray,
        others: np.ndarray,
        counts: np.ndarray,
        shares: np.ndarray,
        families: np.ndarray,
        size: int,
    ) -> None:
        self._mine, self._others, self._counts = mine, others, counts
        self._shares, self._all_families = shares, families
        self._families = families[:size]
        self._num_families = int(families.max(initial=0)) + 1
        self._total = max(1, int(counts.sum()))
        self._by_family: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self._others, self._mine, self._counts, len(self._families))

    @cached_property
    def _own(self) -> np.ndarray:
        return np.bincount(self._mine, self._counts, len(self._all_families))

    @cached_property
    def _of_others(self) -> np.ndarray:
        """How often each word stands on the other side, as a share of all pairs; (W,)."""
        return np.bincount(self._others, self._counts, len(self._all_families)) / self._total

    @cached_property
    def _own_of_families(self) -> np.ndarray:
        """How often words of each family stand here; (F,)."""
        return np.bincount(self._all_families, self._own, self._num_families)

    @cached_property
    def _part(self) -> np.ndarray:
        """How usual it is for each word to stand here, in nats; (W,)."""
        expected = self._total * self._shares
        ratio = self._own_of_families + _PART
        ratio /= np.bincount(self._all_families, expected, self._num_families) + _PART
        part: np.ndarray = (self._own + _PART * ratio[self._all_families]) / (expected + _PART)
        np.log(part, out=part)
        return part

    def counts(self, other: int) -> tuple[np.ndarray, np.ndarray]:
        """The choices that some caption has here with another word, and how often."""
        return self._rows.of(other)

    def is_seen(self, mine: int, other: int) -> bool:
        """Whether some caption has a word here with another one on the other side."""
        key = other * len(self._all_families) + mine
        place = int(np.searchsorted(self._keys, key))
        return place < len(self._keys) and bool(self._keys[place] == key)

    @cached_property
    def _keys(self) -> np.ndarray:
        """The pairs as numbers, in order; (P,)."""
        keys: np.ndarray = self._others * len(self._all_families) + self._mine
        return np.sort(keys)

    def log_part(self, number: int) -> float:
        return float(self._part[number])

    def _with_family(self, family: int) -> tuple[np.ndarray, np.ndarray]:
        """The ratios of each family (F,) and each choice (C,) to words of a family."""
        if family not in self._by_family:
            chosen = self._all_families[self._others] == family
            counts = np.bincount(self._mine[chosen], self._counts[chosen], len(self._all_families))
            share = self._of_others[self._all_families == family].sum()
            both = np.bincount(self._all_families, counts, self._num_families) + _FAMILIES
            both /= self._own_of_families * share + _FAMILIES
            size = len(self._families)
            ratio = counts[:size] + _HALF * both[self._families]
            ratio /= self._own[:size] * share + _HALF
            self._by_family[family] = both, ratio.astype("f4")
        return self._by_family[family]

    def row(self, other: int, weight: float) -> np.ndarray:
        """How usual each choice is with another word on the other side, in nats; (C,)."""
        share = self._of_others[other]
        columns, counts = self._rows.of(other)
        both, ratio = self._with_family(int(self._all_families[other]))
        families = np.bincount(self._families[columns], counts, self._num_families) + _HALF * both
        families /= self._own_of_families * share + _HALF
        row: np.ndarray = families.astype("f4")[self._families]
        row *= ratio
        np.sqrt(row, out=row)
        row *= np.float32(_PAIR)
        row[columns] += counts
        expected = self._own_choices * np.float32(share)
        expected += np.float32(_PAIR)
        row /= expected
        np.log(row, out=row)
        row *= np.float32(weight)
        row += self._unseen_part
        row[columns] += np.float32(_UNSEEN_LINK)
        return row

    @cached_property
    def _own_choices(self) -> np.ndarray:
        """How often each choice stands here, (C,)."""
        return self._own[: len(self._families)].astype("f4")

    @cached_property
    def _unseen_part(self) -> np.ndarray:
        """What adds to each choice that no caption has beside a word, (C,)."""
        part: np.ndarray = PART_WEIGHT * self._part[: len(self._families)] - _UNSEEN_LINK
        return part.astype("f4")
