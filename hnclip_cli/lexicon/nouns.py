"""Nouns: their families and forms, what may replace them, and classes of them for the rules."""

from dataclasses import dataclass, field
from functools import cached_property

from hnclip_cli.lexicon.spelling import plural as regular_plural
from hnclip_cli.lexicon.tables import Row, Tables

NATURES = ("human", "animal", "vehicle", "building", "thing")
PLACES = ("", "inside", "area", "surface", "ground")
USES = ("either", "replaced", "neither")
FAMILY_TRAITS = ("side by side", "any sort", "worn", "nested", "drawn")
NOUN_TRAITS = ("female", "male", "flies", "on", "in", "holder", "visited", "backdrop")


@dataclass(frozen=True, eq=False)
class Family:
    """Nouns that may stand for each other; families.tsv says what the attributes mean."""

    name: str
    nature: str
    place: str
    rank: int
    traits: frozenset[str]
    tied_to: tuple[str, ...]
    nouns: list["Noun"] = field(default_factory=list, repr=False)


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun of the lexicon; each is there once."""

    singular: str  # empty for "pants"
    plural: str  # empty for a mass noun
    family: Family
    key: str  # names the thing, whichever synonym is used
    is_general: bool  # too general for others of its family to replace it
    may_replace: bool  # may stand for another noun
    traits: frozenset[str]
    # Nouns of other families that may replace it, and where all verbs say how something rests.
    stand_ins: list["Noun"] = field(default_factory=list, repr=False)
    stand_ins_at_rest: list["Noun"] = field(default_factory=list, repr=False)
    # Keys of what may be there too, so that it does not replace it.
    alongside: set[str] = field(default_factory=set, repr=False)

    @cached_property
    def is_mass(self) -> bool:
        return not self.plural

    @cached_property
    def is_animate(self) -> bool:
        return self.family.nature in ("human", "animal")

    @cached_property
    def is_human(self) -> bool:
        return self.family.nature == "human"

    @cached_property
    def is_place(self) -> bool:
        return bool(self.family.place)

    @cached_property
    def behavior(self) -> str:
        """What it can do in a sentence: ``animate``, ``vehicle``, ``building`` or ``thing``."""
        return "animate" if self.is_animate else self.family.nature

    @cached_property
    def rank(self) -> int:
        """How seldom a caption begins with such a thing, from 0 to 6."""
        return 6 if "backdrop" in self.traits else self.family.rank

    @cached_property
    def gender(self) -> str:
        return next(iter(self.traits & {"female", "male"}), "")

    def form(self, plural: bool) -> str:
        return self.plural if plural else self.singular

    @cached_property
    def rivals(self) -> tuple["Noun", ...]:
        """What may replace it: of its family, no synonym, and both count or both mass."""
        if self.is_general:
            return ()
        return tuple(
            other
            for other in self.family.nouns
            if other.may_replace and other.key != self.key and other.is_mass == self.is_mass
        )


@dataclass(eq=False)
class NounClass:
    """A class of nouns that the rules of other tables name."""

    nouns: list[Noun] = field(default_factory=list)  # these stand for their synonyms too
    words: set[str] = field(default_factory=set)  # the very words that are of this class
    is_any: bool = False  # whether all nouns are

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset(noun.key for noun in self.nouns)

    def holds(self, noun: Noun | None, word: str = "") -> bool:
        """Whether a noun, or the very word, is of this class."""
        return self.is_any or word in self.words or (noun is not None and noun.key in self.keys)

    def includes(self, other: "NounClass") -> bool:
        """Whether all that the other class holds is of this one."""
        is_part = self.keys >= other.keys and self.words >= other.words
        return self.is_any or (is_part and not other.is_any)


class Nouns:
    """All nouns: families by name, and nouns by each form, lower case, words joined by spaces."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.families = {row["family"]: _family(row) for row in tables.rows("families")}
        self.forms: dict[str, Noun] = {}
        self._add_nouns(tables.rows("nouns"))
        of_key: dict[str, list[Noun]] = {}
        for noun in dict.fromkeys(self.forms.values()):
            of_key.setdefault(noun.key, []).append(noun)
        self._add_stand_ins(tables.rows("stand_ins"), of_key)
        self._add_alongside(tables.rows("alongside"), of_key)

    @cached_property
    def by_first_word(self) -> dict[str, list[tuple[tuple[str, ...], Noun]]]:
        """For the first word of each form, the words that follow and the noun, longest first."""
        found: dict[str, list[tuple[tuple[str, ...], Noun]]] = {}
        for form in sorted(self.forms, key=lambda form: -form.count(" ")):
            first, *others = form.split(" ")
            found.setdefault(first, []).append((tuple(others), self.forms[form]))
        return found

    @cached_property
    def classes(self) -> dict[str, NounClass]:
        """By name."""
        rows = self._tables.rows("noun_classes")
        found = {name: NounClass() for name in self._tables.removed["noun_classes"]}
        for row in rows:
            entry = row["noun"]
            one = found.setdefault(row["class"], NounClass())
            if entry.startswith("="):
                one.words |= {entry[1:], f"{entry[1:]}s"}
            elif entry.startswith(":"):
                family = self._tables.refer(row, entry[1:], self.families, "families")
                one.nouns += family.nouns if family else []
            else:
                noun = self._tables.refer(row, entry, self.forms, "nouns")
                one.nouns += [noun] if noun else []
        return found

    def _add_nouns(self, rows: list[Row]) -> None:
        heads = {row["noun"]: row for row in rows if not row["like"]}
        lines: dict[str, str] = {}
        for row in rows:
            name, like = row["noun"], row["like"]
            family = self._tables.refer(row, row["family"], self.families, "families")
            if family is None:
                self._tables.removed["nouns"].add(name)
                continue
            use = row.one_of("use", USES)
            head = self._tables.refer(row, like, heads, "nouns") if like else None
            is_odd = head and (head["family"] != row["family"] or "neither" in (use, head["use"]))
            if is_odd and (row.is_own or not (head and head.is_own)):
                raise row.fault("no synonym of its family that is replaced itself", got=like)
            noun = Noun(
                *_forms(row),
                family=family,
                key=f"{family.name}/{like or name}",
                is_general=use == "neither",
                may_replace=use == "either",
                traits=row.traits(NOUN_TRAITS),
            )
            family.nouns.append(noun)
            for form in dict.fromkeys((noun.singular, noun.plural)):
                if form in lines:
                    raise row.fault(f"a form of another noun, at {lines[form]}", got=form)
                if form:
                    lines[form] = row.where
                    self.forms[form] = noun

    def _add_stand_ins(self, rows: list[Row], of_key: dict[str, list[Noun]]) -> None:
        for row in rows:
            named = self._tables.refer(row, row["noun"], self.forms, "nouns")
            always = self._tables.referred(row, "instead", self.forms, "nouns")
            at_rest = always + self._tables.referred(row, "at rest", self.forms, "nouns")
            for noun in of_key[named.key] if named else ():
                noun.stand_ins.extend(one for one in always if one.is_mass == noun.is_mass)
                noun.stand_ins_at_rest.extend(one for one in at_rest if one.is_mass == noun.is_mass)

    def _add_alongside(self, rows: list[Row], of_key: dict[str, list[Noun]]) -> None:
        for row in rows:
            named = self._tables.refer(row, row["noun"], self.forms, "nouns")
            others = self._tables.referred(row, "others", self.forms, "nouns")
            for noun in of_key[named.key] if named else ():
                noun.alongside.update(one.key for one in others)


def _family(row: Row) -> Family:
    return Family(
        row["family"],
        row.one_of("nature", NATURES),
        row.one_of("place", PLACES),
        int(row.one_of("rank", "0123456")),
        row.traits(FAMILY_TRAITS),
        row.items("tied to"),
    )


def _forms(row: Row) -> tuple[str, str]:
    name, plural = row["noun"], row["plural"]
    if plural == "only":
        return "", name
    return name, "" if plural == "none" else plural or regular_plural(name)
