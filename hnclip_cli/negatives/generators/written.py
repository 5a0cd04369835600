"""Negatives that somebody writes as sentences: what is not refused of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from hnclip_cli.language.caption import MAX_CHARACTERS, TAGS, Caption
from hnclip_cli.language.english import English
from hnclip_cli.language.parser import Parser
from hnclip_cli.negatives.analysis.rewriting import with_articles
from hnclip_cli.negatives.choosing.choice import Choice, Choosing
from hnclip_cli.negatives.choosing.maker import FOREIGN, summary_of
from hnclip_cli.negatives.generators.comparing import edits_between
from hnclip_cli.negatives.generators.refusals import refusal
from hnclip_cli.streams.edits import Edit
from hnclip_cli.streams.records import Record

# A kind, and a negative of it as it was written.
Draft = tuple[str, str]


class WrittenMaker:
    """Makes the ``negatives`` of records from what is written about them.

    ``write`` gives the drafts for a record. It may be called from several threads, and raise
    `InputError` where there are none to be had. `HnclipError` where no English spaCy pipeline is
    installed: what no negative may change is told by tags.
    """

    def __init__(self, choosing: Choosing, write: Callable[[Record], Sequence[Draft]]) -> None:
        self._choosing = choosing
        self._write = write
        self._parser = Parser(TAGS, choosing.lexicon)
        self._is_english = English(choosing.lexicon, self._parser.vocabulary)
        self._lock = Lock()  # for one thread at a time: spaCy, and what is counted
        self._num_written = self._num_kept = 0
        self._refused: Counter[str] = Counter()
        self._foreign: Counter[str] = Counter()

    def negatives(self, records: Sequence[Record]) -> list[list[dict[str, Any]]]:
        """The negatives of each record; `InputError` without drafts.

        Nothing is written about a caption that is too long, or not English.
        """
        made = []
        for record in records:
            with self._lock:
                (caption,) = self._parser.parse([record.caption])
                caption.draw = self._choosing.draw(record)
                is_english = self._is_english(caption)
                self._foreign[FOREIGN] += not is_english
            is_asked = is_english and len(record.caption) <= MAX_CHARACTERS
            drafts = self._write(record) if is_asked else ()
            with self._lock:
                made.append(self._judged(record, caption, drafts))
        return made

    def summary(self) -> list[str]:
        """What became of all that was written, and captions about which nothing was."""
        kept = f"{self._num_kept} of {self._num_written} written negatives kept"
        reasons = [f"{count} {reason}" for reason, count in self._refused.most_common()]
        line = f"{kept}; refused: {', '.join(reasons)}" if reasons else kept
        return [line, *summary_of(+self._foreign)]

    def _refusal(self, caption: Caption, kind: str, text: str) -> str:
        """What speaks against a draft by itself: a few words, or ""."""
        if kind not in self._choosing.kinds:
            return "a kind not asked for" if kind else "without kind or caption"
        return refusal(kind, caption, text, edits_between(caption.text, text))

    def _judged(
        self, record: Record, caption: Caption, drafts: Sequence[Draft]
    ) -> list[dict[str, Any]]:
        offers: dict[str, list[list[Edit]]] = {kind: [] for kind in self._choosing.kinds}
        for kind, text in drafts:
            if reason := self._refusal(caption, kind, text):
                self._refused[reason] += 1
            else:
                offers[kind].append(with_articles(caption, edits_between(caption.text, text)))
        choice = Choice(self._choosing, record, caption)
        chosen = choice.of(offers)
        for what, count in choice.refused.items():
            self._refused[f"it changes {what}"] += count
        self._num_written += len(drafts)
        self._num_kept += len(chosen)
        num_offered = sum(map(len, offers.values()))
        if num_left := num_offered - choice.refused.total() - len(chosen):
            self._refused["true of the image, double or not needed"] += num_left
        return chosen
