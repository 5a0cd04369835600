"""What a word costs in the place of another one of a caption, by what is usual there."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from hnclip_cli.language.caption import Caption
from hnclip_cli.language.links import (
    COMPOUND,
    DETERMINER,
    JOINED,
    MODIFIER,
    NOUN,
    OBJECT,
    PLACE,
    SUBJECT,
    VERB,
    Link,
    lemmas,
    links,
    units,
)
from hnclip_cli.language.usage import DEPENDENT, HEAD, Usage
from hnclip_cli.lexicon.nouns import Noun
from hnclip_cli.streams.edits import Edit

# A candidate that is e^4 times less usual than its caption is refused.
MAX_LOSS = 4.0
# How many that cost more are looked at.
MISFITS = 8
# What no caption held.
UNKNOWN = -14.0
# What costs more than this is not said, not even where nothing else is left; in a caption all of
# whose things and actions are known, and in others, of which captions tell less.
LAST_RESORT, LAST_RESORT_OF_UNKNOWN = 11.0, 6.5
# What is usual in its place, in nats.
USUAL, VERY_USUAL = 3.0, 5.0
# What costs more is not said of a thing that no caption describes so.
MOST_ODDLY_DESCRIBED = 4.5
UNKNOWN_SORT = 9.0
# What costs so much is never said, not even where nothing else is left.
NEVER = math.inf
# Where captions do not tell of more than this share of the things and actions, they cannot tell
# what is odd; then there is nothing but the like of what the caption says.
MAX_UNKNOWN = 0.25
# So many captions must put something in the place of a thing that is no like of it: one may err.
LEAST_ATTESTING = 2
# What a like of a thing costs that no caption puts in its place, or describes so.
UNATTESTED = 1.0
_NOT_PLACING = {COMPOUND, DETERMINER, JOINED, MODIFIER, PLACE}
# Almost all that a man does may a girl do, whatever captions say: what a few nats count, and that
# more of them count little.
_PEOPLE_SHARE, _PEOPLE_MOST = 0.6, 4.0
# Where nothing else is left, what one of these does another one may do, whatever captions say.
_ALIKE = {"human", "animal", "vehicle"}
# A woman may do all that a man does, a boy all that a girl does; but far away, and in helmets, one
# cannot tell who it is, and few men wear dresses. Beginnings of words, and words.
_COUNTERPART_MOST, _HIDDEN = 2.5, MAX_LOSS + 0.5
_HIDING: tuple[str, ...] = (
    "ski",
    "snow",
    "surf",
    "wave",
    "motorcycl",
    "helmet",
    "baseball",
    "batter",
    "wetsuit",
)
_HIDING += ("costume", "mask", "catcher", "umpire")
_WORN_BY_WOMEN = {"dress", "dresses", "heels", "makeup", "pigtails", "ponytail", "saree", "sari"}


class Gaps:
    """How usual each choice of a `Usage` is in the place of a word of a caption.

    Attributes:
        max_loss: what may be lost by another word.
        usage: what goes with what.
        links: of the caption.
        known: what edits cost that a kind proposed by their losses.
        is_familiar: whether captions tell of most things and actions of this one.
        last_resort: the most that anything may cost, where nothing else is left.
    """

    max_loss = MAX_LOSS

    def __init__(self, usage: Usage, caption: Caption) -> None:
        self.usage = usage
        self.links: list[Link] = links(caption)
        self.known: dict[Edit, float] = {}
        unknown = _unknown_share(usage, caption)
        self.is_familiar = unknown <= MAX_UNKNOWN
        self.last_resort = LAST_RESORT_OF_UNKNOWN if unknown else LAST_RESORT
        self._lowers = [word.lower for word in caption.words]
        self._nouns = caption.lexicon.nouns.forms
        self._rows: dict[int, np.ndarray] = {}
        self._losses: dict[int, np.ndarray] = {}
        self._counts: dict[tuple[str, int, str], np.ndarray] = {}

    def ranked(self, index: int, nouns: Sequence[Noun]) -> list[tuple[Noun, float]]:
        """Nouns in the place of the one at a word, the most usual first, with their losses.

        A loss is in nats; what costs over `MAX_LOSS` fits only where nothing else does, and
        few of those are there.
        """
        losses = self.losses(index)[self.usage.numbers(nouns)]
        num_found = int((losses <= MAX_LOSS).sum()) + MISFITS
        num_found = min(num_found, int((losses < NEVER).sum()))
        order = losses.argsort(kind="stable")[:num_found]
        found = zip(order.tolist(), losses[order].tolist(), strict=True)
        return [(nouns[place], loss) for place, loss in found]

    def losses(self, index: int) -> np.ndarray:
        """What each choice costs in the place of the noun at a word, (C,)."""
        if index not in self._losses:
            self._losses[index] = self._losses_of(index)
        return self._losses[index]

    def _losses_of(self, index: int) -> np.ndarray:
        usage = self.usage
        losses = self.own(index) - self.row(index)
        is_like, num_attesting = self._are_like(index), self._num_attesting(index)
        may = self._may_stand(index, is_like)
        if self.is_familiar:
            may &= is_like | (num_attesting >= LEAST_ATTESTING)
        are_described_so = self._are_described_so(index)
        losses[num_attesting == 0] += UNATTESTED
        losses[~are_described_so] += UNATTESTED
        losses[~are_described_so & (losses > MOST_ODDLY_DESCRIBED)] = NEVER
        noun = self._nouns.get(self._lowers[index])
        are_alike = is_like if noun and noun.family.nature in _ALIKE else is_like & False
        losses[~may] = NEVER
        losses[~may & are_alike] = UNKNOWN_SORT
        if self._lemma(index) in usage.people:
            cost = losses[usage.of_people] * (_PEOPLE_SHARE / _PEOPLE_MOST)
            losses[usage.of_people] = np.minimum(cost, np.tanh(cost)) * _PEOPLE_MOST
            self._bound_counterpart(index, losses)
        losses[are_alike & (losses > self.last_resort) & (losses < NEVER)] = self.last_resort
        losses[~self._are_known_sorts(index)] = NEVER
        if self.is_familiar:
            losses[~is_like & (losses > self.last_resort)] = NEVER
        else:
            limit = NEVER if noun and noun.is_animate else MAX_LOSS
            losses[~is_like | (losses > limit)] = NEVER
        return losses

    def _bound_counterpart(self, index: int, losses: np.ndarray) -> None:
        """Let the woman for a man, or the boy for a girl, cost what they may at most or least."""
        noun = self._nouns.get(self._lemma(index))
        if noun is None or not noun.gender:
            return
        numbers = self.usage.numbers([other for other in noun.rivals if other.gender])
        if any(word.startswith(_HIDING) or word in _WORN_BY_WOMEN for word in self._lowers):
            losses[numbers] = np.maximum(losses[numbers], _HIDDEN)
        else:
            losses[numbers] = np.minimum(losses[numbers], _COUNTERPART_MOST)

    def _are_like(self, index: int) -> np.ndarray:
        """Which choices are of the family of the noun at a word, (C,); all people are."""
        number = self.usage.choices.get(self._lemma(index))
        family = -1 if number is None else int(self.usage.families[number])
        is_like: np.ndarray = self.usage.families == family
        if self._lemma(index) in self.usage.people:
            is_like[self.usage.of_people] = True
        return is_like

    def _num_attesting(self, index: int) -> np.ndarray:
        """How many captions put each choice where the noun at a word is put, at most; (C,)."""
        most = np.zeros(len(self.usage.choices), "f4")
        for relation, head, dependent, at, to in self.links:
            if relation not in _NOT_PLACING and at == index:
                np.maximum(most, self._counted(relation, HEAD, dependent), out=most)
            elif relation not in _NOT_PLACING and to == index:
                np.maximum(most, self._counted(relation, DEPENDENT, head), out=most)
        return most

    def _may_stand(self, index: int, is_like: np.ndarray) -> np.ndarray:
        """Which choices captions put here, (C,).

        What is done to a thing, by it, or on, in or near it, is so to another one of its family,
        and else must be said: one rides horses, and pets no books. People must be described so:
        young girls, but no older ones. What is no like of the thing must have what the thing has:
        no silver men, and no snowboards with baskets. There are bowls of soup, and no plates.
        """
        usage = self.usage
        may = np.ones(len(usage.choices), bool)
        is_person = self._lemma(index) in usage.people
        is_of_verb = any(
            link.to == index and link.relation.startswith("verb ") for link in self.links
        )
        placing = "verb " if is_of_verb else "noun "  # of both, the verb is meant
        for relation, head, dependent, at, to in self.links:
            if at == index and (relation == MODIFIER or relation.startswith("noun ")):
                must = is_person if relation == MODIFIER else relation == "noun of"
                seen = self._counted(relation, HEAD, dependent) > 0
                may &= seen if must else seen | is_like
            elif to == index and relation == "noun in" and self._is_vessel(index):
                may &= self._counted(relation, DEPENDENT, head) > 0  # no wine in bowls
            elif to == index and relation.startswith(placing) and relation != "noun of":
                may &= is_like | (self._counted(relation, DEPENDENT, head) > 0)
            elif to == index and relation in (OBJECT, SUBJECT, "noun of"):
                num_done = self._counted(relation, DEPENDENT, head)
                may &= is_like | (num_done >= LEAST_ATTESTING)
        return may

    def _are_known_sorts(self, index: int) -> np.ndarray:
        """Which choices captions name so, (C,): "computer chair", but no "computer couch"."""
        are = np.ones(len(self.usage.choices), bool)
        for relation, _, dependent, at, _ in self.links:
            if at == index and relation == COMPOUND:
                are &= self._counted(relation, HEAD, dependent) > 0
        return are

    def _counted(self, relation: str, side: int, other: str) -> np.ndarray:
        """How many captions have each choice on one side of a link, (C,)."""
        key = relation, side, other
        if key not in self._counts:
            self._counts[key] = self.usage.count_row(*key)
        return self._counts[key]

    def _is_vessel(self, index: int) -> bool:
        noun = self._nouns.get(self._lowers[index])
        return noun is not None and noun.family.name == "vessel"

    def _are_described_so(self, index: int) -> np.ndarray:
        """Which choices captions describe as the noun at a word, (C,): coffee is iced, no wine."""
        are = np.ones(len(self.usage.choices), bool)
        for relation, _, dependent, at, _ in self.links:
            if at == index and relation == MODIFIER:
                are &= self._counted(relation, HEAD, dependent) > 0
        return are

    def own(self, index: int) -> float:
        """How usual the caption's own word is; how odd or how fixed it is does not count."""
        return min(max(self.at(index, self._lemma(index)), USUAL), VERY_USUAL)

    def at(self, index: int, lemma: str) -> float:
        """How usual a lemma is in the place of a word."""
        number = self.usage.choices.get(lemma)
        return UNKNOWN if number is None else float(self.row(index)[number])

    def row(self, index: int) -> np.ndarray:
        """How usual each choice is in the place of a word, (C,)."""
        if index not in self._rows:
            self._rows[index] = self._row(index)
        return self._rows[index]

    def _row(self, index: int) -> np.ndarray:
        usage = self.usage
        row = np.zeros(len(usage.choices), "f4")
        for relation, head, dependent, at, to in self.links:
            if at == index and relation != PLACE:
                found = usage.link_row(relation, HEAD, dependent)
            elif to == index and relation != DETERMINER:
                found = usage.link_row(relation, DEPENDENT, head)
            else:
                continue
            if found is not None:
                row += found
        # In order: rounding must not depend on how a process hashes words.
        for word in sorted(set(self._named.values()) - {self._lemma(index)}):
            found = usage.scene_row(word)
            if found is not None:
                row += found
        return row

    @cached_property
    def _named(self) -> dict[int, str]:
        return lemmas(self.links)

    def _lemma(self, index: int) -> str:
        return self._named.get(index) or self._lowers[index]


def _unknown_share(usage: Usage, caption: Caption) -> float:
    """Of the things and actions of a caption, how many no other tells of; names do not count."""
    named = [
        word
        for unit in units(caption)
        if unit.kind in (NOUN, VERB)
        for place, word in (
            (unit.head, unit.lemma),
            *((index, caption.lower(index)) for index in unit.compounds),
        )
        if caption.has_plain_case(place)
    ]
    num_unknown = sum(not usage.knows(word) for word in named)
    return num_unknown / max(1, len(named))
