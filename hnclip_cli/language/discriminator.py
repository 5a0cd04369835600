"""Which of two texts is a caption and which its near-copy, by the words in which they differ.

A logistic regression of word n-grams that is trained on pairs: the Bradley-Terry model with
features. A text's score is a sum of weights; how likely the first of two texts is the caption, is
the logistic function of the difference of their scores. What both texts say cancels.
"""

import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hnclip_cli.language.ngram import NUM_FOLDS, tokenize

_STEPS, _LEARNING_RATE, _PENALTY = 20, 0.5, 4.0
# Features are hashed to numbers below this.
_NUM_HASHES = 1 << 21
# Pairs that are computed at a time.
_BLOCK = 1 << 14
_START, _END, _ANY = 1, 2, 3  # among checksums of words


class Discriminator:
    """Pairs of a caption and a near-copy, told apart by what the words of other pairs show.

    It keeps about 100 bytes for each pair.
    """

    def __init__(self) -> None:
        # Twice the number of a feature, and 1 more where it is the near-copy's.
        self._features = array("I")
        self._lengths = array("I")
        self._groups = array("Q")

    def add(self, caption: str, other: str, group: int) -> None:
        """A further pair; those of one ``group``, 64 bits, never judge each other."""
        before = len(self._features)
        self._features.extend(_differences(tokenize(caption), tokenize(other)))
        self._lengths.append(len(self._features) - before)
        self._groups.append(group)

    def preferences(self, chosen: NDArray[np.bool_], seed: int = 0) -> NDArray[np.float64]:
        """How much the words prefer the caption, in nats, for each pair that is chosen.

        Args:
            chosen: the pairs that judge and are judged, shape (pairs,): each by a model of those
                in other folds, which the groups are dealt to.
            seed: of the folds.
        """
        lengths = np.asarray(self._lengths)
        features = np.asarray(self._features)[np.repeat(chosen, lengths)]
        data = _Data.of(features, lengths[chosen])
        folds = _folds(np.asarray(self._groups)[chosen], seed)
        found = np.zeros(len(folds))
        for fold in range(NUM_FOLDS):
            judged = folds == fold
            weights = data.fitted(~judged)
            found[judged] = data.scores(weights)[judged]
        return found.round(6)  # sums in another order differ in their last digits


class _Data(NamedTuple):
    """Features of pairs, one pair after the other; feature 0 means nothing."""

    features: NDArray[np.uint32]
    lengths: NDArray[np.int64]  # of each pair, at least 1
    num_features: int

    @classmethod
    def of(cls, features: NDArray[np.uint32], lengths: NDArray[np.uint32]) -> "_Data":
        """With numbers in a row for the features of several pairs; of others nothing is known."""
        counts = np.bincount(features >> 1, minlength=_NUM_HASHES)
        is_known = counts > 1
        is_known[0] = False
        numbers = np.cumsum(is_known, dtype=np.uint32)
        num_features = 1 + int(numbers[-1])
        numbers[~is_known] = 0
        renumbered = numbers[features >> 1] << 1 | features & 1
        return cls(renumbered, lengths.astype(np.int64), num_features)

    def fitted(self, learned: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The weights of a model of some pairs, by Adagrad over all of them at each step.

        Source: Duchi, Hazan and Singer (2011), with an L2 penalty.
        """
        weights, squares = np.zeros(self.num_features), np.full(self.num_features, 0.01)
        for _ in range(_STEPS):
            gradient = _PENALTY * weights - self._pull(weights, learned)
            gradient[0] = 0.0
            squares += gradient * gradient
            weights -= _LEARNING_RATE * gradient / np.sqrt(squares)
        return weights

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The caption's score less the near-copy's, shape (pairs,)."""
        found = (_sums(features, starts, weights) for _, features, starts in self._blocks())
        return np.concatenate([*found, np.zeros(0)])

    def _pull(
        self, weights: NDArray[np.float64], learned: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Where the log-likelihood of the learned pairs rises, shape (num_features,)."""
        found = np.zeros(2 * self.num_features)
        for pairs, features, starts in self._blocks():
            surprise = learned[pairs] / (1.0 + np.exp(_sums(features, starts, weights)))
            each = np.repeat(surprise, self.lengths[pairs])
            found += np.bincount(features, each, len(found))
        return found[::2] - found[1::2]

    def _blocks(self) -> Iterator[tuple[slice, NDArray[np.intp], NDArray[np.intp]]]:
        """Some pairs, their features, and where those of each pair begin."""
        ends = np.cumsum(self.lengths)
        for first in range(0, len(ends), _BLOCK):
            pairs = slice(first, first + _BLOCK)
            starts = ends[pairs] - self.lengths[pairs]
            features = self.features[starts[0] : ends[pairs][-1]].astype(np.intp)
            yield pairs, features, starts - starts[0]


def _sums(
    features: NDArray[np.intp], starts: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    signed = np.stack([weights, -weights], 1).ravel()
    return np.add.reduceat(signed[features], starts)


def _folds(groups: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """A fold for each group, another deal for each seed (the mixing steps of SplitMix64)."""
    mixed = groups + np.uint64(0x9E3779B97F4A7C15 * (seed + 1) & 0xFFFFFFFFFFFFFFFF)
    mixed = (mixed ^ mixed >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ mixed >> np.uint64(31)) % np.uint64(NUM_FOLDS)


def _differences(caption: Sequence[str], other: Sequence[str]) -> Iterator[int]:
    """The features that only one of two texts has, and which word stands for which.

    Features are words, two and three in a row, and two with any word between.
    """
    one, two = _without_the_same_ends(_checksums(caption), _checksums(other))
    first, second = set(_grams(one)), set(_grams(two))
    yield 0  # so that every pair has one
    for gram in first - second:
        yield _number(gram)
    for gram in second - first:
        yield _number(gram) + 1
    gone, new = set(one) - set(two), set(two) - set(one)
    for old in gone:
        for word in new:
            yield _number((min(old, word), _ANY, max(old, word), _ANY)) + (old > word)


def _without_the_same_ends(one: list[int], two: list[int]) -> tuple[list[int], list[int]]:
    """Two texts from two words before the first that differs to two after the last."""
    shorter = min(len(one), len(two))
    before = next((i for i in range(shorter) if one[i] != two[i]), shorter)
    after = next(
        (i for i in range(shorter - before) if one[-1 - i] != two[-1 - i]), shorter - before
    )
    begin, cut = max(before - 2, 0), max(after - 2, 0)
    return one[begin : len(one) - cut], two[begin : len(two) - cut]


def _checksums(words: Sequence[str]) -> list[int]:
    return [_START, *(zlib.crc32(word.encode()) + 4 for word in words), _END]


def _grams(words: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for i, word in enumerate(words):
        yield (word,)
        yield (*words[i : i + 2],)
        yield (*words[i : i + 3],)
        if len(following := words[i : i + 3]) == 3:
            yield (word, _ANY, following[2])


def _number(gram: tuple[int, ...]) -> int:
    # The hash of whole numbers is the same in every process.
    return 2 * (1 + hash(gram) % (_NUM_HASHES - 1))
