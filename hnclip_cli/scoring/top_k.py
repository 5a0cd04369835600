"""The nearest rows of a gallery, tile by tile, exactly."""

import numpy as np

# Queries and gallery rows whose products are held at a time: 64 MB of float32.
QUERIES_PER_BLOCK = 1024
ROWS_PER_TILE = 16384

_PAIRS_AT_ONCE = 1024
_CANDIDATES_AT_ONCE = 1 << 20
_FEW = 32  # candidates a query, beside the k best, that cost less than a closer look
_NONE = np.iinfo(np.int64).max
_ROUNDOFF = 2.0**-24  # of one float32 operation


class TopK:
    """The k gallery rows of highest cosine for each query.

    The cosine of two float32 rows is computed in float64 and rounded to float32, so it does not
    depend on tiles, threads or the library that multiplies matrices; equal cosines go by index.
    The float32 matrix product only finds the candidates: every row whose product lies within
    the bound of its rounding error from the k-th best so far.

    Args:
        queries: shape (Q, D), float32, finite. The cosine with a row of zeros is 0.
        k: how many.
    """

    def __init__(self, queries: np.ndarray, k: int) -> None:
        self._queries = queries
        self._norms, self._unit = normalize(queries)
        self._k = k
        # Of a dot product of unit rows, summed in any order, and of the rounding of what it is
        # compared with.
        self._slack = np.float32((queries.shape[1] + 16) * _ROUNDOFF)
        self._scores = np.full((len(queries), k), -np.inf, np.float32)
        self._indices = np.full((len(queries), k), _NONE, np.int64)
        # Fresh memory of this size would cost a page fault every 4 kB.
        size = min(len(queries), QUERIES_PER_BLOCK) * ROWS_PER_TILE
        self._products, self._flags = np.empty(size, np.float32), np.empty(size, bool)

    def update(self, tile: "Tile") -> None:
        """Take further gallery rows into account; their numbers are higher than those before."""
        if self._k and len(tile.numbers):
            for start in range(0, len(self._queries), QUERIES_PER_BLOCK):
                self._update_block(start, tile)

    def _update_block(self, start: int, tile: "Tile") -> None:
        unit = self._unit[start : start + QUERIES_PER_BLOCK]
        shape = len(unit), len(tile.numbers)
        size = shape[0] * shape[1]
        products, flags = self._products[:size].reshape(shape), self._flags[:size].reshape(shape)
        np.matmul(unit, tile.unit.T, out=products)
        floor = self._scores[start : start + len(unit), -1] - self._slack
        self._flag(products, floor, flags, tile)
        positions = np.flatnonzero(flags)
        for first in range(0, len(positions), _CANDIDATES_AT_ONCE):
            queries, columns = np.divmod(
                positions[first : first + _CANDIDATES_AT_ONCE], len(tile.numbers)
            )
            queries += start
            self._merge(queries, tile.numbers[columns], self._cosines(queries, tile, columns))

    def _flag(
        self, products: np.ndarray, floor: np.ndarray, flags: np.ndarray, tile: "Tile"
    ) -> None:
        """Mark what may be among the k best: few, except where rows are all but the same."""
        enough = (self._k + _FEW) * len(products)
        np.greater_equal(products, floor[:, None], out=flags)
        if np.count_nonzero(flags) <= enough:
            return
        place = len(tile.numbers) - self._k
        if place >= 0:  # the first tile, or later rows that are better and better
            best = np.partition(products, place, axis=1)[:, place]
            np.maximum(floor, best - 2 * self._slack, out=floor)
            np.greater_equal(products, floor[:, None], out=flags)
            if np.count_nonzero(flags) > enough:
                flags &= first_copies(tile.unit, self._k)

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and cosines of the best rows, best first, each of shape (Q, k).

        Where the gallery has fewer rows than k, the cosine is -inf.
        """
        return self._indices, self._scores

    def _cosines(self, queries: np.ndarray, tile: "Tile", columns: np.ndarray) -> np.ndarray:
        found = np.empty(len(queries), np.float32)
        for start in range(0, len(queries), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            one, other = queries[part], columns[part]
            left, right = self._queries[one], tile.rows[other]
            dots = np.einsum("nd,nd->n", left, right, dtype=np.float64)
            found[part] = dots / self._norms[one] / tile.norms[other]
        return found

    def _merge(self, queries: np.ndarray, numbers: np.ndarray, scores: np.ndarray) -> None:
        touched = np.unique(queries)
        every_query = np.concatenate([np.repeat(touched, self._k), queries])
        every_number = np.concatenate([self._indices[touched].ravel(), numbers])
        every_score = np.concatenate([self._scores[touched].ravel(), scores])
        order = np.lexsort((every_number, -every_score, every_query))
        firsts = np.searchsorted(every_query[order], touched)
        best = order[firsts[:, None] + np.arange(self._k)]
        self._indices[touched], self._scores[touched] = every_number[best], every_score[best]


class Tile:
    """Gallery rows, shape (T, D), float32 and finite, with their ascending numbers, shape (T,)."""

    def __init__(self, rows: np.ndarray, numbers: np.ndarray) -> None:
        self.rows = rows
        self.numbers = numbers
        self.norms, self.unit = normalize(rows)


def normalize(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lengths, float64, and rows of length 1, float32; a row of zeros stays and counts as 1."""
    norms = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    norms[norms == 0] = 1
    if len(norms) and norms.min() > 1e-30 and norms.max() < 1e30:
        unit = rows * (1 / norms).astype(np.float32)[:, None]
    else:  # float32 does not hold such a factor
        unit = (rows / norms[:, None]).astype(np.float32)
    return norms, unit


def first_copies(rows: np.ndarray, k: int) -> np.ndarray:
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
