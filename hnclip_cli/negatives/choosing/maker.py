"""Choose a record's negatives among the candidates of the kinds."""

import math
from collections.abc import Iterable, Sequence
from itertools import islice, repeat
from typing import Any

from hnclip_cli.language.caption import Caption
from hnclip_cli.language.parser import Parser
from hnclip_cli.negatives.analysis.rewriting import with_articles
from hnclip_cli.negatives.choosing.choice import Choice, Choosing, Draw
from hnclip_cli.negatives.choosing.fluency import Commonness, Judge, Preference
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.edits import Edit
from hnclip_cli.streams.records import Record

# Of one kind and caption; real captions have a few dozen.
MAX_CANDIDATES = 500
# So many of them, by hash, are judged; the others are not needed.
MAX_JUDGED = 32
# The choice is among the best third: always the best would repeat the same few words.
BEST_PART = 3

# What it costs, and its edits.
_Candidate = tuple[float, list[Edit]]


class NegativeMaker:
    """Makes the ``negatives`` of records by the rules of the kinds.

    Args:
        choosing: what to make.
        preference: which candidates read best; by default `Commonness`.

    Raises:
        HnclipError: no English spaCy pipeline is installed.
    """

    def __init__(self, choosing: Choosing, preference: Preference | None = None) -> None:
        self._choosing = choosing
        self._kinds = {name: KINDS[name] for name in choosing.kinds}
        self._preference = preference or Commonness()
        self._sieves = [kind.needs_phrases for kind in self._kinds.values() if kind.needs_phrases]
        self._parser = Parser(max(kind.level for kind in self._kinds.values()), choosing.lexicon)

    def negatives(self, records: Sequence[Record]) -> list[list[dict[str, Any]]]:
        """The negatives of each record of a batch; batching changes nothing.

        Raises:
            InputError: a record has no usable caption, id or group.
        """
        captions = self._parser.parse([record.caption for record in records], self._needs_phrases)
        return [
            self._of_one(record, caption) for record, caption in zip(records, captions, strict=True)
        ]

    def summary(self) -> list[str]:
        return []

    def _needs_phrases(self, caption: Caption) -> bool:
        return any(needs(caption) for needs in self._sieves)

    def _of_one(self, record: Record, caption: Caption) -> list[dict[str, Any]]:
        choice = Choice(self._choosing, record, caption)
        caption.draw = choice.draw.data
        judge = self._preference.judge(caption)
        ranked: dict[str, Iterable[_Candidate]] = {}
        for name, kind in self._kinds.items():
            found = kind.edits(caption)
            if not kind.is_judged:
                ranked[name] = zip(repeat(-math.inf), found)
            elif candidates := list(islice(found, MAX_CANDIDATES)):
                ranked[name] = _ranked(name, candidates, caption, judge, choice.draw)
        max_loss = self._preference.max_loss
        fitting = {
            name: (edits for loss, edits in candidates if loss <= max_loss)
            for name, candidates in ranked.items()
        }
        return choice.of(fitting) or self._best_misfit(ranked, choice)

    def _best_misfit(
        self, ranked: dict[str, Iterable[_Candidate]], choice: Choice
    ) -> list[dict[str, Any]]:
        """The one that costs least, for a record that has no other."""
        misfits = [
            (loss, order, position, name, edits)
            for order, (name, candidates) in enumerate(ranked.items())
            for position, (loss, edits) in enumerate(candidates)
            if loss > self._preference.max_loss
        ]
        found = (choice.of({name: [edits]}) for *_, name, edits in sorted(misfits))
        return next(filter(None, found), [])


def _ranked(
    kind: str, found: list[list[Edit]], caption: Caption, judge: Judge, draw: Draw
) -> list[_Candidate]:
    """Candidates with their losses: the best third in the order of a hash, then the others."""
    order = draw.order(kind, range(len(found)))[:MAX_JUDGED]
    drawn = [with_articles(caption, found[index]) for index in order]
    losses = list(map(judge, drawn))
    by_loss = sorted(range(len(drawn)), key=losses.__getitem__)
    num_best = -(-len(drawn) // BEST_PART)
    best, others = sorted(by_loss[:num_best]), by_loss[num_best:]
    return [(losses[place], drawn[place]) for place in (*best, *others)]
