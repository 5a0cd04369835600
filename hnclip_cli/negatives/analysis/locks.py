"""What of a caption no negative may change, whichever kind makes it."""

from collections.abc import Sequence
from typing import NamedTuple

from hnclip_cli.language.caption import Caption, once
from hnclip_cli.negatives.analysis.doubts import doubted
from hnclip_cli.negatives.analysis.names import fixed_names, proper_names, quoted
from hnclip_cli.negatives.analysis.scope import denied
from hnclip_cli.streams.edits import Edit

# How characters are locked: they stay; they change as a whole; they move as a whole.
STAYS, FIXED, PROPER = 0, 1, 2


class Locks(NamedTuple):
    """The characters [start, end) of a caption that are locked, and how."""

    text: str
    spans: list[tuple[int, int, int]]

    def hold(self, edits: Sequence[Edit]) -> bool:
        """Whether some edit changes what it may not."""
        for edit in edits:
            for span in self.spans:
                if edit[0] < span[1] and span[0] < edit[1] and self._holds(span, edit, edits):
                    return True
        return False

    def _holds(self, span: tuple[int, int, int], edit: Edit, edits: Sequence[Edit]) -> bool:
        """Whether a span forbids an edit that touches it."""
        start, end, text = edit
        first, stop, how = span
        old = self.text[start:end]
        if text.startswith(f"{old} "):  # it only adds words, after others or before them
            start = end
        elif text.endswith(f" {old}"):
            end = start
        if not (start < stop and first < end):
            return False
        if how == STAYS or first < start or end < stop:
            return True
        return how == PROPER and all(self.text[first:stop] not in other for *_, other in edits)


@once
def locks(caption: Caption) -> Locks | None:
    """What is locked; None where nothing is. Needs tags."""
    words = caption.words
    spans = [
        (start, end, STAYS)
        for start, end in (*denied(caption), *doubted(caption), *quoted(caption))
    ]
    for how, names in ((FIXED, fixed_names(caption)), (PROPER, proper_names(caption))):
        spans += [(words[first].start, words[stop - 1].end, how) for first, stop in names]
    return Locks(caption.text, spans) if spans else None
