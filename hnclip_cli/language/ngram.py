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
from itertools import chain
from typing import IO, NamedTuple, TypeVar

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import atomic_output

T = TypeVar("T")

FORMAT = "hnclip-trigrams"
VERSION = 1

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

# Half a surrogate pair is no text, and could not be written.
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

    @classmethod
    def load(cls, stream: IO[bytes], source: str = "-") -> "TrigramModel":
        """Read what `save` wrote.

        Raises:
            HnclipError: it is something else, or damaged.
        """
        import orjson

        try:
            data = orjson.loads(stream.read())
            if data["format"] != FORMAT or data["version"] != VERSION:
                raise ValueError
            words = data["words"]
            model = cls()
            model.num_captions = int(data["captions"])
            model._numbers |= {word: number for number, word in enumerate(words, len(_RESERVED))}
            size = len(model._numbers)
            if size != len(words) + len(_RESERVED) or set(map(type, words)) - {str}:
                raise ValueError
            for one, two, three, count in zip(*[iter(data["trigrams"])] * 4, strict=True):
                key = (one << _BITS | two) << _BITS | three  # of other than integers: TypeError
                if min(one, two, three) < 0 or max(one, two, three) >= size:
                    raise ValueError
                if count < 1 or count != int(count):
                    raise ValueError
                model._trigrams[key] = count
        except (ValueError, KeyError, TypeError, AttributeError):
            raise HnclipError(
                "not a fitted model, or one of another version",
                where=source,
                expected=f'a file with "format": "{FORMAT}", "version": {VERSION}',
                hint="writing it again with hnclip fit",
            ) from None
        model._derive()
        return model

    def save(self, target: str | IO[bytes]) -> None:
        """Write the counts as one JSON object: the same bytes in whatever order captions came.

        Args:
            target: a file's name, or where the bytes go.
        """
        import orjson

        if isinstance(target, str):
            with atomic_output(target) as stream:
                return self.save(stream)
        words = sorted(self._numbers.keys() - set(_RESERVED))
        new = {word: number for number, word in enumerate([*_RESERVED, *words])}
        renumbered = [new[word] for word in self._numbers]
        rows = sorted(
            (*(renumbered[key >> shift & _MASK] for shift in (2 * _BITS, _BITS, 0)), count)
            for key, count in self._trigrams.items()
        )
        data = {
            "format": FORMAT,
            "version": VERSION,
            "captions": self.num_captions,
            "words": words,
            "trigrams": list(chain.from_iterable(rows)),
        }
        target.write(orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE))

    def log_probability(self, text: str) -> float:
        """The natural logarithm of the probability of a whole text with its end."""
        return math.fsum(self.log_probabilities(tokenize(text)))

    def log_probabilities(self, words: Sequence[str]) -> list[float]:
        """One natural logarithm for each word of a tokenized text, and one for its end."""
        return [
            math.log(self._probability(context, key, False)) for context, key in self._keys(words)
        ]

    def _keys(self, words: Sequence[str]) -> Iterator[tuple[int, int]]:
        """The context and the trigram of each word and of the end."""
        context = 0
        for word in words:
            number = self._numbers.get(word, _UNKNOWN)
            key = context << _BITS | number
            yield context, key
            context = key & _PAIR_MASK
        yield context, context << _BITS | _END

    def _probability(self, context: int, key: int, own: bool) -> float:
        """P(word | two words) of Kneser-Ney, all three orders interpolated."""
        count = self._trigrams.get(key, 0)
        own = own and count > 0
        # A pair loses a context only with its last trigram; first words are counted as they come.
        own_pair = own and (count == 1 or not context)
        lower = self._probability_after_one(context & _MASK, key & _MASK, own_pair)
        seen = self._contexts2.get(context)
        return _interpolate(count, seen, own, self._discounts[2], lower)

    def _probability_after_one(self, previous: int, word: int, own: bool) -> float:
        count = self._bigrams.get(previous << _BITS | word, 0)
        lower = self._probability_alone(word, own and count == 1)
        return _interpolate(count, self._contexts1.get(previous), own, self._discounts[1], lower)

    def _probability_alone(self, word: int, own: bool) -> float:
        uniform = 1.0 / (len(self._numbers) - 1)  # every word but the start
        count = self._unigrams.get(word, 0)
        return _interpolate(count, self._alone, own, self._discounts[0], uniform)

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


class HeldOut:
    """A model as if one caption had not been counted, for that caption and its near-copies.

    Otherwise a text is favored for having been in the corpus. This is leave-one-out, but that
    totals of a context shrink by one only and the discounts stay.
    """

    def __init__(self, model: TrigramModel, words: Sequence[str]) -> None:
        self._model = model
        self._own = frozenset(key for _, key in model._keys(words))
        # Near-copies share most of their trigrams.
        self._known: dict[int, float] = {}

    def log_probability(self, words: Sequence[str]) -> float:
        """The natural logarithm of the probability of a tokenized text with its end."""
        known = self._known
        keys = list(self._model._keys(words))
        for context, key in keys:
            if key not in known:
                known[key] = math.log(self._model._probability(context, key, key in self._own))
        return math.fsum([known[key] for _, key in keys])


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


def _interpolate(
    count: int, seen: tuple[int, int] | None, own: bool, discount: float, lower: float
) -> float:
    """A discounted frequency, and what the discounts left over shared out by the lower order."""
    total, kinds = seen or (0, 0)
    if own:
        total, kinds, count = total - 1, kinds - (count == 1), count - 1
    if total <= 0:
        return lower
    return (max(count - discount, 0.0) + discount * kinds * lower) / total


def _discount(counts: Iterable[int]) -> float:
    """n1 / (n1 + 2 n2): the estimate of Ney, Essen and Kneser (1994)."""
    frequencies = Counter(count for count in counts if count <= 2)
    once, twice = frequencies[1], frequencies[2]
    # Of a few captions all counts are one, or none; then the usual value.
    return once / (once + 2 * twice) if once and twice else 0.75
