"""Keep the negatives that a scorer which sees only text cannot tell from their captions.

Source: the adversarial refinement of SugarCrepe (Hsieh et al., NeurIPS 2023, arXiv 2306.14610,
section 3): text-only models score every pair, and pairs are dropped until as many prefer the
negative as prefer the caption, at every size of the difference. Theirs are Vera and a grammar
model; ours is a word-trigram model of the set's own captions, fitted without the group it scores.
"""

import hashlib
import tempfile
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from hnclip_cli.errors import InputError
from hnclip_cli.language.ngram import TrigramModel
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import Record, format_record

NUM_FOLDS = 5

# Differences of one kind are compared within bins of about this many pairs, of equal numbers.
PAIRS_PER_BIN = 50
MAX_BINS = 20

# Where balance would drop more than half of a kind, it may be left this far from 50 %.
MAX_ACCURACY = 0.55


@dataclass
class KindReport:
    """What became of one kind: pairs, and in how many the text alone prefers the caption.

    A pair that scores the same is half right.
    """

    pairs: int = 0
    right: float = 0.0
    kept_pairs: int = 0
    kept_right: float = 0.0


@dataclass
class _Pairs:
    """All negatives of the set, in order: three numbers for each."""

    kinds: list[str] = field(default_factory=list)
    kind: "array[int]" = field(default_factory=lambda: array("I"))
    order: "array[int]" = field(default_factory=lambda: array("Q"))
    gap: "array[float]" = field(default_factory=lambda: array("d"))


def fold(group: str) -> int:
    """The part of the set that a group's pairs are scored with; its captions are in no other."""
    return _hash("fold", group) % NUM_FOLDS


def refine(
    records: Iterable[Record], out: IO[bytes], policy: ErrorPolicy, seed: int = 0
) -> dict[str, KindReport]:
    """Write records with those of their negatives that are kept, in order.

    The whole set must be known before anything is dropped: it is written to a temporary file. In
    memory are one trigram model and some numbers for each negative.

    Args:
        records: short records with ``negatives``, at least an empty list.
        out: where the records go.
        policy: what a bad record does.
        seed: of the choice among equals.

    Returns:
        For each kind, in the order in which they appear, what was kept.

    Raises:
        InputError: a bad record, unless the policy skips it.
    """
    with tempfile.TemporaryFile() as spool:
        pairs = _spool(records, spool, policy, seed)
        for number in range(NUM_FOLDS):
            _score(spool, number, pairs)
        kept = bytearray(len(pairs.gap))
        reports = {}
        for number, kind in enumerate(pairs.kinds):
            members = [i for i, of in enumerate(pairs.kind) if of == number]
            chosen = choose([pairs.gap[i] for i in members], [(pairs.order[i], i) for i in members])
            for place in chosen:
                kept[members[place]] = 1
            reports[kind] = _report(pairs, members, kept)
        _write(spool, kept, out)
    return reports


def summary(reports: Mapping[str, KindReport]) -> list[str]:
    """What was kept, a line for all and one for each kind."""
    whole = KindReport()
    for report in reports.values():
        whole.pairs += report.pairs
        whole.right += report.right
        whole.kept_pairs += report.kept_pairs
        whole.kept_right += report.kept_right
    if not whole.pairs:
        return ["refine: no negatives"]
    rows = {"refine": whole, **reports} if len(reports) > 1 else {"refine": whole}
    return [f"{name}: {_describe(report)}" for name, report in rows.items()]


def _describe(report: KindReport) -> str:
    share = f"kept {report.kept_pairs} of {report.pairs}"
    share += f" negatives ({report.kept_pairs / report.pairs:.0%})"
    if not report.kept_pairs:
        return share
    before, after = report.right / report.pairs, report.kept_right / report.kept_pairs
    return f"{share}; blind accuracy {before:.1%} before, {after:.1%} after"


