"""Ranks of the true image and the true caption among all, counted in tiles."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hnclip_cli.evaluation.margins import Bools, Ints

Features = NDArray[np.float32]

CAPTION_TILE = 512
IMAGE_TILE = 2048


@dataclass(frozen=True)
class Ranks:
    """Ranks from 0, and whether an exact tie had to be broken to find them."""

    image_to_text: Ints
    text_to_image: Ints
    image_tied: Bools
    text_tied: Bools


def rank(images: Features, captions: Features, owner: Ints) -> Ranks:
    """Rank each caption's image among the images, and each image's best caption among the captions.

    Scores are summed in float64 and rounded to float32, so that equal embeddings tie whatever
    tile they fall in. A competitor of equal score comes first if its index is lower. Memory is
    one tile beyond the arguments, never the full matrix.

    Args:
        images: L2-normalized, shape (G, D).
        captions: L2-normalized, shape (N, D).
        owner: the image that each caption is true for, shape (N,); each image at least once.
    """
    own = _own_scores(images, captions, owner)
    # The best true caption of an image: the highest score, then the lowest index.
    by_image = np.lexsort((np.arange(len(owner)), -own, owner))
    champion = by_image[np.flatnonzero(np.diff(owner[by_image], prepend=-1))]
    best = own[champion]

    ranks = Ranks(
        np.zeros(len(images), np.int64),
        np.zeros(len(captions), np.int64),
        np.zeros(len(images), bool),
        np.zeros(len(captions), bool),
    )
    for top in range(0, len(captions), CAPTION_TILE):
        rows = np.arange(top, min(top + CAPTION_TILE, len(captions)))
        left_factor = captions[rows].astype(np.float64)
        for left in range(0, len(images), IMAGE_TILE):
            columns = np.arange(left, min(left + IMAGE_TILE, len(images)))
            tile = (left_factor @ images[columns].astype(np.float64).T).astype(np.float32)
            inside = np.flatnonzero((owner[rows] >= left) & (owner[rows] <= columns[-1]))
            tile[inside, owner[rows[inside]] - left] = -np.inf  # the true ones are no rivals
            _count(tile, rows, columns, own, owner, ranks.text_to_image, ranks.text_tied)
            _count(tile.T, columns, rows, best, champion, ranks.image_to_text, ranks.image_tied)
    return ranks


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
    ranks: Ints,
    tied: Bools,
) -> None:
    """Add the rivals of this tile that come before the true one; tile is query by candidate."""
    bar = true_score[queries, None]
    ranks[queries] += np.count_nonzero(tile > bar, axis=1)
    query, candidate = np.nonzero(tile == bar)
    query = queries[query]
    tied[query] = True
    np.add.at(ranks, query[candidates[candidate] < true_index[query]], 1)
