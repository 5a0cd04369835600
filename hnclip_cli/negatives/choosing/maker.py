"""From records to their negatives: parse the captions, propose candidates, choose among them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hnclip_cli.language.caption import TAGS, TEXT, Caption
from hnclip_cli.language.english import English
from hnclip_cli.language.parser import Parser
from hnclip_cli.negatives.choosing.choice import Choice, Choosing, Offers
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.records import Record

FOREIGN = "captions that are not English, and get no negatives"

# For each caption offers in turn: the first ones of which something can be taken count.
Propose = Callable[[Sequence[Caption]], Iterable[Iterable[Offers]]]
# Of a record and its caption, or None where that is not English.
Parts = Callable[[Record, Caption | None], dict[str, Any]]


class NegativeMaker:
    """Makes the ``negatives`` of records from candidates of the kinds.

    Args:
        choosing: what to make.
        propose: offers candidates, as `ranking.Ranked` does.
        parts: gives further fields of a record, of its caption where it is English.

    Attributes:
        refused: how many captions or candidates were refused, by the reason.

    Raises:
        HnclipError: no English spaCy pipeline is installed.
    """

    def __init__(self, choosing: Choosing, propose: Propose, parts: Parts | None = None) -> None:
        self._choosing = choosing
        self._propose = propose
        level = TAGS if parts else max(KINDS[name].level for name in choosing.kinds)
        self._parser = Parser(level, choosing.lexicon)
        # Orders of words can be made of any language.
        self._is_english = English(choosing.lexicon, self._parser.vocabulary)
        self._parts: Parts = parts or (lambda *_: {})
        self._reads_tags = any(KINDS[name].level > TEXT for name in choosing.kinds)
        self.refused: Counter[str] = Counter()

    def negatives(self, records: Sequence[Record]) -> list[list[dict[str, Any]]]:
        """The negatives of each record of a batch; see `fields`."""
        return [fields["negatives"] for fields in self.fields(records)]

    def fields(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """``negatives``, and what `Parts` adds, of each record; batching changes nothing.

        Raises:
            InputError: a record has no usable caption, id or group.
        """
        captions = self._parser.parse([record.caption for record in records])
        for record, caption in zip(records, captions, strict=True):
            caption.draw = self._choosing.draw(record)
        made: list[dict[str, Any]] = []
        for record, caption, offers in zip(records, captions, self._propose(captions), strict=True):
            if self._reads_tags and not self._is_english(caption):
                self.refused[FOREIGN] += 1
                made.append({"negatives": []} | self._parts(record, None))
                continue
            choice = Choice(self._choosing, record, caption)
            negatives = next(filter(None, map(choice.of, offers)), [])
            made.append({"negatives": negatives} | self._parts(record, caption))
            for what, count in choice.refused.items():
                self.refused[f"candidates refused, as they change {what}"] += count
        return made

    def summary(self) -> list[str]:
        return summary_of(self.refused)


def summary_of(refused: Mapping[str, int]) -> list[str]:
    """A line for each reason why something was refused, with how often it was."""
    return [f"{reason}: {count}" for reason, count in sorted(refused.items())]
