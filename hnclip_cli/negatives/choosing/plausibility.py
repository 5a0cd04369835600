"""How usual a candidate is for what its caption says: the words it puts in, in their places."""

from collections.abc import Iterable, Sequence
from functools import cached_property

from hnclip_cli.language.caption import Caption, Word, once
from hnclip_cli.language.gaps import MAX_LOSS, NEVER, UNKNOWN_SORT, Gaps
from hnclip_cli.language.links import (
    COMPOUND,
    DETERMINER,
    MODIFIER,
    NOUN,
    PLACE,
    PREPOSITION,
    SEVERAL,
    VERB,
    Unit,
    links_of,
    units,
    verb_lemma,
)
from hnclip_cli.language.usage import Usage
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.negatives.analysis.nouns import mentions
from hnclip_cli.negatives.choosing.choice import drawn
from hnclip_cli.streams.edits import Edit

USUAL_RELATION = 4.7
UNKNOWN_RELATION = 9.0
# What another verb or number costs anyway: what is odd about it shows less in its links than what
# is odd about a noun does in its place.
NO_NOUN = 1.0
# What is left to those that get no other.
RARE = MAX_LOSS + 0.5
# It suits almost any place: without a draw it alone would tell the negative.
_BESIDE = "next to"
# An attribute that is less usual is still a fact of the image.
MODIFIER_SHARE = 0.32


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

    def gaps(self, caption: Caption) -> Gaps | None:
        """What is usual in a caption; None where all is, among drawn shapes."""
        num_drawn = sum("drawn" in mention.noun.family.traits for mention in mentions(caption))
        if num_drawn and 2 * num_drawn >= sum(unit.kind == NOUN for unit in units(caption)):
            return None
        return Gaps(self._usage, caption)

    def losses(self, caption: Caption, candidates: Sequence[list[Edit]]) -> list[float]:
        if caption.gaps is None:
            return [0.0] * len(candidates)
        known, one = caption.gaps.known, _OfCaption(caption.gaps, caption)
        losses = [
            known[edits[0]] if edits and edits[0] in known else one.loss(edits)
            for edits in candidates
        ]
        most = caption.gaps.last_resort
        return [loss if loss <= most else NEVER for loss in losses]


