"""A word-trigram language model with interpolated Kneser-Ney smoothing.

Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1999),
section 2.7 (absolute discounting, one discount an order) in its interpolated form, section 4.1.6.
The unigrams are interpolated with a uniform distribution over the vocabulary and one unknown word,
so every text has a probability.
"""

import math
import re
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")

# More distinct trigrams than this, and those seen once are forgotten: about 1 GB at the limit.
MAX_TRIGRAMS = 4_000_000
MAX_WORDS = 2_000_000

NUM_FOLDS = 5

# Words by number; these three have fixed ones.
_START, _END, _UNKNOWN = 0, 1, 2
_RESERVED = ("<s>", "</s>", "<unk>")
_BITS = 21  # three numbers fit into 63 bits
_MASK = (1 << _BITS) - 1
_PAIR_MASK = (1 << 2 * _BITS) - 1

# Half a surrogate pair is no text.
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s\ud800-\udfff]|_")


def tokenize(text: str) -> list[str]:
    """Lower-case words and single punctuation marks."""
    return _TOKEN.findall(text.lower())


class TrigramModel:
    """Probabilities of words after two words; without captions all are equally probable.

    Attributes:
        num_captions: how many captions it was fitted from.
    """

    def __init__(self) -> None:
        self.num_captions = 0
        self._numbers = {word: number for number, word in enumerate(_RESERVED)}
        self._trigrams: Counter[int] = Counter()
        self._derive()

    @classmethod
    def fit(
        cls,
        captions: Iterable[str],
        *,
        max_trigrams: int = MAX_TRIGRAMS,
        max_words: int = MAX_WORDS,
    ) -> "TrigramModel":
        """Count the trigrams of captions; the order of the captions does not matter.

        Beyond ``max_trigrams`` distinct ones, those seen only once so far are forgotten; words
        beyond ``max_words`` count as unknown. (From then on the order does matter.)
        """
        model = cls()
        numbers, trigrams = model._numbers, model._trigrams
        for caption in captions:
            model.num_captions += 1
            context = 0  # two starts
            for word in tokenize(caption):
                number = numbers.get(word, _UNKNOWN)
                if number == _UNKNOWN and len(numbers) <= max_words:
                    number = numbers[word] = len(numbers)
                trigrams[context << _BITS | number] += 1
                context = (context & _MASK) << _BITS | number
            trigrams[context << _BITS | _END] += 1
            if len(trigrams) > max_trigrams:
                often = {key: count for key, count in trigrams.items() if count > 1}
                trigrams = model._trigrams = Counter(often)
        model._derive()
        return model

    def log_probability(self, text: str) -> float:
        """The natural logarithm of the probability of a whole text with its end."""
        return math.fsum(self.log_probabilities(tokenize(text)))

    def log_probabilities(self, words: Sequence[str]) -> list[float]:
        """One natural logarithm for each word of a tokenized text, and one for its end."""
        found = []
        context = 0
        for word in words:
            key = context << _BITS | self._numbers.get(word, _UNKNOWN)
            found.append(math.log(self._probability(context, key)))
            context = key & _PAIR_MASK
        found.append(math.log(self._probability(context, context << _BITS | _END)))
        return found

    def _probability(self, context: int, key: int) -> float:
        """P(word | two words) of Kneser-Ney, all three orders interpolated."""
        lower = self._probability_after_one(context & _MASK, key & _MASK)
        count, seen = self._trigrams.get(key, 0), self._contexts2.get(context)
        return _interpolate(count, seen, self._discounts[2], lower)

    def _probability_after_one(self, previous: int, word: int) -> float:
        count = self._bigrams.get(previous << _BITS | word, 0)
        lower = self._probability_alone(word)
        return _interpolate(count, self._contexts1.get(previous), self._discounts[1], lower)

    def _probability_alone(self, word: int) -> float:
        uniform = 1.0 / (len(self._numbers) - 1)  # every word but the start
        count = self._unigrams.get(word, 0)
        return _interpolate(count, self._alone, self._discounts[0], uniform)

    def _derive(self) -> None:
        """The lower orders, which count in how many contexts a word was seen, not how often."""
        self._bigrams: Counter[int] = Counter()
        for key, count in self._trigrams.items():
            # A first word has no other word before it: it counts as often as it was seen.
            self._bigrams[key & _PAIR_MASK] += 1 if key >> _BITS else count
        self._unigrams = Counter(key & _MASK for key in self._bigrams)
        self._contexts2 = _contexts(self._trigrams)
        self._contexts1 = _contexts(self._bigrams)
        self._alone = (self._unigrams.total(), len(self._unigrams))
        self._discounts = [
            _discount(counts.values()) for counts in (self._unigrams, self._bigrams, self._trigrams)
        ]


class Texts(NamedTuple):
    """The texts of an item: which fold they are in, those to learn from, and those to score."""

    fold: int
    learned: Sequence[str]
    scored: Sequence[str]


def score_in_folds(
    items: Callable[[], Iterable[T]], texts: Callable[[T], Texts], *, without_repeats: bool = False
) -> Iterator[tuple[T, list[float]]]:
    """Each item with the log-probabilities of its scored texts, by a model of the other folds.

    One model at a time is in memory, and 8 bytes for each scored text.

    Args:
        items: gives the same items at each call.
        texts: of an item, in a fold below `NUM_FOLDS`.
        without_repeats: no model learns a text that is learned in the fold that it scores.
    """
    waiting = []
    for left_out in range(NUM_FOLDS):
        repeats: Collection[int] = ()
        if without_repeats:
            judged = (found for found in map(texts, items()) if found.fold == left_out)
            repeats = {hash(text) for found in judged for text in found.learned}
        others = (found for found in map(texts, items()) if found.fold != left_out)
        model = TrigramModel.fit(
            text for found in others for text in found.learned if hash(text) not in repeats
        )
        scores = array("d")
        for found in map(texts, items()):
            if found.fold == left_out:
                scores.extend(map(model.log_probability, found.scored))
        waiting.append(iter(scores))
    for item in items():
        found = texts(item)
        yield item, [next(waiting[found.fold]) for _ in found.scored]


def _contexts(counts: Counter[int]) -> dict[int, tuple[int, int]]:
    """What follows each context: how many in all, and how many different ones."""
    totals: Counter[int] = Counter()
    for key, count in counts.items():
        totals[key >> _BITS] += count
    kinds = Counter(key >> _BITS for key in counts)
    return {context: (total, kinds[context]) for context, total in totals.items()}


def _interpolate(count: int, seen: tuple[int, int] | None, discount: float, lower: float) -> float:
    """A discounted frequency, and what the discounts left over shared out by the lower order."""
    total, kinds = seen or (0, 0)
    if total <= 0:
        return lower
    return (max(count - discount, 0.0) + discount * kinds * lower) / total


def _discount(counts: Iterable[int]) -> float:
    """n1 / (n1 + 2 n2): the estimate of Ney, Essen and Kneser (1994)."""
    frequencies = Counter(count for count in counts if count <= 2)
    once, twice = frequencies[1], frequencies[2]
    # Of a few captions all counts are one, or none; then the usual value.
    return once / (once + 2 * twice) if once and twice else 0.75
