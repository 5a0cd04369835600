"""The failures that a page shows: chosen from the stream, bounded in number and in size."""

import base64
import heapq
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hnclip_cli.errors import InputError
from hnclip_cli.evaluation.blind import captions_of
from hnclip_cli.evaluation.margins import matching_margins
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.records import Record

MAX_ITEMS = 240
MAX_PER_LABEL = 24
MAX_LABELS = 500
MAX_IMAGES = 10  # of one item
MAX_CAPTIONS = 12
THUMBNAIL = 320  # pixels of the longer side
QUALITY = 75


@dataclass(frozen=True)
class Failure:
    """A record that is shown, and why.

    Attributes:
        record: the record.
        label: benchmark, and the kind of negative or the subset.
        margin: by how much the true side lost; zero is a tie.
        status: ``wrong`` or ``tie``; of two models ``lost`` or ``gained``.
        other_scores: scores of the first model, where two are compared.
    """

    record: Record
    label: tuple[str, str]
    margin: float
    status: str
    other_scores: list[list[float]] | None = None


class Gallery:
    """Watch records go by and keep those that fail by most, of each benchmark and kind.

    Which are kept does not depend on the order of the records.
    """

    def __init__(self, *, max_per_label: int = MAX_PER_LABEL) -> None:
        self._max_per_label = max_per_label
        self._heaps: dict[tuple[str, str], list[tuple[float, str, int, Failure]]] = {}
        self._count = 0
        self.num_failures = 0

    def watch(self, record: Record) -> None:
        """Keep a record if it is among the worst."""
        failure = judge(record)
        if failure is None or failure.margin > 0:
            return
        self.num_failures += 1
        heap = self._heaps.get(failure.label)
        if heap is None:
            if len(self._heaps) == MAX_LABELS:
                return
            heap = self._heaps[failure.label] = []
        self._count += 1
        # The root is the mildest: what the next worse one pushes out.
        entry = (-failure.margin, record.id, -self._count, failure)
        if len(heap) < self._max_per_label:
            heapq.heappush(heap, entry)
        elif entry > heap[0]:
            heapq.heapreplace(heap, entry)

    def failures(self, limit: int = MAX_ITEMS) -> list[Failure]:
        """The worst of each label in turn until there are enough, then label by label."""
        ranked = [
            sorted((entry[-1] for entry in heap), key=lambda f: (f.margin, f.record.id))
            for _, heap in sorted(self._heaps.items())
        ]
        ranked = ranked[:limit]  # where there are more labels than places
        quotas = range(1, self._max_per_label + 1)
        quota = max(q for q in quotas if q == 1 or sum(len(heap[:q]) for heap in ranked) <= limit)
        return [failure for heap in ranked for failure in heap[:quota]]


def judge(record: Record) -> Failure | None:
    """By how much a scored record is right or wrong.

    None where it has nothing to tell apart, or no caption that could be shown.
    """
    if "scores" not in record:
        return None
    try:
        captions_of(record)
    except InputError:
        return None
    benchmark, subset = str(record.get("benchmark") or ""), str(record.get("subset") or "")
    if record.is_matching:
        found = matching_margins(record["scores"], record.matching.truth)
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


class Thumbnails:
    """Small pictures as ``data:`` addresses; one that cannot be read is counted and left out."""

    def __init__(self, image_root: str) -> None:
        self._image_root = image_root
        self.num_missing = 0
        self.first_error = ""

    def of(self, record: Record) -> list[str | None]:
        """One address for each of the first images of a record, None for one that is not there."""
        try:
            names = record.image_list[:MAX_IMAGES]
        except InputError as error:  # scores can do without images, as where a group is named
            self._miss(error)
            return [None]
        return [self._of(record, name) for name in names]

    def _miss(self, error: InputError) -> None:
        self.num_missing += 1
        self.first_error = self.first_error or str(error)

    def _of(self, record: Record, name: str) -> str | None:
        try:
            image = load_image(record, name, self._image_root)
        except InputError as error:
            self._miss(error)
            return None
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=QUALITY)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def flips(
    flipped: dict[str, Any], first: Iterable[Record], second: Iterable[Record]
) -> tuple[list[Failure], int]:
    """The records that two models judge differently, lost ones first, and how many there are.

    Args:
        flipped: the section of a comparison.
        first: the records of model A, again.
        second: those of model B, again.
    """
    limit = MAX_ITEMS // 2
    status_of: dict[str, str] = {}
    for measure in reversed(flipped):
        for status in ("gained", "lost"):
            status_of |= dict.fromkeys(_spread(flipped[measure][status], limit), status)
    ours = {r.id: r["scores"] for r in first if r.id in status_of and "scores" in r}
    found = _flipped(status_of, ours, second)
    shown = sorted(found, key=lambda f: (f.status == "gained", f.label, f.margin))[:MAX_ITEMS]
    return shown, len({name for flip in flipped.values() for ids in flip.values() for name in ids})


def _spread(ids: list[str], limit: int) -> list[str]:
    """So many of a list, from all over it."""
    return [ids[len(ids) * i // limit] for i in range(limit)] if len(ids) > limit else ids


def _flipped(
    status_of: dict[str, str], ours: dict[str, Any], records: Iterable[Record]
) -> Iterator[Failure]:
    for record in records:
        if record.id in ours and (found := judge(record)):
            status = status_of[record.id]
            yield Failure(record, found.label, found.margin, status, ours[record.id])
