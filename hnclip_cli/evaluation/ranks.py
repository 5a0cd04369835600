"""Ranks of true pairs among all images and captions, and what is measured of them."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hnclip_cli.benchmarks import OF_RANKS, Metric
from hnclip_cli.evaluation.margins import Bools, Ints

Features = NDArray[np.float32]

CAPTION_TILE = 512
IMAGE_TILE = 2048
PAIRS_AT_ONCE = 8192


class TruePairs(NamedTuple):
    """Queries and their true candidates, by number, shape (P,) each; no pair is there twice."""

    query: Ints
    candidate: Ints


class Ranks(NamedTuple):
    """Of each true pair, shape (P,) each, by query and then by rank."""

    query: Ints
    rank: Ints  # from 1
    tied: Bools  # whether a false candidate of the same score had to be told apart from it


def rank(
    images: Features, captions: Features, of_images: TruePairs, of_captions: TruePairs
) -> tuple[Ranks, Ranks]:
    """Rank the true captions of images among all captions, and the true images of captions.

    Scores are summed in float64 and rounded to float32, so that equal embeddings tie whatever
    tile they fall in. A competitor of equal score comes first if its index is lower. Memory is
    a few tiles beyond the arguments, never the full matrix: L2-normalized images (G, D) and
    captions (N, D). The two lists of pairs need not be the same.
    """
    by_caption = _Ranking(of_captions, captions, images)
    by_image = _Ranking(of_images, images, captions)
    for top in range(0, len(captions), CAPTION_TILE):
        left_factor = captions[top : top + CAPTION_TILE].astype(np.float64)
        for left in range(0, len(images), IMAGE_TILE):
            right_factor = images[left : left + IMAGE_TILE].astype(np.float64)
            tile = (left_factor @ right_factor.T).astype(np.float32)
            by_caption.count(tile, top, left)
            by_image.count(tile.T, left, top)
    return by_image.ranks(), by_caption.ranks()


def rank_margins(
    direction: str, ranks: Sequence[int], metrics: Iterable[Metric]
) -> dict[tuple[str, int], Sequence[float]]:
    """What official numbers need of one query, by measure and k.

    Args:
        direction: of `DIRECTIONS`.
        ranks: of its R true candidates, from 1, rising.
        metrics: of its benchmark.

    Returns:
        R@k: a margin, above zero where one of the first k is true. R-Precision: the share of true
        ones among the first R. mAP@R: the mean over the first R places of the precision there,
        zero at a false one (Musgrave et al. 2020, arXiv:2003.08505, section 3.2).
    """
    inside = [place for place in ranks if place <= len(ranks)]
    precisions = [number / place for number, place in enumerate(inside, 1)]
    found: dict[tuple[str, int], Sequence[float]] = {}
    for metric in metrics:
        for name in chain(*metric.measures):
            if name == f"{direction}_{OF_RANKS['R']}":
                found[name, metric.rank] = [metric.rank + 0.5 - ranks[0]]
            elif name == f"{direction}_{OF_RANKS['R-Precision']}":
                found[name, 1] = [len(inside) / len(ranks)]
            elif name == f"{direction}_{OF_RANKS['mAP']}":
                found[name, 1] = [sum(precisions) / len(ranks)]
    return found


class _Ranking:
    """The true pairs of one direction in the order of their ranks, and what comes before each."""

    def __init__(self, pairs: TruePairs, queries: Features, candidates: Features) -> None:
        score = _pair_scores(pairs, queries, candidates)
        order = np.lexsort((pairs.candidate, -score, pairs.query))
        self.query, self.candidate = pairs.query[order], pairs.candidate[order]
        self.score = score[order]
        # Of true candidates, those that stand before it in its query.
        self.before = np.arange(len(order)) - np.searchsorted(self.query, self.query)
        self.tied = np.zeros(len(order), bool)

    def count(self, tile: Features, first_query: int, first_candidate: int) -> None:
        """Add the false candidates of a tile, query by candidate, that come before each pair."""
        ends = np.searchsorted(self.query, [first_query, first_query + len(tile)])
        query = self.query[slice(*ends)] - first_query
        candidate = self.candidate[slice(*ends)] - first_candidate
        inside = (candidate >= 0) & (candidate < tile.shape[1])
        false = tile.copy()
        false[query[inside], candidate[inside]] = -np.inf
        for start in range(ends[0], ends[1], PAIRS_AT_ONCE):
            pairs = slice(start, min(start + PAIRS_AT_ONCE, ends[1]))
            rivals, bar = false[self.query[pairs] - first_query], self.score[pairs, None]
            self.before[pairs] += np.count_nonzero(rivals > bar, axis=1)
            pair, rival = np.nonzero(rivals == bar)
            pair += start
            self.tied[pair] = True
            is_first = rival + first_candidate < self.candidate[pair]
            np.add.at(self.before, pair[is_first], 1)

    def ranks(self) -> Ranks:
        return Ranks(self.query, self.before + 1, self.tied)


def _pair_scores(pairs: TruePairs, queries: Features, candidates: Features) -> Features:
    scores = np.empty(len(pairs.query), np.float32)
    for start in range(0, len(scores), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        products = queries[pairs.query[some]].astype(np.float64) * candidates[pairs.candidate[some]]
        scores[some] = products.sum(axis=1)
    return scores
