"""From records to their negatives: parse the captions, propose candidates, choose among them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hnclip_cli.language.caption import PHRASES, Caption
from hnclip_cli.language.parser import Parser
from hnclip_cli.negatives.choosing.choice import Choice, Choosing, Offers
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.records import Record

# For each caption offers in turn: the first ones of which something can be taken count.
Propose = Callable[[Sequence[Caption]], Iterable[Iterable[Offers]]]


class NegativeMaker:
    """Makes the ``negatives`` of records from candidates of the kinds.

    Args:
        choosing: what to make.
        propose: offers candidates, as `ranking.Ranked` does.

    Raises:
        HnclipError: no English spaCy pipeline is installed.
    """

    def __init__(self, choosing: Choosing, propose: Propose) -> None:
        self._choosing = choosing
        self._propose = propose
        kinds = [KINDS[name] for name in choosing.kinds]
        self._sieves = [kind.needs_phrases for kind in kinds if kind.level == PHRASES]
        self._parser = Parser(max(kind.level for kind in kinds), choosing.lexicon)

    def negatives(self, records: Sequence[Record]) -> list[list[dict[str, Any]]]:
        """The negatives of each record of a batch; batching changes nothing.

        Raises:
            InputError: a record has no usable caption, id or group.
        """
        captions = self._parser.parse([record.caption for record in records], self._needs_phrases)
        for record, caption in zip(records, captions, strict=True):
            caption.draw = self._choosing.draw(record)
        made = []
        for record, caption, offers in zip(records, captions, self._propose(captions), strict=True):
            choice = Choice(self._choosing, record, caption)
            made.append(next(filter(None, map(choice.of, offers)), []))
        return made

    def summary(self) -> list[str]:
        return []

    def _needs_phrases(self, caption: Caption) -> bool:
        return any(needs(caption) for needs in self._sieves)
