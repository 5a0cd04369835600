"""How usual a candidate is for what its caption says: the words it puts in, in their places."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from hnclip_cli.language.caption import Caption, Word
from hnclip_cli.language.links import (
    COMPOUND,
    DETERMINER,
    MODIFIER,
    NOUN,
    OBJECT,
    PLACE,
    PREPOSITION,
    SEVERAL,
    SUBJECT,
    VERB,
    Link,
    lemmas,
    links,
    links_of,
    units,
)
from hnclip_cli.language.usage import DEPENDENT, HEAD, Usage
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.negatives.analysis.nouns import mentions
from hnclip_cli.negatives.choosing.choice import drawn
from hnclip_cli.streams.edits import Edit

# A candidate that is e^3 times less usual than its caption is refused.
MAX_LOSS = 3.0
# What no caption held.
UNKNOWN = -14.0
# What is usual in its place, in nats.
USUAL, VERY_USUAL = 3.0, 5.0
USUAL_RELATION = 3.7
UNKNOWN_RELATION = UNKNOWN_SORT = 9.0
UNKNOWN_WORD = 17.0
# What is left to those that get no other.
RARE_NUMBER = MAX_LOSS + 0.5
# An attribute that is less usual is still a fact of the image.
MODIFIER_SHARE = 0.4


class Plausible:
    """Judges by how much less usual the words put in are than those they stand for, in nats.

    Args:
        lexicon: of the captions.
        usage: what goes with what; by default the built-in one, which is read when it is needed.
    """

    max_loss = MAX_LOSS

    def __init__(self, lexicon: Lexicon, usage: Usage | None = None) -> None:
        self._lexicon, self._given = lexicon, usage

    @cached_property
    def _usage(self) -> Usage:
        return self._given or Usage.built_in(self._lexicon)

    def losses(self, caption: Caption, candidates: Sequence[list[Edit]]) -> list[float]:
        if not candidates:
            return []
        if any("drawn" in mention.noun.family.traits for mention in mentions(caption)):
            return [0.0] * len(candidates)
        one = _OfCaption(self._usage, caption)
        return [
            one.noun_loss(edits) if len(edits) == 1 else one.loss(edits) for edits in candidates
        ]


class _OfCaption:
    """What the candidates of one caption cost."""

    def __init__(self, usage: Usage, caption: Caption) -> None:
        self._usage, self._caption = usage, caption
        self._rows: dict[int, np.ndarray] = {}
        self._losses: dict[int, list[float]] = {}  # by the character where a noun ends

    @cached_property
    def _links(self) -> list[Link]:
        return links(self._caption)

    @cached_property
    def _named(self) -> dict[int, str]:
        return lemmas(self._links)

    @cached_property
    def _gaps(self) -> dict[int, tuple[int, int, int]]:
        """By the character where each unit ends: where it starts, its kind and its index."""
        words = self._caption.words
        found: dict[int, tuple[int, int, int]] = {}
        for unit in units(self._caption):
            if unit.kind == NOUN:
                for index in unit.modifiers:
                    found[words[index].end] = words[index].start, -1, index
                found[words[unit.head].end] = words[unit.name].start, NOUN, unit.head
            elif unit.kind in (VERB, PREPOSITION):
                last = words[unit.stop - 1].end
                found[last] = words[unit.first].start, unit.kind, unit.head
        return found

    def noun_loss(self, edits: Sequence[Edit]) -> float:
        """What one edit costs; most put a noun in, and are looked up."""
        start, end, text = edits[0]
        losses = self._losses.get(end) or self._losses_at(start, end)
        if not losses:
            return self.loss(edits)
        nouns = self._usage.nouns
        number = nouns.get(text) or nouns.get(text.lower())
        return UNKNOWN_WORD if number is None else losses[number]

    def _losses_at(self, start: int, end: int) -> list[float]:
        """What each choice costs in the place of the noun of these characters; none for another."""
        gap = self._gaps.get(end)
        if not gap or gap[0] != start or gap[1] != NOUN:
            return []
        self._losses[end] = self._noun_losses(gap[2]).tolist()
        return self._losses[end]

    def loss(self, edits: Sequence[Edit]) -> float:
        if len(edits) == 1:
            start, end, text = edits[0]
            gap = self._gaps.get(end)
            if gap is None:
                if self._caption.text[start:end].lower() in self._caption.lexicon.numbers.values:
                    return 0.0
            elif gap[0] == start:
                found = self._in_gap(gap[1], gap[2], text.lower())
                if found is not None:
                    return found
        return self._whole(edits)

    def _in_gap(self, kind: int, index: int, text: str) -> float | None:
        if kind == PREPOSITION:
            return self._relation(index, text)
        if kind == VERB or " " in text:
            return None
        row = self._row(index)
        return MODIFIER_SHARE * (self._own(row, index) - self._at(row, text))

    def _noun_losses(self, index: int) -> np.ndarray:
        """What each choice costs in the place of a noun, (C,)."""
        row = self._row(index)
        losses = self._own(row, index) - row
        losses[~self._may_stand(index)] = UNKNOWN_SORT
        return losses

    def _may_stand(self, index: int) -> np.ndarray:
        """Which choices captions put here, (C,).

        A sort must be known: there is a "computer chair", but no "computer couch". What is done to
        a thing, or by it, is so to another one of its family, and else must be said: one rides
        horses, and pets no books.
        """
        usage = self._usage
        may = np.ones(len(usage.choices), bool)
        number = usage.choices.get(self._lemma(index))
        family = -1 if number is None else usage.families[number]
        for relation, head, dependent, at, to in self._links:
            if at == index and relation == COMPOUND:
                may &= usage.seen_row(relation, HEAD, dependent)
            elif to == index and relation in (OBJECT, SUBJECT, "noun of"):
                may &= usage.seen_row(relation, DEPENDENT, head) | (usage.families == family)
        return may

    def _own(self, row: np.ndarray, index: int) -> float:
        """How usual the caption's own word is; how odd or how fixed it is does not count."""
        return min(max(self._at(row, self._lemma(index)), USUAL), VERY_USUAL)

    def _lemma(self, index: int) -> str:
        return self._named.get(index, self._caption.lower(index))

    def _at(self, row: np.ndarray, lemma: str) -> float:
        number = self._usage.choices.get(lemma)
        return UNKNOWN if number is None else float(row[number])

    def _row(self, index: int) -> np.ndarray:
        """How usual each choice is in the place of a word, (C,)."""
        if index not in self._rows:
            usage = self._usage
            row = np.zeros(len(usage.choices), "f4")
            for relation, head, dependent, at, to in self._links:
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
            self._rows[index] = row
        return self._rows[index]

    def _relation(self, index: int, text: str) -> float:
        """What another preposition costs: it must be usual before its noun."""
        placed = [link for link in self._links if link.relation == PLACE and link.at == index]
        if not placed:
            return UNKNOWN_RELATION
        _, old, noun, _, to = placed[0]
        found = self._usage.link(PLACE, text, noun)
        for link in self._links:
            if link.to == to and link.relation == f"noun {old}":
                found += 0.3 * self._usage.link(f"noun {text}", link.head, noun)
        return USUAL_RELATION - found

    def _whole(self, edits: Sequence[Edit]) -> float:
        """What any edits cost, by the links that they make."""
        words = rewritten(self._caption.words, edits)
        known = {link[:3] for link in self._links}
        made = dict.fromkeys(link[:3] for link in links_of(words, self._caption.lexicon))
        new = [link for link in made if link not in known]
        if _swaps(self._caption.text, edits) and not all(
            link[0] in (MODIFIER, COMPOUND, DETERMINER) or self._usage.is_seen(*link)
            for link in new
        ):
            return UNKNOWN_SORT  # plausible in both directions, or not at all
        loss = sum(self._new_link(*link) for link in new)
        return loss + RARE_NUMBER if self._is_rare_number(new) else loss

    def _is_rare_number(self, new: Iterable[tuple[str, str, str]]) -> bool:
        """Whether several stand for one where captions, by a draw, would not say so.

        Captions say one far more often than several: without the draw the number alone would tell
        the negative.
        """
        counted = any(link[0] == DETERMINER and link[2].startswith(SEVERAL) for link in new)
        if not counted or any(link.dependent.startswith(SEVERAL) for link in self._links):
            return False
        return drawn(self._caption.draw, "several")[0] >= 26  # of 256

    def _new_link(self, relation: str, head: str, dependent: str) -> float:
        is_seen = self._usage.is_seen(relation, head, dependent)
        return (0.0 if is_seen else 1.2) - 0.3 * self._usage.link(relation, head, dependent)


