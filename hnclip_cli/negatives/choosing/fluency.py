"""What may rank candidates: how common their words are, or a model fitted from captions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.language.caption import Caption
from hnclip_cli.language.ngram import HeldOut, TrigramModel, tokenize
from hnclip_cli.streams.edits import Edit, apply_edits
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import as_records

# A negative that is e^12 times less probable than its caption is told by the text alone; with this
# limit every kind stays below 80 % blind accuracy on COCO captions (docs/negatives.md).
MAX_LOSS = 12.0


class Fitted:
    """Judges by how much less probable a candidate is than its caption, in nats.

    Only trigrams around the edits make a difference. The caption itself is held out, so that it
    does not matter whether it is in the corpus.
    """

    max_loss = MAX_LOSS

    def __init__(self, model: TrigramModel) -> None:
        self._model = model

    def losses(self, caption: Caption, candidates: Sequence[list[Edit]]) -> list[float]:
        words = tokenize(caption.text)
        scorer = HeldOut(self._model, words)
        whole = scorer.log_probability(words)
        texts = (apply_edits(caption.text, edits) for edits in candidates)
        return [whole - scorer.log_probability(tokenize(text)) for text in texts]


# What it costs to put in a word that words.tsv calls common in captions of everyday photographs, or
# one that it does not list; one that is very common, or in the caption already, is free.
COMMON, UNLISTED = 1.0, 2.5


class Commonness:
    """Judges by the rarest word that each edit puts in and the caption lacks."""

    max_loss = float("inf")

    def losses(self, caption: Caption, candidates: Sequence[list[Edit]]) -> list[float]:
        classes = caption.lexicon.words
        very_common, common = classes["very common"], classes["common"]

        def cost(word: str) -> float:
            if word in caption.lowers or word in very_common:
                return 0.0
            return COMMON if word in common else UNLISTED

        return [
            sum(max(map(cost, _tokens(text)), default=0.0) for _, _, text in edits)
            for edits in candidates
        ]


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
