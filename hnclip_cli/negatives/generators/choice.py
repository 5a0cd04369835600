"""Choose among what a generator offers, by the truth rules of the lexicon's own candidates."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hnclip_cli.errors import InputError
from hnclip_cli.language.caption import Caption
from hnclip_cli.negatives.choosing.maker import Taken
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.streams.edits import Edit, apply_edits
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, hash64

# For each kind, the edits of its candidates, best first.
Offers = Mapping[str, Iterable[list[Edit]]]


def choose(
    record: Record,
    caption: Caption,
    offers: Offers,
    *,
    truth: TrueCaptions,
    per_caption: int | None,
    seed: int,
) -> list[dict[str, Any]]:
    """The ``negatives`` of a record: of each kind the first that is not refused.

    With ``per_caption`` the kinds take turns, in an order of the record's own, until there are so
    many. They come in the order of ``offers``.
    """
    taken = Taken(record, caption, truth)
    sources = {kind: _accepted(iter(found), taken) for kind, found in offers.items()}
    turns = list(sources)
    if per_caption is not None:
        turns.sort(key=lambda kind: hash64(seed, record.id, "order", kind))
    chosen: list[dict[str, Any]] = []
    while turns:
        for kind in list(turns):
            if per_caption is not None and len(chosen) == per_caption:
                turns.clear()
                break
            found = next(sources[kind], None)
            if found is None:
                turns.remove(kind)
                continue
            text, edits = found
            chosen.append({"caption": text, "kind": kind, "edits": [list(edit) for edit in edits]})
        if per_caption is None:
            break
    order = list(offers)
    return sorted(chosen, key=lambda negative: order.index(negative["kind"]))


def usable(
    records: Sequence[Record], policy: ErrorPolicy
) -> tuple[list[Record], InputError | None]:
    """The records that have what it takes, and the error that must end the run after them."""
    found: list[Record] = []
    for record in records:
        try:
            check(record)
        except InputError as error:
            if policy.on_error == "fail":
                return found, error
            policy.bad(error)
        else:
            found.append(record)
    return found, None


def check(record: Record) -> None:
    """See that a record has what `choose` reads.

    Raises:
        InputError: no usable caption, id, group, or list of captions.
    """
    _ = record.caption, record.id, record.group
    if "captions" in record:
        _ = record.caption_list


def _accepted(found: Iterator[list[Edit]], taken: Taken) -> Iterator[tuple[str, list[Edit]]]:
    for edits in found:
        text = apply_edits(taken.original, edits)
        if taken.accepts(text, edits):
            yield text, edits
