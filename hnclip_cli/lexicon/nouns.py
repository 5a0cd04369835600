"""Look up what the project knows about a noun: its family, its forms, what may replace it."""

from dataclasses import dataclass
from functools import cache, cached_property

from hnclip_cli.lexicon.further_nouns import ALSO_REPLACES
from hnclip_cli.lexicon.objects import (
    ANIMATE,
    CLASSES,
    FAMILIES,
    FEMALE,
    HUMAN,
    MALE,
)
from hnclip_cli.lexicon.spelling import plural as regular_plural


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun of the lexicon; each is there once.

    Attributes:
        singular, plural: its forms; a mass noun has no plural, "pants" no singular (both "").
        family: the name of its family.
        cluster: its number in the family; None where it is too general to be replaced.
        may_replace: whether it may stand for another noun.
    """

    singular: str
    plural: str
    family: str
    cluster: int | None
    may_replace: bool

    @cached_property
    def is_mass(self) -> bool:
        return not self.plural

    @cached_property
    def is_animate(self) -> bool:
        return self.family in ANIMATE

    @cached_property
    def is_human(self) -> bool:
        return self.family in HUMAN

    @cached_property
    def behavior(self) -> str:
        """What it can do in a sentence: ``animate``, ``vehicle``, ``building`` or ``thing``."""
        return CLASSES.get(self.family, "thing")

    @cached_property
    def gender(self) -> str:
        if self.singular in FEMALE:
            return "female"
        return "male" if self.singular in MALE else ""

    def form(self, plural: bool) -> str:
        return self.plural if plural else self.singular

    @cached_property
    def key(self) -> str:
        """What names the thing, whichever synonym is used."""
        return self.singular if self.cluster is None else f"{self.family}/{self.cluster}"


@cache
def nouns() -> dict[str, Noun]:
    """Every form of every noun, lower case, words joined by one space."""
    forms: dict[str, Noun] = {}
    for family, text in FAMILIES.items():
        for number, line in enumerate(filter(None, map(str.strip, text.splitlines()))):
            cluster = None if line.startswith("=") else number
            before, _, after = line.removeprefix("=").partition("|")
            for entry in before.split():
                _add(forms, entry, family, cluster, cluster is not None)
            for entry in after.split():
                _add(forms, entry, family, cluster, False)
    return forms


@cache
def nouns_by_first_word() -> dict[str, list[tuple[tuple[str, ...], Noun]]]:
    """For the first word of each form, the words that follow and the noun, the longest first."""
    found: dict[str, list[tuple[tuple[str, ...], Noun]]] = {}
    for form in sorted(nouns(), key=lambda form: -form.count(" ")):
        first, *others = form.split(" ")
        found.setdefault(first, []).append((tuple(others), nouns()[form]))
    return found


@cache
def rivals(noun: Noun) -> tuple[Noun, ...]:
    """The nouns that may replace this one: same family, other cluster, both count or both mass."""
    if noun.cluster is None:
        return ()
    found = {
        other.singular: other
        for other in nouns().values()
        if other.family == noun.family
        and other.may_replace
        and other.cluster != noun.cluster
        and other.is_mass == noun.is_mass
    }
    return tuple(found.values())


@cache
def further_rivals(noun: Noun, at_rest: bool) -> tuple[Noun, ...]:
    """Nouns of other families that may replace this one; more where what it does is to rest."""
    found: list[str] = []
    for line in filter(None, map(str.strip, ALSO_REPLACES.splitlines())):
        name, _, others = line.partition(": ")
        always, _, resting = others.partition("|")
        if nouns()[name].key == noun.key:
            found += always.split() + (resting.split() if at_rest else [])
    others_ = [nouns()[name.replace("_", " ")] for name in found]
    return tuple(dict.fromkeys(other for other in others_ if other.is_mass == noun.is_mass))


def _add(
    forms: dict[str, Noun], entry: str, family: str, cluster: int | None, may_replace: bool
) -> None:
    text = entry.replace("_", " ")
    if text.startswith("-"):
        noun = Noun("", text[1:], family, cluster, may_replace)
    elif text.endswith("*"):
        noun = Noun(text[:-1], "", family, cluster, may_replace)
    else:
        singular, _, plural = text.partition("/")
        noun = Noun(singular, plural or regular_plural(singular), family, cluster, may_replace)
    for form in {noun.singular, noun.plural} - {""}:
        forms.setdefault(form, noun)
