"""What a page shows of a record: its pictures, its captions, their scores."""

import contextlib
from collections.abc import Iterable
from typing import Any

from hnclip_cli.evaluation.blind import captions_of
from hnclip_cli.evaluation.gallery import Failure, judge
from hnclip_cli.evaluation.margins import Scores
from hnclip_cli.evaluation.pages.changes import changes
from hnclip_cli.evaluation.pages.document import visible
from hnclip_cli.evaluation.pages.pictures import MAX_IMAGES, Pictures
from hnclip_cli.evaluation.tally import Tally
from hnclip_cli.streams.edits import Edit
from hnclip_cli.streams.records import Record

MAX_CAPTIONS = 60
MAX_WRONG = 12  # of a failure

Card = dict[str, Any]


def card_of(record: Record, pictures: Pictures) -> Card:
    """A card of any record, with all its captions.

    Raises:
        InputError: a field that is there is malformed.
    """
    Tally().add(record, scores_expected=False)
    found = _card(record, pictures)
    if "caption" in record or "captions" in record:
        count = len(captions_of(record))
        found["captions"] = _captions(record, range(count)[:MAX_CAPTIONS])
        found["left_out"] = max(0, count - MAX_CAPTIONS)
    if record.is_matching and (judged := judge(record)):
        found["margin"] = judged.margin
    if record.negative_images:
        found["negative_pictures"] = pictures.numbers(record, "negative_images")
    return found


def card_of_failure(failure: Failure, pictures: Pictures) -> Card:
    """A card of a failure: of negatives, those that score at least as high as the caption."""
    record = failure.record
    columns = list(range(len(captions_of(record))))[:MAX_WRONG]
    if not record.is_matching:
        scores = record["scores"][0]
        ranked = sorted(range(1, len(scores)), key=lambda column: -scores[column])
        wrong = [column for column in ranked if scores[column] >= scores[0]] or ranked[:1]
        columns = [0, *wrong[:MAX_WRONG]]
    return _card(record, pictures) | {
        "kind": failure.label[1],
        "status": failure.status,
        "margin": failure.margin,
        "captions": _captions(record, columns, failure.other_scores),
    }


def _card(record: Record, pictures: Pictures) -> Card:
    found: Card = {"id": visible(record.id), "pictures": [], "captions": []}
    if "image" in record or "images" in record:
        found["pictures"] = pictures.numbers(record)
    for name in ("benchmark", "subset"):
        if value := record.get(name):
            found[name] = visible(value if isinstance(value, str) else str(value))
    return found


def _captions(
    record: Record, columns: Iterable[int], other_scores: Scores | None = None
) -> list[dict[str, Any]]:
    """Captions: of which images they are true, what is changed in them, and their scores.

    ``text`` is a list of parts where words are changed, see `changes`.
    """
    captions, truth = list(map(visible, captions_of(record))), {(0, 0)}
    num_images, kinds = 1, ["", *(visible(negative.kind) for negative in record.negatives)]
    if record.is_matching:
        truth = set(record.matching.truth)
        num_images = min(len(record.matching.images), MAX_IMAGES)
    edits = {} if record.is_matching else _edits(record)
    beside_first = {image for image, caption in truth if caption == 0}
    tables = [table for table in (other_scores, record.get("scores")) if table]
    found = []
    for column in columns:
        is_like_first = any((image, column) in truth for image in beside_first)
        caption: dict[str, Any] = {
            "text": captions[column]
            if is_like_first
            else changes(captions[0], captions[column], edits.get(column)),
            "true": [image for image in range(num_images) if (image, column) in truth],
        }
        if column and not record.is_matching:
            caption |= {"number": column - 1, "kind": kinds[column]}
        if tables:
            rows = tables[-1][:num_images]
            caption["scores"] = [[t[i][column] for t in tables] for i in range(num_images)]
            caption["wins"] = [i for i, row in enumerate(rows) if row[column] == max(row)]
        found.append(caption)
    return found


def _edits(record: Record) -> dict[int, list[Edit]]:
    """The edits of negatives by the column of their scores; malformed ones are left out."""
    found = {}
    for column, negative in enumerate(record.get("negatives", []), 1):
        with contextlib.suppress(TypeError, ValueError):
            found[column] = [(start, end, text) for start, end, text in negative.get("edits", [])]
    return found
