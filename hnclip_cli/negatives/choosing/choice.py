"""The choice of a record's negatives among what is offered, by what is known to be true of it."""

import hashlib
import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, cycle, islice
from typing import Any, TypeVar

from hnclip_cli.language.caption import MAX_CHARACTERS, Caption
from hnclip_cli.language.window import CONTEXT_LENGTH, are_read_alike
from hnclip_cli.lexicon import Lexicon, load_lexicon
from hnclip_cli.negatives.choosing.sameness import Saying, content_words
from hnclip_cli.negatives.choosing.truth import TrueCaptions, facts, normalized
from hnclip_cli.negatives.kinds.presets import Slots
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.edits import Edit, apply_edits
from hnclip_cli.streams.records import Record

T = TypeVar("T")
# The edits of each candidate of a kind, best first, by the name of the kind.
Offers = Mapping[str, Iterable[list[Edit]]]

# More edits reorder words rather than replace them.
_FEW_EDITS = 3
UNREAD = "only words that CLIP does not read"
_DIGITS = [b"%d" % number for number in range(MAX_CHARACTERS + 1)]


@dataclass(frozen=True, slots=True)
class Choosing:
    """What is to be made, and what every choice depends on.

    Attributes:
        kinds: names from `KINDS`, in the order in which they are tried.
        per_caption: keep this many negatives, of as many different kinds as possible; None keeps
            one of each kind.
        truth: what else is true of the images.
        seed: of all choices; with the record's id and the kind it decides everything.
        lexicon: what is known about words.
        context_length: tokens that the model reads; what changes only later ones is refused.
        slots: what to have in place of one of each kind, and what stands in.
    """

    kinds: tuple[str, ...]
    per_caption: int | None = None
    truth: TrueCaptions = field(default_factory=TrueCaptions)
    seed: int = 0
    lexicon: Lexicon = field(default_factory=load_lexicon)
    context_length: int = CONTEXT_LENGTH
    slots: Slots | None = None

    def check(self, record: Record) -> None:
        """See that a record has what a choice reads.

        Raises:
            InputError: no usable caption, id, list of captions or, where it matters, group.
        """
        _ = record.caption, record.id, _listed(record)
        if self.truth:
            _ = record.group

    def draw(self, record: Record) -> bytes:
        """What the record's random choices are hashes of."""
        return f"{self.seed}\0{record.id}\0".encode("utf-8", "replace")