class _OfCaption:
    """What the candidates of one caption cost."""

    def __init__(self, gaps: Gaps, caption: Caption) -> None:
        self._gaps, self._usage, self._caption = gaps, gaps.usage, caption

    def loss(self, edits: Sequence[Edit]) -> float:
        start, end, text = edits[0]
        number = self._number(edits)
        if number is not None:
            return number
        if len(edits) == 1:
            place = _places(self._caption).get(end)
            if self._counts(self._caption.text[start:end].lower()):
                return 0.0
            if place is not None and place[0] == start:
                found = self._in_place(place[1], place[2], text.lower())
                if found is not None:
                    return found
            found = self._verb(start, end, text)
            if found is not None:
                return found
        return self._whole(edits)

    def _counts(self, text: str) -> bool:
        """Whether words say how many there are: "three", "a group of"."""
        numbers = self._caption.lexicon.numbers
        first, *others = text.split(" ")
        known = (words for words, _ in numbers.vague.get(first, ()))
        return text in numbers.values or tuple(others) in known

    def _in_place(self, kind: int, index: int, text: str) -> float | None:
        if kind == PREPOSITION:
            return self._relation(index, text)
        if kind == VERB or " " in text:
            return None
        if kind == NOUN:
            number = self._usage.nouns.get(text)
            return None if number is None else float(self._gaps.losses(index)[number])
        return MODIFIER_SHARE * (self._gaps.own(index) - self._gaps.at(index, text))

    def _relation(self, index: int, text: str) -> float:
        """What another preposition costs: it must be usual before its noun."""
        placed = [link for link in self._gaps.links if link.relation == PLACE and link.at == index]
        if not placed:
            return UNKNOWN_RELATION
        _, old, noun, _, to = placed[0]
        found = self._usage.link(PLACE, text, noun)
        for link in self._gaps.links:
            if link.to == to and link.relation == f"noun {old}":
                found += 0.3 * self._usage.link(f"noun {text}", link.head, noun)
                if text == "in" and not self._may_be_in(link.head, noun):
                    return NEVER
        is_rare = text == _BESIDE and drawn(self._caption.draw, _BESIDE)[0] >= 51  # of 256
        loss = USUAL_RELATION - found
        return loss + RARE * is_rare if loss <= MAX_LOSS else NEVER

    def _may_be_in(self, thing: str, place: str) -> bool:
        """Whether captions say so, or a thing goes where it likes: no table is in a sink."""
        noun = self._caption.lexicon.nouns.forms.get(thing)
        is_alive = noun is not None and noun.is_animate
        return is_alive or self._usage.is_seen("noun in", thing, place)

    def _verb(self, start: int, end: int, text: str) -> float | None:
        """What another verb costs, with as many words behind it; None for anything else.

        As `_whole`, but the other words need not be linked anew.
        """
        words, pieces = self._caption.words, text.lower().split()
        first = next((i for i, word in enumerate(words) if word.start == start), len(words))
        stop = first + len(pieces)
        if stop > len(words) or words[stop - 1].end != end or not words[first].tag.startswith("VB"):
            return None
        others = dict(zip(range(first + 1, stop), pieces[1:], strict=True))
        instead = {first: verb_lemma(pieces[0]), **others}
        placed = {
            link.to: others[link.at]
            for link in self._gaps.links
            if link.relation == PLACE and link.at in others
        }
        made = []
        for relation, head, dependent, at, to in self._gaps.links:
            if to in placed and relation.startswith(("noun ", "verb ")):
                relation = f"{relation[:5]}{placed[to]}"
            made.append((relation, instead.get(at, head), instead.get(to, dependent)))
        return self._cost(self._new(made))

    def _number(self, edits: Sequence[Edit]) -> float | None:
        """What it costs to count a thing otherwise; None where that is not what is done.

        Captions say one far more often than several. So several stand for one as seldom as
        captions, by a draw, say so: else the number alone would tell the negative.
        """
        start, end, text = edits[0]
        unit = _counted(self._caption).get((start, end))
        if unit is None:
            return None
        is_several = text.lower() in self._caption.lexicon.numbers.values
        if not is_several and text.lower() not in ("a", "an"):
            return None
        determiner = f"{SEVERAL} plural" if is_several else "a"
        loss = self._cost(self._new([(DETERMINER, unit.lemma, determiner)]))
        if is_several and not any(link.dependent.startswith(SEVERAL) for link in self._gaps.links):
            return loss + RARE * (drawn(self._caption.draw, "several")[0] >= 26)  # of 256
        return loss

    def _whole(self, edits: Sequence[Edit]) -> float:
        """What any edits cost, by the links that they make."""
        words = rewritten(self._caption.words, edits)
        new = self._new([link[:3] for link in links_of(words, self._caption.lexicon)])
        if _swaps(self._caption.text, edits) and not all(
            link[0] in (MODIFIER, COMPOUND, DETERMINER) or self._usage.is_seen(*link)
            for link in new
        ):
            return UNKNOWN_SORT  # plausible in both directions, or not at all
        return self._cost(new)

    def _new(self, made: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        """The links that the caption does not have."""
        known = {link[:3] for link in self._gaps.links}
        return [link for link in dict.fromkeys(made) if link not in known]

    def _cost(self, new: Iterable[tuple[str, str, str]]) -> float:
        """What new links cost: 1.2 nats where no caption has one, and a share of how odd it is."""
        usage = self._usage
        return NO_NOUN + sum(
            1.2 * (not usage.is_seen(*link)) - 0.3 * usage.link(*link) for link in new
        )


@once
def _counted(caption: Caption) -> dict[tuple[int, int], Unit]:
    """The noun phrases that begin with a determiner, by its characters [start, end)."""
    words = caption.words
    return {
        (words[unit.first].start, words[unit.first].end): unit
        for unit in units(caption)
        if unit.kind == NOUN and unit.determiner.removesuffix(" plural") and unit.first < unit.name
    }


@once
def _places(caption: Caption) -> dict[int, tuple[int, int, int]]:
    """By the character where each unit ends: where it starts, its kind and its index."""
    words = caption.words
    found: dict[int, tuple[int, int, int]] = {}
    for unit in units(caption):
        if unit.kind == NOUN:
            for index in (*unit.modifiers, *unit.compounds):
                found[words[index].end] = words[index].start, -1, index
            found[words[unit.head].end] = words[unit.name].start, NOUN, unit.head
        elif unit.kind in (VERB, PREPOSITION):
            last = words[unit.stop - 1].end
            found[last] = words[unit.first].start, unit.kind, unit.head
    return found


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
