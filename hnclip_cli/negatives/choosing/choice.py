"""The choice of a record's negatives among what is offered, by what is known to be true of it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hnclip_cli.language.caption import MAX_CHARACTERS, Caption
from hnclip_cli.lexicon import Lexicon, load_lexicon
from hnclip_cli.negatives.choosing.truth import (
    TrueCaptions,
    content_words,
    facts,
    normalized,
    parts,
)
from hnclip_cli.streams.edits import Edit, apply_edits
from hnclip_cli.streams.records import Record

# More edits reorder words rather than replace them.
_FEW_EDITS = 3
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
    """

    kinds: tuple[str, ...]
    per_caption: int | None = None
    truth: TrueCaptions = field(default_factory=TrueCaptions)
    seed: int = 0
    lexicon: Lexicon = field(default_factory=load_lexicon)

    def check(self, record: Record) -> None:
        """See that a record has what a choice reads.

        Raises:
            InputError: no usable caption, id, list of captions or, where it matters, group.
        """
        _ = record.caption, record.id, _listed(record)
        if self.truth:
            _ = record.group


class Choice:
    """The negatives of one record.

    Attributes:
        draw: the record's own random numbers.
    """

    def __init__(self, choosing: Choosing, record: Record, caption: Caption) -> None:
        self._choosing = choosing
        self.draw = Draw(choosing.seed, record.id)
        self._taken = Taken(record, caption, choosing.truth)

    def of(self, offers: Mapping[str, Iterable[list[Edit]]]) -> list[dict[str, Any]]:
        """The ``negatives``: of each kind the first candidate that is not refused.

        With ``per_caption`` the kinds take turns, in an order of the record's own, until there
        are so many. They come in the order of the offers.

        Args:
            offers: for each kind the edits of its candidates, best first.
        """
        sources = {kind: self._accepted(found) for kind, found in offers.items()}
        limit = self._choosing.per_caption
        turns = list(sources)
        if limit is not None:
            turns.sort(key=lambda kind: self.draw("order", kind))
        chosen: list[dict[str, Any]] = []
        while turns:
            for kind in list(turns):
                if len(chosen) == limit:
                    turns.clear()
                    break
                found = next(sources[kind], None)
                if found is None:
                    turns.remove(kind)
                    continue
                text, edits = found
                changes = [list(edit) for edit in edits]
                chosen.append({"caption": text, "kind": kind, "edits": changes})
            if limit is None:
                break
        order = list(offers)
        return sorted(chosen, key=lambda negative: order.index(negative["kind"]))

    def _accepted(self, found: Iterable[list[Edit]]) -> Iterator[tuple[str, list[Edit]]]:
        for edits in found:
            text = apply_edits(self._taken.original, edits)
            if self._taken.accepts(text, edits):
                yield text, edits


class Draw:
    """Random choices of a record: hashes of the seed, its id and what is chosen."""

    def __init__(self, seed: int, name: str) -> None:
        self.data = f"{seed}\0{name}\0".encode("utf-8", "replace")

    def __call__(self, *key: str) -> bytes:
        return self._hash("\0".join(key)).digest()

    def order(self, key: str, numbers: Sequence[int]) -> list[int]:
        """Numbers up to `MAX_CHARACTERS` in an order of the record's own."""
        if len(numbers) == 1:
            return list(numbers)
        base = self._hash(f"{key}\0")
        hashes = []
        for number in numbers:
            one = base.copy()
            one.update(_DIGITS[number])
            hashes.append((one.digest(), number))
        return [number for _, number in sorted(hashes)]

    def _hash(self, key: str) -> "hashlib.blake2b":
        return hashlib.blake2b(self.data + key.encode(), digest_size=8)


class Taken:
    """What a further negative of this record must not say."""

    def __init__(self, record: Record, caption: Caption, truth: TrueCaptions) -> None:
        self._truth = truth
        self._group = record.group if truth else ""
        self.original = caption.text
        self._others = _listed(record)
        self._lexicon = caption.lexicon
        self._texts = {normalized(text) for text in (self.original, *self._others)}
        self._parts: list[list[str]] | None = None

    @cached_property
    def _facts(self) -> set[str]:
        return facts(self.original, self._lexicon)

    @cached_property
    def _other_facts(self) -> set[str]:
        return {fact for text in self._others for fact in facts(text, self._lexicon)}

    def accepts(self, negative: str, edits: Sequence[Edit]) -> bool:
        """Whether this may be said; once said, it is taken."""
        letters = normalized(negative)
        if letters in self._texts or self._has_its_parts(negative, edits):
            return False
        if self._truth and self._truth.has(self._group, letters):
            return False
        if (self._truth or self._others) and self._names_another_fact(negative):
            return False
        self._texts.add(letters)
        return True

    def _has_its_parts(self, negative: str, edits: Sequence[Edit]) -> bool:
        if len(edits) <= _FEW_EDITS:  # other words? then there is no need to look at the whole
            old = " ".join(self.original[start:end] for start, end, _ in edits)
            new = " ".join(text for *_, text in edits)
            if content_words(old) != content_words(new):
                return False
        if self._parts is None:
            self._parts = parts(self.original)
        return parts(negative) == self._parts

    def _names_another_fact(self, negative: str) -> bool:
        return any(
            fact in self._other_facts or self._truth.names(self._group, fact)
            for fact in facts(negative, self._lexicon) - self._facts
        )


def _listed(record: Record) -> list[str]:
    return record.caption_list if "captions" in record else []
