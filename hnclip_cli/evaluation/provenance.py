"""Where a report's numbers come from: which model, of which data, measured by what."""

import hashlib
import json
from typing import Any

from hnclip_cli import __version__
from hnclip_cli.streams.records import Record, format_record

MAX_RUNS = 100  # that are told apart in one file

# What is scored of a record, beside the captions of its negatives.
_SCORED = ("image", "caption", "images", "captions", "truth", "prompts_per_class", "ordered")


def content_digest(record: Record) -> bytes:
    """16 bytes that stand for all that is scored: two records that agree are the same item."""
    content: dict[str, Any] = {name: record.get(name) for name in _SCORED}
    negatives = [] if record.is_matching else record.get("negatives")
    if isinstance(negatives, list):
        content["negatives"] = [n.get("caption") if isinstance(n, dict) else n for n in negatives]
    try:
        data = format_record(content)
    except (TypeError, ValueError):  # records of a program may hold what no file does
        data = json.dumps(content, default=str).encode()
    return hashlib.blake2b(data, digest_size=16).digest()


class Provenance:
    """Watch records go by; the order in which they come does not matter."""

    def __init__(self) -> None:
        self._items = 0
        self._runs: dict[bytes, dict[str, Any]] = {}

    def add(self, record: Record) -> None:
        """Take up what a record says of the model that scored it."""
        digest = content_digest(record)
        self._items = (self._items + int.from_bytes(digest)) % (1 << 128)
        run = record.get("run")
        if isinstance(run, dict) and len(self._runs) < MAX_RUNS:
            self._runs.setdefault(format_record(run), run)

    def describe(self) -> dict[str, Any]:
        """The ``run`` of a report: the model where the records name one, else ``models``.

        ``items`` is a hash of the items that were measured, whatever their scores.
        """
        runs = [self._runs[key] for key in sorted(self._runs)]
        said = runs[0] if len(runs) == 1 else {"models": runs} if runs else {}
        return {**said, "hnclip": __version__, "items": f"{self._items:032x}"}
