"""The failures that a page shows: chosen from the stream, bounded in number and in size."""

import bisect
import contextlib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hnclip_cli.errors import InputError
from hnclip_cli.evaluation.blind import captions_of
from hnclip_cli.evaluation.tally import Tally, margins_of
from hnclip_cli.streams.records import Record

MAX_ITEMS = 240
MAX_PER_LABEL = 24
MAX_LABELS = 500


@dataclass(frozen=True)
class Failure:
    """A record that is shown, and why."""

    record: Record
    label: tuple[str, str]  # benchmark, and the kind of negative or the subset
    margin: float  # by how much the true side lost; zero is a tie
    status: str  # ``wrong`` or ``tie``; of two models ``lost`` or ``gained``
    other_scores: list[list[float]] | None = None  # of the first model, where two are compared


class Gallery:
    """Watch records go by and keep those that fail by most, of each benchmark and kind.

    Which are kept does not depend on the order of the records.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], list[tuple[float, str, int, Failure]]] = {}
        self.num_failures = 0

    def watch(self, record: Record) -> None:
        """Keep a record if it is among the worst."""
        failure = judge(record)
        if failure is None or failure.margin > 0:
            return
        self.num_failures += 1
        if failure.label not in self._kept and len(self._kept) == MAX_LABELS:
            return
        kept = self._kept.setdefault(failure.label, [])
        # The first is the mildest: what the next worse one pushes out.
        bisect.insort(kept, (-failure.margin, record.id, -self.num_failures, failure))
        del kept[:-MAX_PER_LABEL]

    def failures(self) -> list[Failure]:
        """The worst of each label in turn until there are enough, then label by label."""
        ranked = [
            sorted((entry[-1] for entry in kept), key=lambda f: (f.margin, f.record.id))
            for _, kept in sorted(self._kept.items())
        ]
        ranked = ranked[:MAX_ITEMS]  # where there are more labels than places
        quotas = range(1, MAX_PER_LABEL + 1)
        quota = max(q for q in quotas if sum(len(kept[:q]) for kept in ranked) <= MAX_ITEMS)
        return [failure for kept in ranked for failure in kept[:quota]]


def judge(record: Record) -> Failure | None:
    """By how much a scored record is right or wrong.

    None where it has nothing to compare, or no caption that could be shown.
    """
    if "scores" not in record:
        return None
    try:
        captions_of(record)
    except InputError:
        return None
    benchmark, subset = str(record.get("benchmark") or ""), str(record.get("subset") or "")
    if record.is_matching:
        found = margins_of(record, record["scores"])
        margins = found.get("group") or [margin for part in found.values() for margin in part]
        if not margins:
            return None
        margin, label = min(margins), subset
    else:
        true, *false = record["scores"][0]
        if not false:
            return None
        worst = max(range(len(false)), key=false.__getitem__)
        margin, label = true - false[worst], record.negatives[worst].kind
    return Failure(record, (benchmark, label), margin, "tie" if margin == 0 else "wrong")


def flips(
    flipped: dict[str, Any], first: Iterable[Record], second: Iterable[Record]
) -> tuple[list[Failure], int]:
    """The records that two models judge differently, lost ones first, and how many there are.

    ``flipped`` is the section of a comparison; the records of both models are read again.
    """
    status_of: dict[str, str] = {}
    for measure in reversed(flipped):
        for status in ("gained", "lost"):
            status_of |= dict.fromkeys(_spread(flipped[measure][status], MAX_ITEMS // 2), status)
    ours = {record.id: record["scores"] for record in _usable(first, status_of)}
    judged = [judge(record) for record in _usable(second, ours)]
    found = [
        replace(failure, status=status_of[failure.record.id], other_scores=ours[failure.record.id])
        for failure in judged
        if failure
    ]
    shown = sorted(found, key=lambda f: (f.status == "gained", f.label, f.margin))[:MAX_ITEMS]
    return shown, len({name for flip in flipped.values() for ids in flip.values() for name in ids})


def _usable(records: Iterable[Record], ids: Container[str]) -> Iterator[Record]:
    """The records of these ids; not the bad ones, which were complained about before."""
    for record in records:
        with contextlib.suppress(InputError):
            if record.id in ids and "scores" in record:
                Tally().add(record)
                yield record


def _spread(ids: list[str], limit: int) -> list[str]:
    """So many of a list, from all over it."""
    return [ids[len(ids) * i // limit] for i in range(limit)] if len(ids) > limit else ids
