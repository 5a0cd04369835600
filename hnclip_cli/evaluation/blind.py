"""What text alone achieves: the same measures, from scores that saw no image.

A caption scores the logarithm of its probability. Where that goes well, the negatives give
themselves away, and the benchmark or kind measures less than it seems to.
"""

import contextlib
import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hnclip_cli.evaluation.observations import Observations
from hnclip_cli.evaluation.tally import Tally
from hnclip_cli.language.ngram import NUM_FOLDS, Texts, score_in_folds
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.spool import Spool
from hnclip_cli.streams.threads import chunked

TRIGRAMS = "trigrams"
BATCH = 32  # records
MAX_BENCHMARKS = 128  # each has a temporary file

# Log-probabilities of texts, one each.
TextScorer = Callable[[list[str]], list[float]]


class BlindBaseline:
    """Score the captions of records as text. Records wait in a temporary file.

    Args:
        name: ``trigrams``, or of a causal language model, or its folder; nothing is fetched. The
            trigram model learns from the true captions of other images of the same benchmark, in
            five folds: no caption is judged by a model that has read it, or another one of its
            image.
        scorer: of texts, instead; ``name`` is what the report calls it.

    Raises:
        HnclipError: transformers is not installed, or there is no such model.
    """

    def __init__(self, name: str = TRIGRAMS, scorer: TextScorer | None = None) -> None:
        if name != TRIGRAMS and scorer is None:
            from hnclip_cli.models.language import CausalModel

            scorer = CausalModel(name).log_probabilities
        self._name = name
        self._scorer = scorer
        # A benchmark's own records, so that its numbers do not depend on what stands beside it.
        self._spools: dict[str, Spool] = {}
        self._order = array("B")  # of which spool each record is
        self._num_captions = 0

    def add(self, record: Record) -> None:
        """Keep a record for later."""
        spool = self._spool_of(record)
        self._spools[spool].add(record)
        self._order.append(list(self._spools).index(spool))
        self._num_captions += len(true_captions(record))

    def _spool_of(self, record: Record) -> str:
        """The name of a benchmark; beyond `MAX_BENCHMARKS` that of the first, which they share."""
        name = record.get("benchmark")
        name = name if isinstance(name, str) else ""
        if name not in self._spools:
            if len(self._spools) == MAX_BENCHMARKS:
                return next(iter(self._spools))
            self._spools[name] = Spool()
        return name

    def finish(self, fields: Iterable[str]) -> Observations:
        """All records with the scores of their texts; the spool is gone afterwards."""
        tally = Tally(fields)
        with contextlib.ExitStack() as open_spools:
            spools = [open_spools.enter_context(spool) for spool in self._spools.values()]
            parts = list(map(self._score, spools))
            for index in self._order:  # in which they came
                record, scores = next(parts[index])
                if "scores" in record:
                    record["scores"] = [scores] * len(record["scores"])
                tally.add(record, scores_expected=False)
        return tally.finish()

    def _score(self, spool: Spool) -> Iterator[tuple[Record, list[float]]]:
        if self._scorer:
            return _in_batches(spool, self._scorer)
        # Subsets made from one source repeat captions, under images of other names.
        return score_in_folds(lambda: spool, _texts, without_repeats=True)

    def describe(self) -> dict[str, Any]:
        """Which model it is and, where it was trained for this, on what."""
        if self._scorer:
            return {"model": self._name}
        how = {"model": self._name, "folds": NUM_FOLDS, "captions": self._num_captions}
        return how | ({"benchmarks": len(self._spools)} if len(self._spools) > 1 else {})


def _texts(record: Record) -> Texts:
    return Texts(fold(record), true_captions(record), captions_of(record))


def _in_batches(
    records: Iterable[Record], scorer: TextScorer
) -> Iterator[tuple[Record, list[float]]]:
    for batch in chunked(records, BATCH):
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
    """All captions, true and false, by column of the scores; `InputError` where there is none."""
    if record.is_matching:
        return record.matching.captions
    return [record.caption, *(negative.caption for negative in record.negatives)]


def true_captions(record: Record) -> list[str]:
    """The captions that are true for some image of the record."""
    if not record.is_matching:
        return [record.caption]
    item = record.matching
    return [item.captions[index] for index in sorted({caption for _, caption in item.truth})]