class Choice:
    """The negatives of one record.

    Args:
        choosing: what is to be made.
        record: `Choosing.check` has found it good.
        caption: the record's, with its ``draw``.

    Attributes:
        refused: how many candidates were refused, by what they would change.
    """

    def __init__(self, choosing: Choosing, record: Record, caption: Caption) -> None:
        self._limit, self._slots = choosing.per_caption, choosing.slots
        self._truth = choosing.truth
        self._group = record.group if choosing.truth else ""
        self._caption = caption
        self._others = _listed(record)
        self._context_length = choosing.context_length
        self.refused: Counter[str] = Counter()
        self._taken = {normalized(text) for text in (caption.text, *self._others)}

    def of(self, offers: Offers) -> list[dict[str, Any]]:
        """The ``negatives``: of each kind the first candidate that may be said, or as slots say.

        With ``per_caption`` the kinds take turns, in an order of the record's own, until there
        are so many. They come in the order of the offers.

        Turns are drawn without replacement, a kind with the odds that its negative is useful: the
        order of exponential variates of these rates (Efraimidis and Spirakis 2006).
        """
        if self._limit is None and self._slots is None:
            firsts = (islice(self.accepted(*offer), 1) for offer in offers.items())
            return list(chain.from_iterable(firsts))
        kinds = list(offers)
        turns = sorted(kinds, key=self._turn)
        accepted = {kind: self.accepted(kind, offers[kind]) for kind in turns}
        if self._slots is None:
            chosen: Iterator[dict[str, Any]] = islice(
                _in_turn(list(accepted.values())), self._limit
            )
        else:
            chosen = self._in_slots(self._slots, accepted)
        return sorted(chosen, key=lambda negative: kinds.index(negative["kind"]))

    def _in_slots(
        self, slots: Slots, accepted: Mapping[str, Iterator[dict[str, Any]]]
    ) -> Iterator[dict[str, Any]]:
        """One for each slot, then more of their kinds, then of fillers, until there are enough.

        Kinds take turns as they come. Orders of words read badly, so they are the last to stand in.
        """

        def of(kinds: Container[str]) -> Iterator[dict[str, Any]]:
            return _in_turn([found for kind, found in accepted.items() if kind in kinds])

        judged = {kind for kind in slots.kinds if KINDS[kind].is_judged}
        firsts = [*chain.from_iterable(islice(of(slot), 1) for slot in slots.each)]
        firsts.sort(key=lambda negative: self._turn(negative["kind"]))
        further = chain(of(judged), of({*slots.fillers} - {*slots.kinds}), of({*slots.kinds}))
        number = self._limit or max(slots.number, len(firsts))
        return islice(chain(firsts, further), number)

    def _turn(self, kind: str) -> float:
        usefulness = KINDS[kind].usefulness
        uniform = uniform_drawn(self._caption.draw, "order", kind)
        return -math.log(uniform) * (1 - usefulness) / usefulness

    def accepted(self, kind: str, found: Iterable[list[Edit]]) -> Iterator[dict[str, Any]]:
        """The candidates of a kind that may be said, as negatives; none repeats another."""
        for edits in found:
            text = apply_edits(self._caption.text, edits)
            letters = normalized(text)
            if letters not in self._taken and self._is_false(text, letters, edits):
                self._taken.add(letters)
                if refusal := self._refusal(kind, text, edits):
                    self.refused[refusal] += 1
                    continue
                yield {"caption": text, "kind": kind, "edits": list(map(list, edits))}

    def _refusal(self, kind: str, text: str, edits: Sequence[Edit]) -> str:
        """What the edits change and no negative may, whoever proposed them, or ""."""
        if are_read_alike(self._caption.text, text, edits, self._context_length):
            return UNREAD
        return KINDS[kind].refusal(self._caption, edits)

    def _is_false(self, text: str, letters: str, edits: Sequence[Edit]) -> bool:
        """Whether nothing that is known to be true says the same, or names what is put in."""
        if self._says_the_same(text, edits):
            return False
        if self._truth and self._truth.has(self._group, letters):
            return False
        return not ((self._truth or self._others) and self._names_another_fact(text))

    def _says_the_same(self, text: str, edits: Sequence[Edit]) -> bool:
        if len(edits) <= _FEW_EDITS:  # other words? then there is no need to look at the whole
            old = " ".join(self._caption.text[start:end] for start, end, _ in edits)
            new = " ".join(replacement for *_, replacement in edits)
            if content_words(old) != content_words(new):
                return False
        return self._saying.is_said_by(text)

    def _names_another_fact(self, text: str) -> bool:
        return any(
            fact in self._other_facts or self._truth.names(self._group, fact)
            for fact in facts(text, self._caption.lexicon) - self._facts
        )

    @cached_property
    def _saying(self) -> Saying:
        return Saying(self._caption.text, self._caption.lexicon)

    @cached_property
    def _facts(self) -> set[str]:
        return facts(self._caption.text, self._caption.lexicon)

    @cached_property
    def _other_facts(self) -> set[str]:
        return {fact for text in self._others for fact in facts(text, self._caption.lexicon)}


def drawn(draw: bytes, *key: str) -> bytes:
    """A random number of a record."""
    return hashlib.blake2b(draw + "\0".join(key).encode(), digest_size=8).digest()


def uniform_drawn(draw: bytes, *key: str) -> float:
    """A random number of a record, between 0 and 1."""
    return (int.from_bytes(drawn(draw, *key)) + 0.5) / 2**64


def drawn_order(draw: bytes, key: str, numbers: Sequence[int]) -> Sequence[int]:
    """Numbers up to `MAX_CHARACTERS` in an order of a record's own."""
    if len(numbers) < 2:
        return numbers
    base = hashlib.blake2b(draw + f"{key}\0".encode(), digest_size=8)

    hashes = []
    for number in numbers:
        one = base.copy()
        one.update(_DIGITS[number])
        hashes.append((one.digest(), number))
    return [number for _, number in sorted(hashes)]


def _listed(record: Record) -> list[str]:
    return record.caption_list if "captions" in record else []


def _in_turn(sources: Sequence[Iterator[T]]) -> Iterator[T]:
    """One item of each source, then another one of each, until all are at their end."""
    turns = iter(sources)
    for num_active in range(len(sources), 0, -1):
        turns = cycle(islice(turns, num_active))
        yield from map(next, turns)
