"""Retrieval among all images and captions: ranks of the true ones, counted in tiles."""

from array import array
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hnclip_cli.evaluation.bootstrap import Resampling
from hnclip_cli.evaluation.margins import Bools, Ints
from hnclip_cli.evaluation.measures import key_of
from hnclip_cli.evaluation.tally import cluster_key
from hnclip_cli.streams.npy import Array
from hnclip_cli.streams.records import Record, RowsOf

Features = NDArray[np.float32]
Rows = Mapping[RowsOf, Array]  # of each array the rows of one record, shape (1, D)

RECALL_AT = (1, 5, 10)
CAPTION_TILE = 512
IMAGE_TILE = 2048


class EmbeddedPairs:
    """Keep the rows that count: of each record its caption's, of each group its first image's."""

    def __init__(self) -> None:
        self._images, self._captions = bytearray(), bytearray()
        self._owner = array("q")
        self._groups: dict[int, int] = {}

    def check(self, record: Record, rows: Rows) -> None:
        """`InputError` for no pair, or for a row without a direction (NaN, infinite, zero)."""
        if record.is_matching:
            raise record.error(
                "retrieval needs records of one image and one caption",
                got='a record with "images" and "captions"',
            )
        for name, row in rows.items():
            norm = _norm(row)
            if not (np.isfinite(norm) and norm > 0):
                raise record.error(
                    f'record "{record.id}": its {name} embedding cannot be used',
                    got=f"row {record.index} of length {norm:g}",
                    expected="finite numbers, not all zero",
                    hint="--on-error skip, or embedding it again",
                )

    def add(self, record: Record, rows: Rows) -> None:
        """Keep the rows of a record that was checked."""
        group = cluster_key(record)
        if group not in self._groups:
            self._groups[group] = len(self._groups)
            self._images += _normalized(rows["image"])
        self._captions += _normalized(rows["caption"])
        self._owner.append(self._groups[group])

    def recalls(self, resampling: Resampling) -> dict[str, Any]:
        """The section of the report; empty where there are no pairs."""
        if not self._groups:
            return {}
        owner = np.array(self._owner, dtype=np.int64)
        images = np.frombuffer(self._images, np.float32).reshape(len(self._groups), -1)
        captions = np.frombuffer(self._captions, np.float32).reshape(len(owner), -1)
        of_images, of_captions = rank(images, captions, owner)
        found = {}
        for direction, ranks, cluster in (
            ("image_to_text", of_images, np.arange(len(images))),
            ("text_to_image", of_captions, owner),
        ):
            hits = {f"R@{k}": ranks.rank < k for k in RECALL_AT}
            found[direction] = {name: float(hit.mean()) for name, hit in hits.items()} | {
                "intervals": {
                    name: resampling.interval(cluster, np.zeros_like(cluster), hit)
                    for name, hit in hits.items()
                },
                "keys": {name: key_of("retrieval", direction, name.lower()) for name in hits},
                "n": len(cluster),
                "num_ties": int(ranks.tied.sum()),
            }
        return found


def _norm(row: Array) -> np.float64:
    with np.errstate(over="ignore", invalid="ignore"):
        norm: np.float64 = np.linalg.norm(row.astype(np.float64), axis=1)[0]
    return norm


def _normalized(row: Array) -> bytes:
    unit: Features = (row / _norm(row)).astype(np.float32)
    return unit.tobytes()


class Ranks(NamedTuple):
    """Of each query its rank from 0, and whether an exact tie had to be broken to find it."""

    rank: Ints
    tied: Bools

    @classmethod
    def of(cls, num_queries: int) -> "Ranks":
        """All first."""
        return cls(np.zeros(num_queries, np.int64), np.zeros(num_queries, bool))


def rank(images: Features, captions: Features, owner: Ints) -> tuple[Ranks, Ranks]:
    """Rank each image's best caption among the captions, and each caption's image among the images.

    Scores are summed in float64 and rounded to float32, so that equal embeddings tie whatever
    tile they fall in. A competitor of equal score comes first if its index is lower. Memory is
    one tile beyond the arguments, never the full matrix: L2-normalized images (G, D) and captions
    (N, D), and of each caption its ``owner`` (N,), the image that it is true for.
    """
    own = _own_scores(images, captions, owner)
    # The best true caption of an image: the highest score, then the lowest index.
    by_image = np.lexsort((np.arange(len(owner)), -own, owner))
    champion = by_image[np.flatnonzero(np.diff(owner[by_image], prepend=-1))]
    best = own[champion]

    of_images, of_captions = Ranks.of(len(images)), Ranks.of(len(captions))
    for top in range(0, len(captions), CAPTION_TILE):
        rows = np.arange(top, min(top + CAPTION_TILE, len(captions)))
        left_factor = captions[rows].astype(np.float64)
        for left in range(0, len(images), IMAGE_TILE):
            columns = np.arange(left, min(left + IMAGE_TILE, len(images)))
            tile = (left_factor @ images[columns].astype(np.float64).T).astype(np.float32)
            inside = np.flatnonzero((owner[rows] >= left) & (owner[rows] <= columns[-1]))
            tile[inside, owner[rows[inside]] - left] = -np.inf  # the true ones are no rivals
            _count(tile, rows, columns, own, owner, of_captions)
            _count(tile.T, columns, rows, best, champion, of_images)
    return of_images, of_captions


def _own_scores(images: Features, captions: Features, owner: Ints) -> Features:
    own = np.empty(len(captions), np.float32)
    for top in range(0, len(captions), CAPTION_TILE):
        rows = slice(top, top + CAPTION_TILE)
        pairs = captions[rows].astype(np.float64) * images[owner[rows]]
        own[rows] = pairs.sum(axis=1)
    return own


def _count(
    tile: Features,
    queries: Ints,
    candidates: Ints,
    true_score: Features,
    true_index: Ints,
    ranks: Ranks,
) -> None:
    """Add the rivals of this tile that come before the true one; tile is query by candidate."""
    bar = true_score[queries, None]
    ranks.rank[queries] += np.count_nonzero(tile > bar, axis=1)
    query, candidate = np.nonzero(tile == bar)
    query = queries[query]
    ranks.tied[query] = True
    np.add.at(ranks.rank, query[candidates[candidate] < true_index[query]], 1)
