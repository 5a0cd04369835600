"""Which of a kind's candidates read as naturally as the caption itself.

A negative that holds a rare word, or words that never stand side by side, can be told from the
caption without the image. So candidates are judged before one is chosen: by a word-trigram model
fitted from a corpus of captions, or without one by how common the new words are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.language.caption import Caption
from hnclip_cli.language.ngram import HeldOut, TrigramModel, tokenize
from hnclip_cli.streams.edits import Edit, apply_edits
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import as_records

# From a candidate to what it costs: the more, the worse it reads.
Judge = Callable[[Sequence[Edit]], float]

# A negative that is e^12 times less probable than its caption is told by the text alone; with this
# limit every kind stays below 80 % blind accuracy on COCO captions (docs/negatives.md).
MAX_LOSS = 12.0


class Preference(Protocol):
    """Judges the candidates of captions.

    Attributes:
        max_loss: a candidate that costs more is a misfit, taken only by a record without others.
    """

    max_loss: float

    def judge(self, caption: Caption) -> Judge:
        """What the candidates of one caption cost."""


class Fitted:
    """Judges by how much less probable a candidate is than its caption, in nats.

    Only trigrams around the edits make a difference. The caption itself is held out, so that it
    does not matter whether it is in the corpus.
    """

    max_loss = MAX_LOSS

    def __init__(self, model: TrigramModel) -> None:
        self._model = model

    def judge(self, caption: Caption) -> Judge:
        words = tokenize(caption.text)
        scorer = HeldOut(self._model, words)
        whole = scorer.log_probability(words)

        def loss(edits: Sequence[Edit]) -> float:
            return whole - scorer.log_probability(tokenize(apply_edits(caption.text, edits)))

        return loss


# What it costs to put in a word that words.tsv calls very common or common in captions of everyday
# photographs, or another one.
VERY_COMMON, COMMON, UNLISTED = 0.0, 1.0, 2.5


class Commonness:
    """Judges by the rarest word that each edit puts in and the caption lacks."""

    max_loss = float("inf")

    def judge(self, caption: Caption) -> Judge:
        known, classes = caption.lowers, caption.lexicon.words
        very_common, common = classes["very common"], classes["common"]

        def cost(word: str) -> float:
            return VERY_COMMON if word in very_common else COMMON if word in common else UNLISTED

        def loss(edits: Sequence[Edit]) -> float:
            return sum(
                max((cost(word) for word in words if word not in known), default=0.0)
                for words in (_tokens(text) for _, _, text in edits)
            )

        return loss


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(tokenize(text))


def fit(records: Iterable[Mapping[str, Any]], *, policy: ErrorPolicy | None = None) -> TrigramModel:
    """Count the words of true captions, for `make_negatives` to choose what reads like them.

    Args:
        records: short records, or matching items whose ``captions`` are all true.
        policy: what a bad record does.

    Raises:
        HnclipError: there is no caption.
    """
    model = TrigramModel.fit(_captions(records, policy or ErrorPolicy()))
    if not model.num_captions:
        raise HnclipError("no captions to fit a model from", expected="at least one record")
    return model


def _captions(records: Iterable[Mapping[str, Any]], policy: ErrorPolicy) -> Iterator[str]:
    for record in as_records(records):
        try:
            captions = record.caption_list
        except InputError as error:
            policy.bad(error)
        else:
            yield from captions
