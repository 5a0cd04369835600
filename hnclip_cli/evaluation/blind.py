"""What text alone achieves: the same measures, from scores that saw no image.

A caption scores the logarithm of its probability. Where that goes well, the negatives give
themselves away, and the benchmark or kind measures less than it seems to.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hnclip_cli.evaluation.collect import Collector
from hnclip_cli.evaluation.collected import Collected
from hnclip_cli.language.ngram import NUM_FOLDS, Texts, score_in_folds
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.records import Record, format_record

BATCH = 64  # texts

# Log-probabilities of texts, one each.
TextScorer = Callable[[list[str]], list[float]]


class BlindBaseline:
    """Score the captions of records as text. Records wait in a temporary file.

    Args:
        scorer: of texts. By default a trigram model of the true captions of other images, in
            five folds: no caption is judged by a model that has read it, or another one of its
            image.
        name: of the scorer, for the report.
    """

    def __init__(self, scorer: TextScorer | None = None, name: str = "trigrams") -> None:
        self._scorer = scorer
        self._name = name
        self._spool = tempfile.TemporaryFile()
        self._num_captions = 0

    @classmethod
    def of(cls, name: str) -> "BlindBaseline":
        """``trigrams``, or a causal language model by its name or folder; nothing is fetched.

        Raises:
            HnclipError: transformers is not installed, or there is no such model.
        """
        if name == "trigrams":
            return cls()
        from hnclip_cli.models.causal import CausalModel

        return cls(CausalModel(name).log_probabilities, name)

    def add(self, record: Record) -> None:
        """Keep a record for later."""
        self._spool.write(format_record(record))
        self._num_captions += len(true_captions(record))

    def finish(self, fields: Iterable[str]) -> Collected:
        """All records with the scores of their texts; the spool is gone afterwards."""
        texts = self._with_scorer() if self._scorer else self._with_trigrams()
        collector = Collector(fields)
        with self._spool:
            for record, scores in texts:
                if "scores" in record:
                    rows = [scores] * len(record["scores"])
                    record = Record({**record, "scores": rows}, record.source, record.line)
                collector.add(record, scores_expected=False)
            return collector.finish()

    def describe(self) -> dict[str, Any]:
        """Which model it is and, where it was trained for this, on what."""
        if self._scorer:
            return {"model": self._name}
        return {"model": self._name, "folds": NUM_FOLDS, "captions": self._num_captions}

    def _records(self) -> Iterator[Record]:
        self._spool.seek(0)
        return iter(RecordReader(self._spool))

    def _with_scorer(self) -> Iterator[tuple[Record, list[float]]]:
        assert self._scorer is not None
        batch: list[Record] = []
        for record in self._records():
            batch.append(record)
            if sum(len(captions_of(r)) for r in batch) >= BATCH:
                yield from _scored(batch, self._scorer)
                batch = []
        yield from _scored(batch, self._scorer)

    def _with_trigrams(self) -> Iterator[tuple[Record, list[float]]]:
        # Benchmarks made from one source repeat captions, under images of other names.
        return score_in_folds(self._records, _texts, without_repeats=True)


def _texts(record: Record) -> Texts:
    return Texts(fold(record), true_captions(record), captions_of(record))


def _scored(batch: list[Record], scorer: TextScorer) -> Iterator[tuple[Record, list[float]]]:
    scores = iter(scorer([text for record in batch for text in captions_of(record)]))
    for record in batch:
        yield record, [next(scores) for _ in captions_of(record)]


def fold(record: Record) -> int:
    """By image, and not by the draws that any other command makes."""
    images = record.get("images") or [record.get("image")]
    name = images[0] if isinstance(images[0], str) else record.group
    digest = hashlib.sha256(b"eval --blind " + name.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:4], "big") % NUM_FOLDS


def captions_of(record: Record) -> list[str]:
    """All captions of a record, true and false, in the order of the columns of its scores.

    Raises:
        InputError: the record has no caption.
    """
    if record.is_matching:
        return record.matching.captions
    return [record.caption, *(negative.caption for negative in record.negatives)]


def true_captions(record: Record) -> list[str]:
    """The captions that are true for some image of the record."""
    if not record.is_matching:
        return [record.caption]
    item = record.matching
    return [item.captions[index] for index in sorted({caption for _, caption in item.truth})]
