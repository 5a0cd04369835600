"""Negatives that somebody writes as sentences: what is not refused of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from hnclip_cli.language.caption import MAX_CHARACTERS, TAGS, TEXT, Caption
from hnclip_cli.language.parser import Parser
from hnclip_cli.negatives.analysis.rewriting import with_articles
from hnclip_cli.negatives.choosing.choice import Choice, Choosing
from hnclip_cli.negatives.generators.comparing import edits_between
from hnclip_cli.negatives.generators.refusals import TAGGED, refusal
from hnclip_cli.streams.edits import Edit
from hnclip_cli.streams.records import Record

# A kind, and a negative of it as it was written.
Draft = tuple[str, str]


class WrittenMaker:
    """Makes the ``negatives`` of records from what is written about them.

    ``write`` gives the drafts for a record. It may be called from several threads, and raise
    `InputError` where there are none to be had. `HnclipError` where a kind needs a tagger, and no
    English spaCy pipeline is installed.
    """

    def __init__(self, choosing: Choosing, write: Callable[[Record], Sequence[Draft]]) -> None:
        self._choosing = choosing
        self._write = write
        self._parser = Parser(TAGS if TAGGED & set(choosing.kinds) else TEXT, choosing.lexicon)
        self._lock = Lock()  # for one thread at a time: spaCy, and what is counted
        self._num_written = self._num_kept = 0
        self._refused: Counter[str] = Counter()

    def negatives(self, records: Sequence[Record]) -> list[list[dict[str, Any]]]:
        """The negatives of each record, none of a caption too long; `InputError` without drafts."""
        made = []
        for record in records:
            drafts = self._write(record) if len(record.caption) <= MAX_CHARACTERS else ()
            with self._lock:
                (caption,) = self._parser.parse([record.caption])
                caption.draw = self._choosing.draw(record)
                made.append(self._judged(record, caption, drafts))
        return made

    def summary(self) -> list[str]:
        """One line on what became of all that was written."""
        kept = f"{self._num_kept} of {self._num_written} written negatives kept"
        reasons = [f"{count} {reason}" for reason, count in self._refused.most_common()]
        return [f"{kept}; refused: {', '.join(reasons)}" if reasons else kept]

    def _judged(
        self, record: Record, caption: Caption, drafts: Sequence[Draft]
    ) -> list[dict[str, Any]]:
        offers: dict[str, list[list[Edit]]] = {kind: [] for kind in self._choosing.kinds}
        for kind, text in drafts:
            edits = edits_between(caption.text, text)
            if kind in offers:
                reason = refusal(kind, caption, text, edits)
            else:
                reason = "a kind not asked for" if kind else "without kind or caption"
            if reason:
                self._refused[reason] += 1
            else:
                offers[kind].append(with_articles(caption, edits))
        chosen = Choice(self._choosing, record, caption).of(offers)
        self._num_written += len(drafts)
        self._num_kept += len(chosen)
        if num_left := sum(map(len, offers.values())) - len(chosen):
            self._refused["true of the image, double or not needed"] += num_left
        return chosen
