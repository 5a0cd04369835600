"""Which edit of a negative decided its score."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hnclip_cli.scoring.matrix import shortest
from hnclip_cli.streams.edits import Edit, apply_edits, edits_of
from hnclip_cli.streams.records import Record


def texts_to_explain(record: Record) -> list[str]:
    """The texts beside the captions whose scores `explanation` needs."""
    if record.is_matching:
        return []
    caption = record.caption
    edits = [edit for edits in edits_of(record) for edit in edits]
    return [text for edit in edits for text in (_alone(caption, edit), _without(caption, edit))]


def explanation(record: Record, scores: Mapping[str, float]) -> list[dict[str, Any]]:
    """The field ``explain``: which edit decided, an object for each negative.

    For each edit of a negative two more texts are scored: the caption with this edit alone, and
    the caption with the edited words left out. With s(·) the image's score of a text::

        text_support        = s(caption) - s(words left out)      what the true words add
        replacement_support = s(edit alone) - s(words left out)   what the false words add
        margin              = s(caption) - s(edit alone)          their difference
        interaction         = s(caption) - s(negative) - Σ margin of its edits

    With one edit the interaction is 0 and the margins are the same. With several, as in a swap,
    what no edit does alone is the interaction. ``decided_by`` is the index of the edit with the
    largest part of the margin (of what speaks against it, where the negative won), or None where
    that is the interaction.

    Args:
        record: in the short form; of another nothing is explained.
        scores: of its image and the texts.
    """
    if record.is_matching:
        return []
    pairs = zip(record.negatives, edits_of(record), strict=True)
    return [_explain(record.caption, negative.caption, edits, scores) for negative, edits in pairs]


def _explain(
    caption: str, negative: str, edits: list[Edit], scores: Mapping[str, float]
) -> dict[str, Any]:
    true = scores[caption]
    margin = true - scores[negative]
    parts = [true - scores[_alone(caption, edit)] for edit in edits]
    interaction = margin - sum(parts) if len(parts) > 1 else 0.0
    sign = 1 if margin >= 0 else -1
    first = int(np.argmax([sign * part for part in (*parts, interaction)])) if edits else 0
    explained = []
    for edit, part in zip(edits, parts, strict=True):
        start, end, replacement = edit
        without = scores[_without(caption, edit)]
        explained.append(
            {
                "span": [start, end],
                "text": caption[start:end],
                "replacement": replacement,
                "margin": shortest(part),
                "text_support": shortest(true - without),
                "replacement_support": shortest(true - part - without),
            }
        )
    return {
        "margin": shortest(margin),
        "decided_by": first if first < len(edits) else None,
        "interaction": shortest(interaction),
        "edits": explained,
    }


def _alone(caption: str, edit: Edit) -> str:
    return apply_edits(caption, [edit])


def _without(caption: str, edit: Edit) -> str:
    return " ".join(apply_edits(caption, [(*edit[:2], "")]).split())
