"""Verbs: their forms, what they say, and which actions exclude each other."""

import re
from dataclasses import dataclass
from functools import cached_property

from hnclip_cli.lexicon.nouns import NounClass, Nouns
from hnclip_cli.lexicon.spelling import with_s
from hnclip_cli.lexicon.tables import Row, Tables

BASE, THIRD, ING = "base", "third", "ing"

# One syllable that ends in one short vowel and one consonant doubles it: sit, run, chop.
_DOUBLES = re.compile(r"[^aeiou]*(?:[aeiou]|qu[aeiou])[bdgklmnprt]")


def inflected(verb: str, form: str) -> str:
    """A regular verb in another form: ``inflected("sit", ING)`` is "sitting"."""
    if form == THIRD:
        return verb + "es" if verb.endswith("o") else with_s(verb)
    if form == ING:
        if verb.endswith("ie"):
            return verb[:-2] + "ying"
        if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
            return verb[:-1] + "ing"
        return verb + (verb[-1] if _DOUBLES.fullmatch(verb) else "") + "ing"
    return verb


def forms(verb: str) -> dict[str, str]:
    """Every form of a verb, and which it is."""
    return {inflected(verb, form): form for form in (BASE, THIRD, ING)}


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be said instead of an action."""

    words: tuple[str, ...]  # stand after the verb, and are replaced with it
    after: frozenset[str] | None  # of these one must follow, "" being the end; None: any may
    nouns: NounClass | None  # of the noun whose phrase must follow; None: none need
    instead: tuple[str, ...]  # what may be said instead, as dictionary forms

    def hides(self, later: "Rule") -> bool:
        """Whether this rule fits wherever the later one does."""
        size = len(self.words)
        if later.words[:size] != self.words:
            return False
        if self.after is None and self.nouns is None:
            return True
        if len(later.words) > size:
            return self.after is not None and later.words[size] in self.after
        if self.after is not None:
            return later.after is not None and later.after <= self.after
        return bool(self.nouns and later.nouns and self.nouns.includes(later.nouns))


class Verbs:
    """All verbs, and the rules of actions."""

    def __init__(self, tables: Tables, nouns: Nouns) -> None:
        self._tables = tables
        self._nouns = nouns
        rows = tables.rows("verbs")
        self._participles = {row["verb"]: row["participle"] for row in rows if row["participle"]}
        self._heads = {row["verb"]: row for row in rows if not row["like"]}
        self._rows = rows

    @cached_property
    def participles(self) -> frozenset[str]:
        """Participles that say what a form in -ing says; a rule may begin with one: "parked"."""
        return frozenset(self._participles.values())

    @cached_property
    def actions(self) -> dict[str, str]:
        """Forms of verbs that are seldom nouns: the action, whichever synonym names it."""
        found: dict[str, str] = {}
        for row in self._rows:
            verb, like = row["verb"], row["like"]
            if like:
                self._tables.refer(row, like, self._heads, "verbs")
            action = f"to {like or verb}"
            found[inflected(verb, ING)] = found[inflected(verb, THIRD)] = action
            if verb in self._participles:
                found[self._participles[verb]] = action
        return found

    @cached_property
    def postures(self) -> dict[str, tuple[str, str]]:
        """Forms of verbs that say where or how someone is: the verb, and which form it is."""
        return {
            text: (row["verb"], form)
            for row in self._rows
            if "posture" in row.traits(("posture",))
            for text, form in forms(row["verb"]).items()
            if form != BASE
        }

    @cached_property
    def actors(self) -> dict[str, NounClass]:
        """The classes of nouns that act in some rule, in the order of noun_classes.tsv."""
        acting = {actor for actor, _ in self.rules}
        return {name: one for name, one in self._nouns.classes.items() if name in acting}

    @cached_property
    def rule_forms(self) -> dict[str, tuple[str, str]]:
        """Every form of a verb that a rule begins with: the verb, and which form it is."""
        found: dict[str, tuple[str, str]] = {}
        for _, verb in self.rules:
            # Participles of a state: "a parked car" is driving otherwise.
            known = {verb: ING} if verb in self.participles else forms(verb)
            for text, form in known.items():
                found.setdefault(text, (verb, form))
        for verb, participle in self._participles.items():
            found.setdefault(participle, (verb, ING))
        return found

    @cached_property
    def rules(self) -> dict[tuple[str, str], tuple[Rule, ...]]:
        """For an actor and a verb, the rules in order; the first that fits counts."""
        return self._tables.in_turn(map(self._rule, self._tables.rows("actions")), Rule.hides)

    def _rule(self, row: Row) -> tuple[Row, tuple[str, str], Rule]:
        self._tables.refer(row, row["actor"], self._nouns.classes, "noun_classes")
        verb, *words = row["action"].split()
        rule = Rule(tuple(words), *self._following(row), row.items("instead"))
        if any(text.split()[0] == verb for text in rule.instead):  # it is never put in
            raise row.fault("an action replaced by its own verb", got=row["instead"])
        return row, (row["actor"], verb), rule

    def _following(self, row: Row) -> tuple[frozenset[str] | None, NounClass | None]:
        """What must follow an action: words, or a class of nouns."""
        then = row["then"]
        if then == "end":
            return frozenset(("", ".")), None
        if then == "@any":
            return None, NounClass(is_any=True)
        if then.startswith("@"):
            return None, self._tables.refer(row, then[1:], self._nouns.classes, "noun_classes")
        return self._tables.words_of(row, then) if then else None, None
