"""One page from whatever comes in: records, scored records, logs of training, a report."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from pathlib import PurePath
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation.layouts import LAYOUTS
from hnclip_cli.evaluation.pages.cards import Card, card_of
from hnclip_cli.evaluation.pages.document import document, in_script, visible
from hnclip_cli.evaluation.pages.logs import run_of
from hnclip_cli.evaluation.pages.pictures import BUDGET, Pictures
from hnclip_cli.evaluation.pages.report import SCRIPTS, format_html
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, as_records

LIMIT = 10_000  # records
LOG_SCRIPTS = ("common.js", "chart.js", "logs.js")
CONTENT = ("image", "images", "caption", "captions")

Lines = Iterable[Mapping[str, Any]]


def show(
    *inputs: Lines,
    names: Sequence[str] | None = None,
    image_root: str | ImageRoot = ".",
    limit: int = LIMIT,
    image_budget: int = BUDGET,
    linked_from: str | None = None,
    policy: ErrorPolicy | None = None,
    note: Callable[[str], None] = lambda text: None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> str:
    """Lay out records, logs of `train` or a report of `evaluate` as one page, a text.

    The fields of the first line decide which page it is. The page loads nothing from a network,
    and shows markup in the data as text.

    Args:
        inputs: one iterable of records or reports, or one or several of the lines of logs.
        names: of the inputs; by default the files that they come from.
        image_root: where relative image paths start, and how images are read.
        limit: records that are shown, at most.
        image_budget: bytes for all pictures together; the more there are, the smaller each is.
        linked_from: the folder of a page that links to the image files, and holds no pictures.
        policy: what to do with a bad record; by default it is an error.
        note: called with lines for the user, on what is not shown.
        progress: wraps the iteration over the images, as ``tqdm`` does.

    Raises:
        HnclipError: nothing to show, several inputs that are no logs, or a bad record that the
            policy does not skip.
    """
    policy = policy or ErrorPolicy()
    names = names or [getattr(lines, "source", "records") for lines in inputs]
    streams = [iter(as_records(lines)) for lines in inputs]
    firsts = [next(stream, None) for stream in streams]
    sorts = {_sort(first) for first in firsts if first is not None}
    if not sorts:
        raise HnclipError("nothing to show", where=" and ".join(names), got="no records")
    whole = [
        itertools.chain([first], stream)
        for first, stream in zip(firsts, streams, strict=True)
        if first is not None
    ]
    if sorts == {"log"}:
        runs = [
            run_of(name, lines, policy) for name, lines in zip(_short(names), whole, strict=False)
        ]
        return _page_of_logs(runs)
    if len(inputs) > 1:
        raise HnclipError(
            "a page shows one file of records",
            where=" and ".join(names),
            expected="one file, or several logs of training",
            hint="hnclip compare A B --html, or cat",
        )
    if sorts == {"table"}:
        return LAYOUTS["html"](dict(next(whole[0])), False)
    if sorts == {"report"}:
        return format_html(dict(next(whole[0])), [], 0, ".", note)
    pictures = Pictures(image_root, budget=image_budget, linked_from=linked_from)
    cards, is_all = _cards(whole[0], pictures, limit, policy)
    if not is_all:
        note(f"the first {limit} records are shown; try --limit")
    page = _page_of_cards(cards, pictures, names[0], None if is_all else limit, progress)
    pictures.tell(note)
    return page


def _sort(record: Record) -> str:
    """``record``, ``log``, ``report`` or the ``table`` of several, by the fields."""
    if any(name in record for name in CONTENT):
        return "record"
    if "step" in record:
        return "log"
    if "bootstrap" in record and "records" in record:
        return "table" if "models" in record and "numbers" in record else "report"
    raise record.error(
        "nothing that a page shows",
        got=f"the fields {', '.join(list(record)[:8]) or 'none'}",
        expected="records, the log of a training, or what eval or compare reports",
    )


def _cards(
    records: Iterable[Record], pictures: Pictures, limit: int, policy: ErrorPolicy
) -> tuple[list[Card], bool]:
    """The cards, and whether they are of all records."""
    cards: list[Card] = []
    for record in records:
        if len(cards) == limit:
            return cards, False
        try:
            cards.append(card_of(record, pictures))
        except InputError as error:
            policy.bad(error)
    return cards, True


def _page_of_cards(
    cards: list[Card],
    pictures: Pictures,
    name: str,
    limit: int | None,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> str:
    kinds = Counter(c["kind"] for card in cards for c in card["captions"] if "kind" in c)
    are_scored = any("scores" in caption for card in cards for caption in card["captions"])
    title = "Scored records" if are_scored else "Negatives" if kinds else "Records"
    said = [_count(len(cards), "record")]
    if limit:
        said[0] = f"the first {limit:,} records"
    if kinds:
        said += [_count(kinds.total(), "negative"), _count(len(kinds), "kind")]
    addresses = list(pictures.addresses(progress))
    lines = [" · ".join(said)]
    if pictures.num_beyond:
        lines.append(f"{pictures.num_beyond:,} pictures are not in this page: {pictures.beyond()}.")
    data = {
        "cards": cards,
        "labels": True,
        "draw": sha256(in_script(cards).encode()).hexdigest()[:16],
    }
    return document(
        f"{PurePath(name).name} · {title} · hnclip", _body(title, name, lines, "gallery"), data,
        styles=("base.css", "cards.css"), scripts=SCRIPTS, pictures=addresses,
        may_link=pictures.linked_from is not None,
    )  # fmt: skip


def _page_of_logs(runs: list[dict[str, Any]]) -> str:
    names = [run["name"] for run in runs]
    steps = max((step for run in runs for step in run["axes"].get("step", [])), default=0)
    lines = [f"{_count(len(runs), 'run')} · {_count(round(steps), 'step')}"]
    return document(
        f"{', '.join(names)} · Training · hnclip", _body("Training", "", lines, "logs"),
        {"runs": runs}, styles=("base.css", "logs.css"), scripts=LOG_SCRIPTS,
    )  # fmt: skip


def _body(title: str, name: str, lines: Iterable[str], place: str) -> str:
    """The frame of a page whose scripts fill the place."""
    named = [] if name in ("", "-") else [f"<p><b>{escape(visible(name))}</b></p>"]
    said = "".join([*named, *(f"<p>{escape(line)}</p>" for line in lines)])
    return (
        f'<header><h1>{title}</h1>{said}</header>\n<main><section id="{place}">'
        f"<noscript><p>This page needs JavaScript.</p></noscript></section></main>"
    )


def _short(names: Sequence[str]) -> Iterator[str]:
    """Names of runs without the folders that all have in common."""
    parts = [PurePath(name).parts for name in names]
    common = 0
    while len(names) > 1 and all(
        len(p) > common + 1 and p[common] == parts[0][common] for p in parts
    ):
        common += 1
    return ("/".join(p[common:]) for p in parts)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
