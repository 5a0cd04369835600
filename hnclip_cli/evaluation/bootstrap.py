"""Intervals by resampling whole clusters, on counts alone.

Clusters with the same counts are exchangeable, so a round of the cluster bootstrap (Efron and
Tibshirani 1993, chapter 8) is one multinomial draw of how often each *type* of cluster comes up.
That is exact, and its cost depends on the number of types, not of records.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hnclip_cli.evaluation.margins import Counted, Floats, Ints

LEVEL = 0.95
SHARE = 1 << 16  # parts that a share is counted in
MAX_WEIGHTS = 1 << 22  # elements of one block of weights: 32 MB
DENSE = 4  # cells per observation, above which counting all of them is slower than sorting
FEW = 0.25  # types per cluster, below which drawing types is faster than drawing clusters


@dataclass(frozen=True)
class Counts:
    """Right answers and answers of each (cluster, column) that has any, shape (E,) each.

    A sparse table, sorted by column.
    """

    cluster: Ints
    column: Ints
    correct: Ints
    total: Ints

    @classmethod
    def of(cls, cluster: Ints, column: Ints, correct: Counted) -> "Counts":
        """Add up observations, shape (n,) each; one may count for more than one right answer."""
        num_clusters = int(cluster.max()) + 1
        cell = column * num_clusters + cluster
        if (int(column.max()) + 1) * num_clusters > DENSE * len(cell):
            cells, cell = np.unique(cell, return_inverse=True)
            total = np.bincount(cell)
        else:  # counting without sorting
            total = np.bincount(cell)
            cells = np.flatnonzero(total)
        right = np.bincount(cell, weights=correct).astype(np.int64)
        used = total > 0
        return cls(cells % num_clusters, cells // num_clusters, right[used], total[used])


@dataclass(frozen=True)
class Resampling:
    """How intervals are made; no rounds make none.

    Every number starts from the same seed, and only its counts matter: the same counts have the
    same interval wherever they are reported, in whatever order the records came.
    """

    rounds: int = 1000
    seed: int = 0

    def interval(
        self, cluster: Ints, column: Ints, correct: Counted, weights: Floats | None = None
    ) -> list[float] | None:
        """The percentile interval of the `means`; None where there are none."""
        return percentiles(self.means(cluster, column, correct, weights))

    def means(
        self, cluster: Ints, column: Ints, correct: Counted, weights: Floats | None = None
    ) -> Floats | None:
        """The mean accuracy of columns 0 to S-1 in each round, shape (rounds,).

        None for fewer than two clusters: they cannot vary. There are n observations; ``weights``
        are those of the columns in the mean, shape (S,), equal by default.
        """
        if self.rounds == 0:
            return None
        if correct.dtype.kind == "f":  # shares, as whole numbers
            whole = np.rint(correct * SHARE).astype(np.int64)
            means = self.means(cluster, column, whole, weights)
            return None if means is None else means / SHARE
        counts = Counts.of(cluster, column, correct)
        clusters, number = np.unique(counts.cluster, return_inverse=True)
        if len(clusters) < 2:
            return None
        rng = np.random.default_rng(self.seed)
        return resample(replace(counts, cluster=number), self.rounds, rng, weights)


def percentiles(means: Floats | None) -> list[float] | None:
    """The interval that holds `LEVEL` of the means, as many beyond each end."""
    if means is None:
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return [float(low), float(high)]


def p_value(differences: Floats | None) -> float | None:
    """How likely so clear a difference is without one, two-sided, from its bootstrap (rounds,).

    Twice the share of rounds on the far side of zero, the sample itself being one more round
    (Davison and Hinkley 1997, chapter 4): never below 2 / (rounds + 1).
    """
    if differences is None:
        return None
    rounded = np.round(differences, 12)  # what adds up to zero is zero
    beyond = min(int((rounded <= 0).sum()), int((rounded >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(rounded) + 1))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values, corrected for how many there are (Holm 1979); None stays None."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        corrected[place] = largest
    return corrected


def resample(
    counts: Counts, rounds: int, rng: np.random.Generator, weights: Floats | None = None
) -> Floats:
    """Mean accuracy of the columns in each round, shape (rounds,).

    All columns of a cluster are drawn together, because they share an image. A round that draws
    nothing of some column is the mean of the others. There are counts of clusters 0 to C-1, of
    which C are drawn with replacement, and of columns 0 to S-1; ``weights`` (S,) are of these.
    """
    representatives, sizes = _types(counts)
    type_of_cluster = np.full(int(sizes.sum()), -1)
    type_of_cluster[representatives] = np.arange(len(sizes))
    of_type = type_of_cluster[counts.cluster]
    kept = of_type >= 0  # the entries of one cluster of each type
    of_type, correct, total = of_type[kept], counts.correct[kept], counts.total[kept]
    starts = np.flatnonzero(np.diff(counts.column[kept], prepend=-1))
    share = np.ones(len(starts)) if weights is None else weights

    means = np.empty(rounds)
    block = max(1, MAX_WEIGHTS // len(of_type))
    for first in range(0, rounds, block):
        size = min(block, rounds - first)
        drawn = _weights(size, sizes, rng)[:, of_type]
        right = np.add.reduceat(drawn * correct, starts, axis=1)
        answers = np.add.reduceat(drawn * total, starts, axis=1)
        accuracy = np.divide(right, answers, where=answers > 0, out=np.zeros(right.shape))
        means[first : first + size] = (accuracy @ share) / ((answers > 0) @ share)
    return means


def _types(counts: Counts) -> tuple[Ints, Ints]:
    """One cluster of each type, that is of the same rows of counts, and the size of each type."""
    base = int(max(counts.total.max(), counts.correct.max())) + 1
    entry = _mix((counts.column * base + counts.total) * base + counts.correct)
    order = np.argsort(counts.cluster, kind="stable")
    starts = np.flatnonzero(np.diff(counts.cluster[order], prepend=-1))
    # A row is known by the sum of its entries' 64-bit hashes: no dense table, no collisions met.
    signature = np.add.reduceat(entry[order], starts)
    _, representatives, sizes = np.unique(signature, return_index=True, return_counts=True)
    return representatives, sizes


def _mix(codes: Ints) -> NDArray[np.uint64]:
    """Scatter integers over 64 bits (SplitMix64's finalizer, Steele et al. 2014)."""
    mixed = codes.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _weights(rounds: int, sizes: Ints, rng: np.random.Generator) -> Ints:
    """How often each type is drawn, shape (rounds, types)."""
    num_clusters, num_types = int(sizes.sum()), len(sizes)
    if num_types < FEW * num_clusters:
        return rng.multinomial(num_clusters, sizes / num_clusters, size=rounds)
    # Nearly every cluster is its own type: drawing clusters is cheaper than a binomial each.
    type_of_cluster = np.repeat(np.arange(num_types), sizes)
    weights = np.empty((rounds, num_types), np.int64)
    for row in weights:
        drawn = rng.integers(num_clusters, size=num_clusters)
        row[:] = np.bincount(type_of_cluster[drawn], minlength=num_types)
    return weights