def choose(gaps: Sequence[float], order: Sequence[tuple[int, int]]) -> set[int]:
    """The pairs of one kind to keep, as indices.

    Args:
        gaps: for each pair, how much the text alone prefers the caption; below 0, the negative.
        order: what decides among pairs of about the same difference, lowest first.

    In bins of the absolute difference, as many are kept on either side; then the smallest left over
    on either side, so that both come to the number of the smaller. Ties stay. Where that would be
    less than half, the smallest differences of the larger side come back, until half are kept or
    that side is `MAX_ACCURACY` of what is kept.
    """
    tied = {i for i, gap in enumerate(gaps) if gap == 0}
    ranked = sorted((i for i in range(len(gaps)) if i not in tied), key=lambda i: abs(gaps[i]))
    num_bins = min(MAX_BINS, max(1, len(ranked) // PAIRS_PER_BIN))
    kept: tuple[list[int], list[int]] = ([], [])
    left: tuple[list[int], list[int]] = ([], [])
    for number in range(num_bins):
        size = len(ranked)
        members = ranked[size * number // num_bins : size * (number + 1) // num_bins]
        sides = [
            sorted((i for i in members if (gaps[i] > 0) == above), key=lambda i: order[i])
            for above in (True, False)
        ]
        count = min(map(len, sides))
        for side, members_of_side in enumerate(sides):
            kept[side].extend(members_of_side[:count])
            left[side].extend(members_of_side[count:])
    rest = [sorted(side, key=lambda i: (abs(gaps[i]), order[i])) for side in left]
    count = min(map(len, rest))
    found = tied.union(*kept, *(side[:count] for side in rest))
    larger = (len(found) - len(tied)) / 2 + len(tied) / 2
    for i in max(rest, key=len)[count:]:
        if 2 * len(found) >= len(gaps) or larger + 1 > MAX_ACCURACY * (len(found) + 1):
            break
        found.add(i)
        larger += 1
    return found


def _spool(records: Iterable[Record], spool: IO[bytes], policy: ErrorPolicy, seed: int) -> _Pairs:
    pairs = _Pairs()
    numbers: dict[str, int] = {}
    for record in records:
        try:
            _ = record.caption, record.group
            if "negatives" not in record:
                raise record.error(
                    'missing field "negatives"', hint="hnclip negatives without --refine first"
                )
            negatives = record.negatives
            name = record.id
        except InputError as error:
            policy.bad(error)
            continue
        for position, negative in enumerate(negatives):
            pairs.kind.append(numbers.setdefault(negative.kind, len(numbers)))
            pairs.order.append(_hash(seed, name, negative.kind, position))
            pairs.gap.append(0.0)
        spool.write(format_record(record))
    pairs.kinds = list(numbers)
    return pairs


def _score(spool: IO[bytes], number: int, pairs: _Pairs) -> None:
    """Score the pairs of one fold by a model of the captions of the others."""
    model = TrigramModel.fit(
        record.caption for record in _spooled(spool) if fold(record.group) != number
    )
    place = 0
    for record in _spooled(spool):
        negatives = record.negatives
        if negatives and fold(record.group) == number:
            caption = model.log_probability(record.caption)
            for offset, negative in enumerate(negatives):
                pairs.gap[place + offset] = caption - model.log_probability(negative.caption)
        place += len(negatives)


def _write(spool: IO[bytes], kept: bytearray, out: IO[bytes]) -> None:
    place = 0
    for record in _spooled(spool):
        items = record["negatives"]
        stop = place + len(items)
        record["negatives"] = [
            item for item, keep in zip(items, kept[place:stop], strict=True) if keep
        ]
        place = stop
        out.write(format_record(record))


def _spooled(spool: IO[bytes]) -> RecordReader:
    spool.seek(0)
    return RecordReader(spool)


def _report(pairs: _Pairs, members: Sequence[int], kept: bytearray) -> KindReport:
    report = KindReport()
    for i in members:
        gap = pairs.gap[i]
        right = 0.5 if gap == 0 else float(gap > 0)
        report.pairs += 1
        report.right += right
        if kept[i]:
            report.kept_pairs += 1
            report.kept_right += right
    return report


def _hash(*key: object) -> int:
    data = "\0".join(map(str, key)).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
