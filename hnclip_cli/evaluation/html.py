"""A report as one page that needs nothing else: charts, and a gallery of failures."""

import base64
import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

from markupsafe import Markup, escape

from hnclip_cli.errors import InputError
from hnclip_cli.evaluation.blind import captions_of
from hnclip_cli.evaluation.gallery import MAX_CAPTIONS, MAX_IMAGES, Failure, thumbnails
from hnclip_cli.evaluation.table import is_clear, points, sections, subject, summary

# A word or a mark with the space before it.
_WORD = re.compile(r"\s*(?:\w+(?:['’-]\w+)*|[^\w\s])")

ALIKE = 0.4  # share of words in common
MAX_LETTERS = 2_000  # of a caption that is shown
MAX_EQUAL = 4_000  # pairs of equal words, whose number squared is what finding edits takes

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
    """Lay out a report of one model or of two as an HTML document that may request nothing.

    ``num_failures`` counts those that are not shown, too. Relative image paths start at
    ``image_root``, and ``note`` is told of pictures that cannot be read.
    """
    from jinja2 import Environment, StrictUndefined  # here: only pages wait for it

    errors: list[InputError] = []
    compared = "flipped" in report
    charts: dict[bool, list[Any]] = {True: [], False: []}  # what most people look for, or not
    for title, rows, is_main in sections(report):
        charts[is_main].append((title, [_row(*row, compared) for row in rows]))
    statuses = {failure.status for failure in failures}
    style, script = _asset("page.css"), _asset("page.js")
    template = "".join(line.strip() for line in _asset("page.html").splitlines())
    page = (
        Environment(autoescape=True, undefined=StrictUndefined)
        .from_string(template)
        .render(
            policy="default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
            f"style-src '{_digest(style)}'; script-src '{_digest(script)}'",
            style=Markup(style),
            script=Markup(script),
            report=report,
            subject=subject(report),
            summary=summary(report),
            is_compared=compared,
            is_blind="blind" in report,
            charts=charts,
            failures=[_card(f, thumbnails(f.record, image_root, errors)) for f in failures],
            num_failures=num_failures,
            filters=[
                ("benchmark", "Benchmark", sorted({f.label[0] for f in failures} - {""})),
                ("kind", "Kind", sorted({f.label[1] for f in failures} - {""})),
                ("status", "Outcome", [name for name in STATUS if name in statuses]),
            ],
            statuses=STATUS,
        )
    )
    if errors:
        plural = "" if len(errors) == 1 else "s"
        note(f"{len(errors)} picture{plural} left out: {errors[0]}")
    return f"<!doctype html>\n{page}\n"


def _asset(name: str) -> str:
    return (resources.files("hnclip_cli.evaluation") / "page" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _row(name: str, entry: dict[str, Any], compared: bool) -> dict[str, Any]:
    """One number of a chart: where its marks are, and its texts."""
    interval = entry["interval"]
    row = {"name": name, "count": _count(entry), "ring": None, "blind": None}
    if compared:
        a, b, change = entry["a"], entry["b"], points(entry["difference"])
        sure, down = is_clear(interval), entry["difference"] < 0
        return row | {
            "span": sorted([a, b]),
            "ring": a,
            "dot": b,
            "said": f"A {100 * a:.1f} percent, B {100 * b:.1f} percent",
            "style": f"value{' sure' * sure}{' down' * down}",
            "value": _signed(change),
            "between": " to ".join(_signed(100 * bound) for bound in interval or []),
        }
    value = f"{100 * entry['value']:.1f}"
    between = " to ".join(f"{100 * bound:.1f}" for bound in interval or [])
    return row | {
        "span": interval,
        "dot": entry["value"],
        "said": f"{value} percent" + (f", interval {between}" if interval else ""),
        "style": "value",
        "value": value,
        "between": between,
        "blind": entry["blind"]["value"] if "blind" in entry else None,
    }


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def _count(entry: dict[str, Any]) -> str:
    if "n" in entry:
        return f"{entry['n']:,}".replace(",", "\u202f")
    return f"{entry['num_subsets']} subsets" if "num_subsets" in entry else ""


def _card(failure: Failure, pictures: list[str | None]) -> dict[str, Any]:
    """What the gallery shows of a failure."""
    record = failure.record
    benchmark, kind = failure.label
    names = [benchmark, str(record.get("subset") or ""), kind]
    return {
        "benchmark": benchmark,
        "kind": kind,
        "status": failure.status,
        "id": record.id,
        "caption": _short(captions_of(record)[0]),
        "tags": list({name.replace("_", "-"): name for name in names if name}.values()),
        "pictures": pictures,
        "captions": list(_captions(failure)),
    }


def _captions(failure: Failure) -> Iterator[tuple[Markup, list[dict[str, Any]]]]:
    """Captions with their scores for each image; those unlike the first are marked as edits.

    Of negatives those that score at least as high as the caption, the highest first.
    """
    record = failure.record
    captions = list(map(_short, captions_of(record)))
    truth = set(record.matching.truth) if record.is_matching else {(0, 0)}
    columns = list(range(len(captions)))[:MAX_CAPTIONS]
    if not record.is_matching:
        scores = record["scores"][0]
        ranked = sorted(range(1, len(scores)), key=lambda column: -scores[column])
        wrong = [column for column in ranked if scores[column] >= scores[0]] or ranked[:1]
        columns = [0, *wrong[:MAX_CAPTIONS]]
    beside_first = {image for image, caption in truth if caption == 0}
    for column in columns:
        is_like_first = any((image, column) in truth for image in beside_first)
        text = Markup("<span>{}</span>").format(captions[column])
        shown = text if is_like_first else edited(captions[0], captions[column])
        yield (
            shown,
            [
                {"text": _score(failure, image, column), "is_true": (image, column) in truth}
                for image in range(min(len(record["scores"]), MAX_IMAGES))
            ],
        )


def _score(failure: Failure, image: int, column: int) -> str:
    """The score of a pair; of two models both."""
    tables = [failure.other_scores, failure.record["scores"]]
    return " → ".join(f"{table[image][column]:.3f}" for table in tables if table)


def _short(caption: str) -> str:
    return caption if len(caption) <= MAX_LETTERS else caption[:MAX_LETTERS] + "…"


def edited(caption: str, negative: str) -> Markup:
    """A negative with what it does not share with the caption marked, word by word.

    One that shares little is left as it is, as it would be marked from end to end; so is one
    that says the same words again and again.
    """
    old, new = _WORD.findall(caption), _WORD.findall(negative)
    old_words, new_words = ([word.strip() for word in text] for text in (old, new))
    before, after = Counter(old_words), Counter(new_words)
    if sum(before[word] * count for word, count in after.items()) > MAX_EQUAL:
        return escape(negative)
    matcher = difflib.SequenceMatcher(None, old_words, new_words, autojunk=False)
    if matcher.ratio() < ALIKE:
        return escape(negative)
    marked = Markup()
    for name, start, stop, first, last in matcher.get_opcodes():
        if name == "equal":
            marked += "".join(new[first:last])
            continue
        for mark, words in (("del", old[start:stop]), ("ins", new[first:last])):
            text = "".join(words)
            word = text.lstrip()
            marked += text[: len(text) - len(word)]
            marked += Markup("<{0}>{1}</{0}>").format(mark, word) if word else ""
    return marked
