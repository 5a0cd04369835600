"""Relations of space: their names, those that exclude each other, and what turns one around."""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

from hnclip_cli.lexicon.nouns import Nouns
from hnclip_cli.lexicon.tables import Row, Tables

# Up to two words that describe a thing.
_DESCRIBING = r"(?: (?!(?:and|with|of|in|on) )[a-z]+){0,2}"


@dataclass(frozen=True)
class Flip:
    """A relation that has a direction, and what turns it around."""

    words: str  # of the relation
    instead: str
    # What stands around it: regular expressions over words in lower case, joined by single spaces.
    before: str
    after: str

    @cached_property
    def last_word(self) -> str:
        return self.words.rpartition(" ")[2]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds the relation as the group ``x``.

        What follows is only looked at, so that one match does not hide the next.
        """
        return re.compile(
            rf"(?<![^ ]){self.before}(?P<x>{re.escape(self.words)})(?={self.after}(?![^ ]))"
        )


class Relations:
    """All relations: ``names`` says what their words mean."""

    def __init__(self, tables: Tables, nouns: Nouns) -> None:
        self._tables = tables
        self._nouns = nouns
        self.names = {row["words"]: row["relation"] for row in tables.rows("relations")}
        self.first_words = frozenset(words.split(" ")[0] for words in self.names)
        self.max_words = max((words.count(" ") + 1 for words in self.names), default=0)

    @cached_property
    def placements(self) -> dict[tuple[str, str], dict[str, None]]:
        """For the key of a place and a relation to it, what says one that excludes it."""
        found: dict[tuple[str, str], dict[str, None]] = {}
        known = dict.fromkeys(self.names.values(), "")
        for row in self._tables.rows("placements"):
            place = self._tables.refer(row, row["place"], self._nouns.classes, "noun_classes")
            self._tables.refer(row, row["relation"], known, "relations")
            for key in place.keys if place else ():
                texts = found.setdefault((key, row["relation"]), {})
                texts |= dict.fromkeys(row.items("instead"))
        return found

    @cached_property
    def flips(self) -> tuple[Flip, ...]:
        found = []
        for row in self._tables.rows("flips"):
            before = "".join(self._element(row, one) + " " for one in row["before"].split())
            after = "".join(self._following(row, one) for one in row["after"].split())
            found.append(Flip(row["relation"], row["instead"], before, after))
        return tuple(found)

    @cached_property
    def flips_by_last_word(self) -> dict[str, list[tuple[int, Flip]]]:
        """The flips whose words end with each word, with their places in the table."""
        found: dict[str, list[tuple[int, Flip]]] = {}
        for place, flip in enumerate(self.flips):
            found.setdefault(flip.last_word, []).append((place, flip))
        return found

    def flips_for(self, words: AbstractSet[str]) -> list[Flip]:
        """The flips of which some words hold the last one, in order."""
        known = self.flips_by_last_word
        found = [entry for word in known.keys() & words for entry in known[word]]
        return [flip for _, flip in sorted(found, key=itemgetter(0))]

    def _following(self, row: Row, element: str) -> str:
        """An element of what follows, with the space before it."""
        if element == "..":
            return _DESCRIBING
        if element == "any?":
            return r"(?: [a-z]+)?"
        if element.startswith("not:"):
            return rf"(?! {self._element(row, element[4:])}(?![^ ])).*"
        choices = element.split("|")
        if "end" not in choices:
            return " " + self._element(row, element)
        choices.remove("end")
        return rf"(?: {self._element(row, '|'.join(choices))}|$)" if choices else "$"

    def _element(self, row: Row, element: str) -> str:
        """Alternatives: words, and classes of them."""
        found: list[str] = []
        for choice in element.split("|"):
            if not choice:
                raise row.fault("an empty alternative", got=element)
            if choice in ("any", "mark"):
                found.append("[a-z]+" if choice == "any" else "[^a-z ][^ ]*")
            else:
                found += map(re.escape, sorted(self._tables.words_of(row, choice)))
        return f"(?:{'|'.join(found)})"
