"""Verbs: their forms, what they say, and which actions exclude each other."""

import re
from dataclasses import dataclass
from functools import cached_property

from hnclip_cli.lexicon.nouns import NounClass, Nouns
from hnclip_cli.lexicon.tables import Row, Tables

BASE, THIRD, ING = "base", "third", "ing"

# One syllable that ends in one short vowel and one consonant doubles it: sit, run, chop.
_DOUBLES = re.compile(r"[^aeiou]*(?:[aeiou]|qu[aeiou])[bdgklmnprt]")


def inflected(verb: str, form: str) -> str:
    """A regular verb in another form: ``inflected("sit", ING)`` is "sitting"."""
    if form == THIRD:
        if re.search(r"(s|x|z|ch|sh|o)$", verb):
            return verb + "es"
        return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"
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
class Follower:
    """What must follow an action: a noun of a class, a word of some, or the end.

    Attributes:
        nouns: a class of nouns; None for another follower.
        words: words of which one must follow; None for another follower.
        is_end, is_any: the end, or any noun, must follow. With none of the four anything may.
    """

    nouns: NounClass | None = None
    words: frozenset[str] | None = None
    is_end: bool = False
    is_any: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """``words`` after the verb, what must follow them, and what may be said instead."""

    words: tuple[str, ...]
    then: Follower
    instead: tuple[str, ...]


class Verbs:
    """All verbs, and the rules of actions."""

    def __init__(self, tables: Tables, nouns: Nouns, words: dict[str, frozenset[str]]) -> None:
        self._tables = tables
        self._nouns = nouns
        self._words = words
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
        found: dict[tuple[str, str], list[tuple[Row, Rule]]] = {}
        for row in self._tables.rows("actions"):
            if row["actor"] not in self._nouns.classes:
                raise row.fault("not a class of noun_classes.tsv", got=row["actor"])
            verb, *words = row["action"].split()
            rule = Rule(tuple(words), self._follower(row), row.items("instead"))
            if any(text.split()[0] == verb for text in rule.instead):  # it is never put in
                raise row.fault("an action replaced by its own verb", got=row["instead"])
            known = found.setdefault((row["actor"], verb), [])
            for earlier_row, earlier in known:
                if self._tables.are_rivals(earlier_row, row) and _hides(earlier, rule):
                    raise row.fault(
                        f"a rule that is never reached: {earlier_row.where} fits first",
                        got=f"{row['actor']} {row['action']} {row['then']}".strip(),
                    )
            known.append((row, rule))
        return {key: tuple(rule for _, rule in rules) for key, rules in found.items()}

    def _follower(self, row: Row) -> Follower:
        then = row["then"]
        if then in ("", "@any", "end"):
            return Follower(is_any=then == "@any", is_end=then == "end")
        if then.startswith("@") and then[1:] in self._nouns.classes:
            return Follower(nouns=self._nouns.classes[then[1:]])
        if then[0] + then[-1] == "<>" and then[1:-1] in self._words:
            return Follower(words=self._words[then[1:-1]])
        raise row.fault(
            "an unknown follower of an action",
            got=then,
            expected='"@class" of noun_classes.tsv, "<class>" of words.tsv, "@any" or "end"',
        )


def _hides(earlier: Rule, later: Rule) -> bool:
    """Whether the earlier rule fits wherever the later one does."""
    size = len(earlier.words)
    if later.words[:size] != earlier.words:
        return False
    then = earlier.then
    if then == Follower():
        return True
    if len(later.words) > size:
        return then.words is not None and later.words[size] in then.words
    if then.words and later.then.words:
        return later.then.words <= then.words
    if then.nouns and later.then.nouns:
        return then.nouns.includes(later.then.nouns)
    return then == later.then or (then.is_any and later.then.nouns is not None)
