"""Colors, sizes, states and other attributes, what may stand for what, and numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from hnclip_cli.lexicon.nouns import Family, Noun, Nouns
from hnclip_cli.lexicon.tables import Row, Tables

_NUMBERS = (*map(str, range(2, 11)), "many", "pair", "some")


@dataclass(frozen=True, slots=True)
class State:
    """What denies a state, and the words and families of nouns that it is said of; none for all."""

    words: frozenset[str]
    families: frozenset[Family]
    instead: tuple[str, ...]

    def is_said_of(self, noun: Noun | None, word: str) -> bool:
        if not self.words and not self.families:
            return True
        if noun and (noun.family in self.families or noun.singular in self.words):
            return True
        return word in self.words

    def hides(self, later: "State") -> bool:
        """Whether this is said of all that the later one is said of."""
        if not self.words and not self.families:
            return True
        return later.words <= self.words and later.families <= self.families


# The looks that a thing may be given, and those that it hardly ever has.
ColorRange = tuple[tuple[str, ...], tuple[str, ...]]


class Attributes:
    """All attributes."""

    def __init__(self, tables: Tables, nouns: Nouns) -> None:
        self._tables = tables
        self._nouns = nouns
        rows = tables.rows("colors")
        self.colors = tuple(row["color"] for row in rows if not row["like"])
        self.looks = {row["color"]: row["like"] or row["color"] for row in rows}
        self._near = {
            frozenset((row["color"], look))
            for row in rows
            for look in self._look_items(row, "near")
        }
        for row in rows:
            self._look_items(row, "like")

        rows = tables.rows("sizes")
        self.opposites = {row["size"]: row["opposite"] for row in rows if row["opposite"]}
        self.sizes = {  # "small" and "big", by the words that say so
            row["size"]: row["look"] for row in rows if row.one_of("look", ("", "small", "big"))
        }
        self._add_attributes(tables.rows("attributes"))
        # The materials that may replace each other, by the noun; for "any" other noun too.
        self.made_of = {row["noun"]: row.items("materials") for row in tables.rows("made_of")}

    def near(self, one: str, other: str) -> bool:
        """Whether two looks are the same or easily confused."""
        return one == other or frozenset((one, other)) in self._near

    @cached_property
    def describing(self) -> frozenset[str]:
        """Words that describe even where they are tagged as nouns: "an orange cross"."""
        return frozenset({*self.colors, *self.known, *self._tables.words["describing"]})

    @cached_property
    def color_names(self) -> frozenset[tuple[str, str]]:
        """Pairs of a color and the next word that say no color: a green bean."""
        return frozenset(
            (row["color"], row["before"])
            for row in self._tables.rows("color_names")
            if self._tables.refer(row, row["color"], self.looks, "colors")
        )

    @cached_property
    def states(self) -> dict[str, tuple[State, ...]]:
        """For a state, what it is said of and what denies it, in order; the first counts."""
        return self._tables.in_turn(map(self._state, self._tables.rows("states")), State.hides)

    def _state(self, row: Row) -> tuple[Row, str, State]:
        words, families = self._named(row, row.items("said of"))
        return row, row["state"], State(words, families, row.items("instead"))

    def color_range(self, noun: Noun | None, word: str) -> ColorRange:
        """The colors of a thing: its noun, if the lexicon has it, and the word at its head."""
        by_word, by_family = self._color_ranges
        if word in by_word:
            return by_word[word]
        return by_family.get(noun.family if noun else None) or by_family[None]

    @cached_property
    def _color_ranges(self) -> tuple[dict[str, ColorRange], dict[Family | None, ColorRange]]:
        by_word: dict[str, ColorRange] = {}
        by_family: dict[Family | None, ColorRange] = {None: (self.colors, ())}
        for row in self._tables.rows("color_ranges"):
            words, families = self._named(row, (row["things"],))
            looks = self._look_items(row, "colors") or self.colors
            known = looks, self._look_items(row, "odd")
            by_word |= dict.fromkeys(words, known)
            by_family |= dict.fromkeys(families, known)
        return by_word, by_family

    def _look_items(self, row: Row, column: str) -> tuple[str, ...]:
        """The items of a cell, each a look."""
        looks = {look: look for look in self.colors}
        return tuple(self._tables.referred(row, column, looks, "colors"))

    def _named(self, row: Row, items: Iterable[str]) -> tuple[frozenset[str], frozenset[Family]]:
        """The words that items of a cell name, and the families."""
        words: set[str] = set()
        families: set[Family] = set()
        for item in items:
            if item.startswith(":"):
                family = self._tables.refer(row, item[1:], self._nouns.families, "families")
                families |= {family} if family else set()
            else:
                words |= self._tables.words_of(row, item)
        return frozenset(words), frozenset(families)

    def _add_attributes(self, rows: list[Row]) -> None:
        # Besides color and size, by their words: their class, whose attributes deny each other, and
        # their look; those of one look say the same.
        self.known: dict[str, tuple[str, str]] = {}
        self.materials: dict[str, str] = {}  # by the words that say what something is made of
        heads = {row["attribute"]: row for row in rows if not row["like"]}
        said: dict[str, set[str]] = {"": set(), "animate": set(), "inanimate": set()}
        for row in rows:
            word, like = row["attribute"], row["like"]
            head = self._tables.refer(row, like, heads, "attributes") if like else None
            if head and head["class"] != row["class"]:
                raise row.fault("alike, but of another class", got=like, expected=head["class"])
            said[row.one_of("said of", tuple(said))].add(word)
            use = row.one_of("use", ("", "swap", "replace"))
            if use != "replace":
                self.known[word] = row["class"], like or word
            if row["class"] == "material" and use != "swap":
                self.materials[word] = like or word
        # Words said only of people and animals, or never of them.
        self.animate_only = frozenset(said["animate"])
        self.inanimate_only = frozenset(said["inanimate"])


class Numbers:
    """All words for numbers."""

    def __init__(self, tables: Tables) -> None:
        self.names: dict[int, str] = {}
        self.values: dict[str, int] = {}  # by word and by digit
        # For the first word of what says "many", "pair" or "some": the words that follow, the
        # longest first, and what it says. All of them have one of the ``telling`` words.
        self.vague: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        telling = set()
        for row in sorted(tables.rows("numbers"), key=lambda row: -row["words"].count(" ")):
            number = row.one_of("number", _NUMBERS)
            if number.isdigit():
                self.names.setdefault(int(number), row["words"])
                self.values[row["words"]] = int(number)
                continue
            first, *others = row["words"].split(" ")
            telling.add([word for word in (first, *others) if word != "of"][-1])
            self.vague.setdefault(first, []).append((tuple(others), number))
        self.values |= {str(value): value for value in range(2, 10)}
        self.telling = frozenset(telling)
