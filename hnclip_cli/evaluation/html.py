"""A report as one page that needs nothing else: charts, and a gallery of failures."""

import base64
import difflib
import hashlib
import re
from collections.abc import Callable
from importlib import resources
from typing import Any

from hnclip_cli.evaluation.charts import chart
from hnclip_cli.evaluation.gallery import MAX_CAPTIONS, Failure, Thumbnails
from hnclip_cli.evaluation.markup import Markup, el, joined
from hnclip_cli.evaluation.table import sections, summary

# A word or a mark with the space before it.
_WORD = re.compile(r"\s*(?:\w+(?:['’-]\w+)*|[^\w\s])")

ALIKE = 0.4  # share of words in common

STATUS = {
    "wrong": "a false caption scores higher",
    "tie": "a tie, which counts as wrong",
    "lost": "right with A, wrong with B",
    "gained": "wrong with A, right with B",
}


def format_html(
    report: dict[str, Any],
    failures: list[Failure],
    num_failures: int,
    image_root: str,
    note: Callable[[str], None],
) -> str:
    """Lay out a report.

    Args:
        report: of one model or of two.
        failures: what the gallery shows.
        num_failures: how many there are in all.
        image_root: where relative image paths start.
        note: is told of pictures that cannot be read.

    Returns:
        an HTML document. Its content security policy lets it request nothing.
    """
    thumbnails = Thumbnails(image_root)
    style, script = _asset("page.css"), _asset("page.js")
    compared = "flipped" in report
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", "hnclip eval"),
        el("style", Markup(style)),
    )
    body = el(
        "body",
        _header(report, compared),
        el("main", _charts(report, compared), _gallery(failures, thumbnails, num_failures)),
        el("script", Markup(script)),
    )
    if missing := thumbnails.num_missing:
        plural = "" if missing == 1 else "s"
        note(f"{missing} picture{plural} left out: {thumbnails.first_error}")
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def _asset(name: str) -> str:
    return (resources.files("hnclip_cli.evaluation") / "page" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _header(report: dict[str, Any], compared: bool) -> Markup:
    legend = [("dot", "B"), ("ring", "A")] if compared else [("dot", "accuracy")]
    legend.append(("span", "change" if compared else "95 % interval"))
    if "blind" in report:
        legend.append(("tick", "text alone"))
    keys = [el("span", el("i", class_=f"key {name}"), text) for name, text in legend]
    names = el("p", f"A: {report['a']} · B: {report['b']}") if compared else None
    return el(
        "header",
        el("h1", "Two models compared" if compared else "Evaluation"),
        names,
        el("p", summary(report)),
        el("p", keys, class_="legend"),
    )


def _charts(report: dict[str, Any], compared: bool) -> Markup:
    """The numbers that most people look for, and all others folded away."""
    panels: dict[bool, list[Markup]] = {True: [], False: []}
    for title, rows, is_main in sections(report):
        panels[is_main].append(chart(title, rows, compared=compared, is_blind="blind" in report))
    more = el("summary", f"{len(panels[False])} more breakdowns")
    details = el("details", more, panels[False]) if panels[False] else None
    return el("section", el("h2", "Results"), panels[True], details, class_="results")


def _gallery(failures: list[Failure], thumbnails: Thumbnails, num_failures: int) -> Markup | None:
    if not failures:
        return None
    benchmarks = sorted({f.label[0] for f in failures} - {""})
    kinds = sorted({f.label[1] for f in failures} - {""})
    statuses = [name for name in STATUS if any(f.status == name for f in failures)]
    filters = [
        _select("benchmark", "Benchmark", benchmarks),
        _select("kind", "Kind", kinds),
        _select("status", "Outcome", statuses),
        el("label", "Search", el("input", type="search", id="search", placeholder="words, id")),
    ]
    compared = failures[0].other_scores is not None
    what = "items judged differently" if compared else "failures, the worst of each kind"
    cards = [_card(failure, thumbnails) for failure in failures]
    empty = el("p", "Nothing matches.", id="empty", hidden=True)
    return el(
        "section",
        el("h2", "Disagreements" if compared else "Failures"),
        el("p", f"{len(failures)} of {num_failures} {what}.", class_="lead"),
        el("form", filters, el("output", f"{len(failures)} shown", id="count"), class_="filters"),
        el("div", cards, class_="cards"),
        empty,
        id="gallery",
    )


def _select(name: str, title: str, values: list[str]) -> Markup | None:
    if len(values) < 2:
        return None
    options = [el("option", "all", value=""), *(el("option", v, value=v) for v in values)]
    return el("label", title, el("select", options, id=name))


def _card(failure: Failure, thumbnails: Thumbnails) -> Markup:
    record = failure.record
    benchmark, kind = failure.label
    content = _matching(failure) if record.is_matching else _short(failure)
    names = [benchmark, str(record.get("subset") or ""), kind]
    tags = {name.replace("_", "-"): el("span", name) for name in names if name}
    return el(
        "article",
        _pictures(thumbnails.of(record), _description(failure)),
        el("div", content, class_="captions"),
        el(
            "footer",
            list(tags.values()),
            el("span", failure.status, class_=f"status {failure.status}",
               title=STATUS[failure.status]),
            el("code", record.id),
        ),
        data_benchmark=benchmark,
        data_kind=kind,
        data_status=failure.status,
    )  # fmt: skip


def _description(failure: Failure) -> str:
    record = failure.record
    captions = record.matching.captions if record.is_matching else [record.caption]
    return f"Described as: {captions[0]}"


def _pictures(addresses: list[str | None], text: str) -> Markup:
    several = len(addresses) > 1
    figures = []
    for number, address in enumerate(addresses, start=1):
        alt = f"Image {number}" if several else text
        picture = (
            el("img", src=address, alt=alt, loading="lazy")
            if address
            else el("div", "image not found", class_="missing", role="img", aria_label=alt)
        )
        figures.append(el("figure", picture, el("figcaption", number) if several else None))
    return el("div", figures, class_="pictures several" if several else "pictures")


def _short(failure: Failure) -> list[Markup]:
    """The caption, and the negatives that score at least as high, the highest first."""
    record = failure.record
    scores = record["scores"][0]
    ranked = sorted(range(1, len(scores)), key=lambda column: -scores[column])
    wrong = [column for column in ranked if scores[column] >= scores[0]] or ranked[:1]
    rows = [_caption(failure, 0, Markup(el("span", record.caption)), True)]
    for column in wrong[:MAX_CAPTIONS]:
        text = edited(record.caption, record.negatives[column - 1].caption)
        rows.append(_caption(failure, column, text, False))
    return rows


def _matching(failure: Failure) -> list[Markup]:
    """Each caption with its score for each image; those of true pairs stand out."""
    item = failure.record.matching
    truth = set(item.truth)
    beside_first = {image for image, caption in truth if caption == 0}
    rows = []
    for column, text in enumerate(item.captions[:MAX_CAPTIONS]):
        is_like_first = any((image, column) in truth for image in beside_first)
        shown = el("span", text) if is_like_first else edited(item.captions[0], text)
        if len(item.images) == 1:
            rows.append(_caption(failure, column, shown, (0, column) in truth))
            continue
        cells = [
            el("span", _score(failure, image, column), class_=f"score{' match' * is_true}")
            for image in range(len(item.images))
            for is_true in [(image, column) in truth]
        ]
        rows.append(el("p", el("span", cells, class_="scores"), shown))
    return rows


def _caption(failure: Failure, column: int, text: Markup, is_true: bool) -> Markup:
    word = "true" if is_true else "false"
    score = el("span", _score(failure, 0, column), class_="score")
    return el("p", score, el("b", word), " ", text, class_=word)


def _score(failure: Failure, image: int, column: int) -> str:
    """The score of a pair; of two models both."""
    tables = [failure.other_scores, failure.record["scores"]]
    return " → ".join(f"{table[image][column]:.3f}" for table in tables if table)


def edited(caption: str, negative: str) -> Markup:
    """A negative with what it does not share with the caption marked, word by word.

    One that shares little is left as it is: it would be marked from end to end.
    """
    old, new = _WORD.findall(caption), _WORD.findall(negative)
    pieces: list[str] = []
    matcher = difflib.SequenceMatcher(
        None, [word.strip() for word in old], [word.strip() for word in new], autojunk=False
    )
    if matcher.ratio() < ALIKE:
        return joined([negative])
    for name, start, stop, first, last in matcher.get_opcodes():
        if name == "equal":
            pieces += new[first:last]
            continue
        for mark, words in (("del", old[start:stop]), ("ins", new[first:last])):
            text = "".join(words)
            word = text.lstrip()
            pieces += [text[: len(text) - len(word)], el(mark, word) if word else ""]
    return joined(pieces)