def _swaps(text: str, edits: Sequence[Edit]) -> bool:
    """Whether the edits put the same words elsewhere."""
    old = sorted(text[start:end].lower() for start, end, _ in edits)
    return len(edits) > 1 and old == sorted(new.lower() for *_, new in edits)


def rewritten(words: Sequence[Word], edits: Sequence[Edit]) -> list[Word]:
    """The words that edits leave, each with the tag of the one that it stands for."""
    found: list[Word] = []
    known = {word.lower: word.tag for word in words}
    place = 0
    for start, end, text in sorted(edits):
        while place < len(words) and words[place].end <= start:
            found.append(words[place])
            place += 1
        tags = []
        while place < len(words) and words[place].start < end:
            tags.append(words[place].tag)
            place += 1
        pieces = text.split()
        if len(pieces) != len(tags):
            tags = _guessed(pieces, tags)
        tags = [known.get(piece.lower(), tag) for piece, tag in zip(pieces, tags, strict=True)]
        found += [
            Word(piece, piece.lower(), start, end, tag)
            for piece, tag in zip(pieces, tags, strict=True)
        ]
    return [*found, *words[place:]]


_PREPOSITIONS = {"on", "in", "at", "of", "with", "by", "to", "near", "under", "behind", "over"}
_PREPOSITIONS |= {"through", "across", "beside", "along", "into", "from", "front", "next", "around"}


def _guessed(pieces: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Tags of words that stand for a run of others."""
    found = []
    for place, piece in enumerate(pieces):
        lower = piece.lower()
        if lower in _PREPOSITIONS:
            found.append("IN")
        elif lower in ("up", "down"):
            found.append("RP")
        elif lower in ("a", "an", "the"):
            found.append("DT")
        elif place == 0 and tags:
            found.append(tags[0])
        else:
            found.append(tags[-1] if tags else "NN")
    return found
