"""The nearest rows of a gallery, tile by tile, exactly."""

from typing import Any

import numpy as np

Array = np.ndarray

# Queries and gallery rows whose products are held at a time: 64 MB of float32.
QUERIES_PER_BLOCK = 1024
ROWS_PER_TILE = 16384

_PAIRS_AT_ONCE = 1024
_CANDIDATES_AT_ONCE = 1 << 20
_FEW = 32  # candidates a query, beside the k best, that cost less than a closer look
_NONE = np.iinfo(np.int64).max
_ROUNDOFF = 2.0**-24  # of one float32 operation
_GRID = 2.0**-26


class Vectors:
    """Rows to be compared by cosine, shape (n, D), float32 and finite.

    A cosine is computed in float64 and rounded to float32, so it does not depend on tiles,
    threads or the library that multiplies matrices. That with a row of zeros is 0.
    """

    dtype: Any = np.float32  # of the similarities

    def __init__(self, rows: Array) -> None:
        self.rows = rows  # what similarities are computed from
        self._norms = norms = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
        norms[norms == 0] = 1
        if len(norms) and norms.min() > 1e-30 and norms.max() < 1e30:
            # Rows of length 1 within rounding, float32.
            self.unit = rows * (1 / norms).astype(np.float32)[:, None]
        else:  # float32 does not hold such a factor
            self.unit = (rows / norms[:, None]).astype(np.float32)

    def __len__(self) -> int:
        return len(self.rows)

    def similarities(self, at: Array, others: "Vectors", others_at: Array) -> Array:
        """The similarity of each row ``at`` to the one of the others that is paired with it."""
        found = np.empty(len(at), self.dtype)
        for start in range(0, len(at), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            one, other = at[part], others_at[part]
            dots = np.einsum("nd,nd->n", self.rows[one], others.rows[other], dtype=np.float64)
            found[part] = dots / self._norms[one] / others._norms[other]
        return found


class GridVectors(Vectors):
    """Rows whose similarities are sums without rounding, the same on any machine; float64.

    Components of the rows of length 1 are rounded to multiples of 2⁻²⁶. So products are multiples
    of 2⁻⁵², and their sums, below 2, fit into the 53 bits of a float64: no sum is rounded, in any
    order. A row that has no direction (zeros, NaN, infinite) becomes zeros.
    """

    dtype = np.float64

    def __init__(self, rows: Array) -> None:
        rows = np.asarray(rows, np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        usable = np.isfinite(lengths) & (lengths > 0)
        unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=usable)
        self.rows = np.rint(unit / _GRID) * _GRID
        self.unit = self.rows.astype(np.float32)
        self._norms = np.ones(len(rows))


class TopK:
    """The k gallery rows that are most similar to each query; equal ones go by their number.

    The float32 matrix product only finds the candidates: every row whose product lies within
    the bound of its rounding error from the k-th best so far.

    Args:
        limits: the largest similarity allowed for each query.
        excluded: pairs of a query and the number of a gallery row that must not meet, as two
            arrays.
    """

    def __init__(
        self,
        queries: Vectors,
        k: int,
        limits: Array | None = None,
        excluded: tuple[Array, Array] | None = None,
    ) -> None:
        self._queries = queries
        self._k = k
        self._limits = limits
        self._excluded = excluded or (np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._slack = slack_of(queries.unit)
        self._scores = np.full((len(queries), k), -np.inf, queries.dtype)
        self._numbers = np.full((len(queries), k), _NONE, np.int64)
        # Fresh memory of this size would cost a page fault every 4 kB.
        size = min(len(queries), QUERIES_PER_BLOCK) * ROWS_PER_TILE
        self._products, self._flags = np.empty(size, np.float32), np.empty(size, bool)

    def update(self, tile: Vectors, numbers: Array) -> None:
        """Take up to `ROWS_PER_TILE` further gallery rows into account.

        Their numbers, shape (T,), are ascending and higher than those before.
        """
        if self._k and len(tile):
            excluded = self._excluded_in(numbers)
            for start in range(0, len(self._queries), QUERIES_PER_BLOCK):
                self._update_block(start, tile, numbers, *excluded)

    def result(self) -> tuple[Array, Array]:
        """Numbers and similarities of the best rows, best first, each of shape (Q, k).

        Where a query has fewer of them, the similarity is -inf.
        """
        return self._numbers, self._scores

    def _excluded_in(self, numbers: Array) -> tuple[Array, Array]:
        """Excluded pairs of a tile: queries in order, and columns."""
        queries, others = self._excluded
        columns = np.searchsorted(numbers, others).clip(max=len(numbers) - 1)
        here = numbers[columns] == others
        queries, columns = queries[here], columns[here]
        order = np.argsort(queries, kind="stable")
        return queries[order], columns[order]

    def _update_block(
        self, start: int, tile: Vectors, numbers: Array, out: Array, out_columns: Array
    ) -> None:
        unit = self._queries.unit[start : start + QUERIES_PER_BLOCK]
        rows = slice(start, start + len(unit))
        shape = len(unit), len(numbers)
        size = shape[0] * shape[1]
        products, flags = self._products[:size].reshape(shape), self._flags[:size].reshape(shape)
        np.matmul(unit, tile.unit.T, out=products)
        here = slice(*np.searchsorted(out, [start, rows.stop]))
        products[out[here] - start, out_columns[here]] = -np.inf
        self._flag(products, rows, flags, tile)
        positions = np.flatnonzero(flags)
        for first in range(0, len(positions), _CANDIDATES_AT_ONCE):
            part = positions[first : first + _CANDIDATES_AT_ONCE]
            queries, columns = np.divmod(part, len(numbers))
            queries += start
            scores = self._queries.similarities(queries, tile, columns)
            if self._limits is not None:
                allowed = scores <= self._limits[queries]
                queries, columns, scores = queries[allowed], columns[allowed], scores[allowed]
            self._merge(queries, numbers[columns], scores)

    def _flag(self, products: Array, rows: slice, flags: Array, tile: Vectors) -> None:
        """Mark what may be among the k best: few, except where rows are all but the same."""
        enough = (self._k + _FEW) * len(products)
        floor = self._scores[rows, -1].astype(np.float32) - self._slack
        surely_allowed = products
        if self._limits is not None:
            limits = self._limits[rows, None]
            surely_allowed = np.where(products <= limits - self._slack, products, -np.inf)
            products[products > limits + self._slack] = -np.inf
        np.maximum(floor, np.finfo(np.float32).min, out=floor)  # what is -inf is left out
        np.greater_equal(products, floor[:, None], out=flags)
        if np.count_nonzero(flags) <= enough:
            return
        place = products.shape[1] - self._k
        if place >= 0:  # the first tile, or later rows that are better and better
            best = np.partition(surely_allowed, place, axis=1)[:, place]
            np.maximum(floor, best - 2 * self._slack, out=floor)
            np.greater_equal(products, floor[:, None], out=flags)
            if not len(self._excluded[0]) and np.count_nonzero(flags) > enough:
                flags &= first_copies(tile.rows, self._k)

    def _merge(self, queries: Array, numbers: Array, scores: Array) -> None:
        touched = np.unique(queries)
        every_query = np.concatenate([np.repeat(touched, self._k), queries])
        every_number = np.concatenate([self._numbers[touched].ravel(), numbers])
        every_score = np.concatenate([self._scores[touched].ravel(), scores])
        order = np.lexsort((every_number, -every_score, every_query))
        firsts = np.searchsorted(every_query[order], touched)
        best = order[firsts[:, None] + np.arange(self._k)]
        self._numbers[touched], self._scores[touched] = every_number[best], every_score[best]


def slack_of(unit: Array) -> np.float32:
    """By how much a float32 product of unit rows, summed in any order, may be off.

    The rounding of what it is compared with is included.
    """
    return np.float32((unit.shape[1] + 16) * _ROUNDOFF)


def first_copies(rows: Array, k: int) -> Array:
    """Which rows have fewer than k rows before them that are the same, shape (T,) bool.

    The others can be among nobody's k best.
    """
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.itemsize * rows.shape[1])))
    groups = np.unique(whole.ravel(), return_inverse=True)[1]
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    is_first = np.empty(len(rows), bool)
    is_first[order] = np.arange(len(rows)) - np.searchsorted(ordered, ordered) < k
    return is_first
