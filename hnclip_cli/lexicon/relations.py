"""Relations of space: their names, those that exclude each other, and what turns one around."""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from hnclip_cli.lexicon.nouns import Noun, NounClass, Nouns
from hnclip_cli.lexicon.tables import Row, Tables

# Up to two words that describe a thing.
_DESCRIBING = r"(?: (?!(?:and|with|of|in|on) )[a-z]+){0,2}"


@dataclass(frozen=True)
class Flip:
    """A relation that has a direction, and what turns it around.

    Attributes:
        words: of the relation.
        instead: what is said instead.
        before, after: what stands around it, as regular expressions over words in lower case,
            joined by single spaces.
    """

    words: str
    instead: str
    before: str
    after: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds the relation as the group ``x``.

        What follows is only looked at, so that one match does not hide the next.
        """
        return re.compile(
            rf"(?<![^ ]){self.before}(?P<x>{re.escape(self.words)})(?={self.after}(?![^ ]))"
        )


class Relations:
    """All relations.

    Attributes:
        names: what the words of a relation say, by the words.
        first_words: the first words of all.
        flips: in order.
    """

    def __init__(self, tables: Tables, nouns: Nouns, words: dict[str, frozenset[str]]) -> None:
        self._tables = tables
        self._nouns = nouns
        self._excluded: dict[tuple[Noun, str], tuple[str, ...]] = {}
        self._classes = {f"<{name}>": members for name, members in words.items()}
        self.names = {row["words"]: row["relation"] for row in tables.rows("relations")}
        self.first_words = frozenset(words.split(" ")[0] for words in self.names)
        self.max_words = max((words.count(" ") + 1 for words in self.names), default=0)

    def excluded(self, noun: Noun, relation: str) -> tuple[str, ...]:
        """What says a relation to a place that excludes a given one."""
        known = self._excluded.get((noun, relation))
        if known is None:
            known = self._excluded[noun, relation] = self._find_excluded(noun, relation)
        return known

    def _find_excluded(self, noun: Noun, relation: str) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(
                text
                for place, by_relation in self._placements
                if place.holds(noun)
                for text in by_relation.get(relation, ())
            )
        )

    @cached_property
    def _placements(self) -> list[tuple[NounClass, dict[str, tuple[str, ...]]]]:
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        known = dict.fromkeys(self.names.values(), "")
        for row in self._tables.rows("placements"):
            if row["place"] not in self._nouns.classes:
                raise row.fault("not a class of noun_classes.tsv", got=row["place"])
            self._tables.refer(row, row["relation"], known, "relations")
            found.setdefault(row["place"], {})[row["relation"]] = row.items("instead")
        classes = self._nouns.classes.items()
        return [(one, found[name]) for name, one in classes if name in found]

    @cached_property
    def flips(self) -> tuple[Flip, ...]:
        found = []
        for row in self._tables.rows("flips"):
            before = "".join(self._element(row, one) + " " for one in row["before"].split())
            after = "".join(self._following(row, one) for one in row["after"].split())
            found.append(Flip(row["relation"], row["instead"], before, after))
        return tuple(found)

    def flips_among(self, words: AbstractSet[str]) -> list[Flip]:
        """The flips, in order, of relations whose last word is among some words."""
        found = [
            place
            for word in self._flips_by_word.keys() & words
            for place in self._flips_by_word[word]
        ]
        return [self.flips[place] for place in sorted(found)]

    @cached_property
    def _flips_by_word(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, flip in enumerate(self.flips):
            found.setdefault(flip.words.split(" ")[-1], []).append(place)
        return found

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
            if "<" in choice or ">" in choice:
                if choice not in self._classes:
                    raise row.fault("not a class of words.tsv", got=choice)
                found += map(re.escape, sorted(self._classes[choice]))
            elif choice in ("any", "mark"):
                found.append("[a-z]+" if choice == "any" else "[^a-z ][^ ]*")
            elif choice:
                found.append(re.escape(choice))
            else:
                raise row.fault("an empty alternative", got=element)
        return f"(?:{'|'.join(found)})"
