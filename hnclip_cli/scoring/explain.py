"""Which edit of a negative decided its score."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hnclip_cli.scoring.matrix import shortest
from hnclip_cli.streams.edits import Edit, apply_edits, edit_between
from hnclip_cli.streams.records import Record, shorten


class Explanation:
    """What has to be encoded to say which edit decided, and what then is to be said.

    For each edit of a negative two more texts are scored: the caption with this edit alone, and
    the caption with the edited words left out. With s(·) the image's score of a text::

        text_support        = s(caption) - s(words left out)      what the true words add
        replacement_support = s(edit alone) - s(words left out)   what the false words add
        margin              = s(caption) - s(edit alone)          their difference
        interaction         = s(caption) - s(negative) - Σ margin of its edits

    With one edit the interaction is 0 and the margins are the same. With several, as in a swap,
    what no edit does alone is the interaction.

    Args:
        record: in the short form; of another nothing is explained.

    Attributes:
        texts: what is to be scored, distinct, against the record's image.

    Raises:
        InputError: edits that do not lead from the caption to the negative.
    """

    def __init__(self, record: Record) -> None:
        self._caption = "" if record.is_matching else record.caption
        negatives = [] if record.is_matching else record.negatives
        self._negatives = [negative.caption for negative in negatives]
        self._edits = edits_of(record) if negatives else []
        wanted = [self._caption, *self._negatives] if negatives else []
        for edits in self._edits:
            for edit in edits:
                wanted += [self._alone(edit), self._without(edit)]
        self.texts = list(dict.fromkeys(wanted))

    def of(self, scores: Mapping[str, float]) -> list[dict[str, Any]]:
        """The value of the field ``explain``: an object for each negative.

        ``decided_by`` is the index of the edit with the largest part of the margin (of what
        speaks against it, where the negative won), or None where that is the interaction.
        """
        return [
            self._explain(negative, edits, scores)
            for negative, edits in zip(self._negatives, self._edits, strict=True)
        ]

    def _explain(
        self, negative: str, edits: list[Edit], scores: Mapping[str, float]
    ) -> dict[str, Any]:
        true = scores[self._caption]
        margin = true - scores[negative]
        parts = [true - scores[self._alone(edit)] for edit in edits]
        interaction = margin - sum(parts) if len(parts) > 1 else 0.0
        sign = 1 if margin >= 0 else -1
        weights = [sign * part for part in (*parts, interaction)]
        first = int(np.argmax(weights)) if edits else 0
        return {
            "margin": _rounded(margin),
            "decided_by": first if first < len(edits) else None,
            "interaction": _rounded(interaction),
            "edits": [
                {
                    "span": [start, end],
                    "text": self._caption[start:end],
                    "replacement": replacement,
                    "margin": _rounded(part),
                    "text_support": _rounded(true - scores[without]),
                    "replacement_support": _rounded(true - part - scores[without]),
                }
                for (start, end, replacement), part, without in zip(
                    edits, parts, map(self._without, edits), strict=True
                )
            ],
        }

    def _alone(self, edit: Edit) -> str:
        return apply_edits(self._caption, [edit])

    def _without(self, edit: Edit) -> str:
        start, end, _ = edit
        return " ".join((self._caption[:start] + self._caption[end:]).split())


def edits_of(record: Record) -> list[list[Edit]]:
    """The edits of each negative of a record in the short form.

    Where a negative has none, the one edit on word borders that leads to it.

    Raises:
        InputError: edits that are malformed or do not lead from the caption to the negative.
    """
    caption = record.caption
    return [
        edit_between(caption, negative.caption)
        if item.get("edits") is None
        else _checked(record, caption, negative.caption, item["edits"])
        for negative, item in zip(record.negatives, record.get("negatives", []), strict=True)
    ]


def _checked(record: Record, caption: str, negative: str, given: object) -> list[Edit]:
    try:
        edits = [_edit(item) for item in given] if isinstance(given, list) else []
        if apply_edits(caption, edits) == negative:
            return sorted(edits)
    except ValueError:
        pass
    raise record.error(
        "the edits do not lead from the caption to its negative",
        got=shorten(given),
        expected=f"[[start, end, replacement], …] to {shorten(negative)}",
    )


def _edit(item: object) -> Edit:
    if (
        not isinstance(item, list)
        or [type(value) for value in item] != [int, int, str]
        or item[0] < 0
    ):
        raise ValueError
    return item[0], item[1], item[2]


def _rounded(value: float) -> float:
    return shortest(np.float32(value))
