"""Choose a record's negatives among the candidates of the kinds."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice, repeat
from typing import Any

from hnclip_cli.errors import InputError
from hnclip_cli.language.caption import Caption
from hnclip_cli.language.parser import Parser
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.negatives.analysis.rewriting import with_articles
from hnclip_cli.negatives.choosing.fluency import Commonness, Judge, Preference
from hnclip_cli.negatives.choosing.truth import (
    TrueCaptions,
    content_words,
    facts,
    normalized,
    parts,
)
from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS, KINDS
from hnclip_cli.streams.edits import Edit, apply_edits
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record

# Of one kind and caption; real captions have a few dozen.
MAX_CANDIDATES = 500
# So many of them, by hash, are judged; the others are not needed.
MAX_JUDGED = 32
# More edits reorder words rather than replace them.
_FEW_EDITS = 3
# The choice is among the best third: always the best would repeat the same few words.
BEST_PART = 3


class NegativeMaker:
    """Makes the ``negatives`` of records.

    Args:
        kinds: names from `KINDS`, tried in this order; empty for `DEFAULT_KINDS`.
        per_caption: keep this many negatives, of as many different kinds as possible; None keeps
            one of each kind.
        truth: what else is true of the images.
        preference: which candidates read best; by default `Commonness`.
        seed: of all choices; with the record's id and the kind it decides everything.
        lexicon: what is known about words; by default the built-in one.

    Raises:
        HnclipError: no English spaCy pipeline is installed.
    """

    def __init__(
        self,
        kinds: Sequence[str],
        *,
        per_caption: int | None = None,
        truth: TrueCaptions | None = None,
        preference: Preference | None = None,
        seed: int = 0,
        lexicon: Lexicon | None = None,
    ) -> None:
        self._kinds = list(dict.fromkeys(kinds or DEFAULT_KINDS))
        self._per_caption = per_caption
        self._truth = truth or TrueCaptions()
        self._has_truth = bool(self._truth)
        self._preference = preference or Commonness()
        self._seed = seed
        self._sieves = [
            kind.needs_phrases for kind in map(KINDS.__getitem__, self._kinds) if kind.needs_phrases
        ]
        self._parser = Parser(max(KINDS[kind].level for kind in self._kinds), lexicon)

    def usable(
        self, records: Sequence[Record], policy: ErrorPolicy
    ) -> tuple[list[Record], InputError | None]:
        """The records that have what it takes, and the error that must end the run after them."""
        found: list[Record] = []
        for record in records:
            try:
                _ = record.caption, record.id, _listed(record), self._has_truth and record.group
            except InputError as error:
                if policy.on_error == "fail":
                    return found, error
                policy.bad(error)
            else:
                found.append(record)
        return found, None

    def negatives(self, records: Sequence[Record]) -> list[list[dict[str, Any]]]:
        """The negatives of each record of a batch; batching changes nothing.

        Raises:
            InputError: a record has no usable caption, id or group.
        """
        captions = self._parser.parse([record.caption for record in records], self._needs_phrases)
        return [
            self._of_one(record, caption) for record, caption in zip(records, captions, strict=True)
        ]

    def _needs_phrases(self, caption: Caption) -> bool:
        return any(needs(caption) for needs in self._sieves)

    def _of_one(self, record: Record, caption: Caption) -> list[dict[str, Any]]:
        draw = _Draw(self._seed, record.id)
        caption.draw = draw.data
        taken = Taken(record, caption, self._truth)
        judge = self._preference.judge(caption)
        ranked: dict[str, Iterable[_Candidate]] = {}
        for kind in self._kinds:
            found = KINDS[kind].edits(caption)
            if not KINDS[kind].is_judged:
                ranked[kind] = zip(repeat(-math.inf), found)
            elif candidates := list(islice(found, MAX_CANDIDATES)):
                ranked[kind] = _ranked(kind, candidates, caption, judge, draw)
        chosen = self._choose(draw, ranked, taken)
        if not chosen:
            chosen = self._best_misfit(ranked, taken)
        return [
            {"caption": text, "kind": kind, "edits": [list(edit) for edit in edits]}
            for kind, text, edits in chosen
        ]

    def _choose(
        self, draw: "_Draw", ranked: dict[str, Iterable["_Candidate"]], taken: "Taken"
    ) -> list["_Chosen"]:
        """Of each kind one, or ``per_caption`` of different kinds first; no misfits."""
        max_loss = self._preference.max_loss
        sources = {
            kind: (edits for loss, edits in candidates if loss <= max_loss)
            for kind, candidates in ranked.items()
        }
        chosen: list[_Chosen] = []
        if self._per_caption is None:
            for kind, source in sources.items():
                chosen += _next_valid(kind, source, taken)
            return chosen
        # A round gives each kind one turn, in an order of the record's own.
        order = sorted(sources, key=lambda kind: draw("order", kind))
        while order and len(chosen) < self._per_caption:
            for kind in list(order):
                found = _next_valid(kind, sources[kind], taken)
                chosen += found
                if not found:
                    order.remove(kind)
                if len(chosen) == self._per_caption:
                    break
        return sorted(chosen, key=lambda item: self._kinds.index(item[0]))

    def _best_misfit(
        self, ranked: dict[str, Iterable["_Candidate"]], taken: "Taken"
    ) -> list["_Chosen"]:
        """The one that costs least, for a record that has no other."""
        misfits = [
            (loss, self._kinds.index(kind), position, edits)
            for kind, candidates in ranked.items()
            for position, (loss, edits) in enumerate(candidates)
            if loss > self._preference.max_loss
        ]
        for _, index, _, edits in sorted(misfits):
            found = _next_valid(self._kinds[index], iter([edits]), taken)
            if found:
                return found
        return []


# What it costs, and its edits.
_Candidate = tuple[float, list[Edit]]
# Its kind, its text, and its edits.
_Chosen = tuple[str, str, list[Edit]]


def _ranked(
    kind: str, found: list[list[Edit]], caption: Caption, judge: Judge, draw: "_Draw"
) -> list[_Candidate]:
    """Candidates with their losses: the best third in the order of a hash, then the others."""
    order = draw.order(kind, len(found))[:MAX_JUDGED]
    drawn = [with_articles(caption, found[index]) for index in order]
    losses = list(map(judge, drawn))
    by_loss = sorted(range(len(drawn)), key=losses.__getitem__)
    num_best = -(-len(drawn) // BEST_PART)
    best, others = sorted(by_loss[:num_best]), by_loss[num_best:]
    return [(losses[place], drawn[place]) for place in (*best, *others)]


class _Draw:
    """Random choices of a record: hashes of the seed, its id and what is chosen."""

    def __init__(self, seed: int, name: str) -> None:
        self.data = f"{seed}\0{name}\0".encode("utf-8", "replace")

    def __call__(self, *key: str) -> bytes:
        return self._hash("\0".join(key)).digest()

    def order(self, key: str, count: int) -> list[int]:
        """The numbers below ``count`` in an order of the record's own."""
        if count == 1:
            return [0]
        base = self._hash(f"{key}\0")
        hashes = []
        for number in _NUMBERS[:count]:
            one = base.copy()
            one.update(number)
            hashes.append(one.digest())
        return sorted(range(count), key=hashes.__getitem__)

    def _hash(self, key: str) -> "hashlib.blake2b":
        return hashlib.blake2b(self.data + key.encode(), digest_size=8)


_NUMBERS = [b"%d" % number for number in range(MAX_CANDIDATES)]


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


def _next_valid(kind: str, candidates: Iterator[list[Edit]], taken: Taken) -> list[_Chosen]:
    for edits in candidates:
        text = apply_edits(taken.original, edits)
        if taken.accepts(text, edits):
            return [(kind, text, edits)]
    return []
