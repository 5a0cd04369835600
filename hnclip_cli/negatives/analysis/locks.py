"""What of a caption no negative may change, whichever kind makes it."""

from collections.abc import Sequence
from typing import NamedTuple

from hnclip_cli.language.caption import Caption, once
from hnclip_cli.negatives.analysis.doubts import doubted
from hnclip_cli.negatives.analysis.names import fixed_names, proper_names, quoted
from hnclip_cli.negatives.analysis.scope import denied
from hnclip_cli.streams.edits import Edit

# What is locked, in the words of a note. These stay; of names, the next change as a whole, and
# the last move as a whole.
DENIED = "what the caption denies"
OPEN = "what the caption leaves open"
QUOTED = "what the caption quotes"
FIXED = "part of a fixed name"
PROPER = "the name of somebody or something"

# The characters [start, end), and what they are.
Span = tuple[int, int, str]


class Locks(NamedTuple):
    """What of a caption is locked."""

    text: str
    spans: list[Span]

    def held(self, edits: Sequence[Edit]) -> str:
        """What some edit changes and may not, or ""."""
        for edit in edits:
            for span in self.spans:
                if edit[0] < span[1] and span[0] < edit[1] and self._holds(span, edit, edits):
                    return span[2]
        return ""

    def _holds(self, span: Span, edit: Edit, edits: Sequence[Edit]) -> bool:
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
        if how not in (FIXED, PROPER) or first < start or end < stop:
            return True
        return how == PROPER and all(self.text[first:stop] not in other for *_, other in edits)


@once
def locks(caption: Caption) -> Locks | None:
    """What is locked; None where nothing is. Needs tags."""
    words = caption.words
    spans: list[Span] = []
    for how, found in (
        (DENIED, denied(caption)),
        (OPEN, doubted(caption)),
        (QUOTED, quoted(caption)),
    ):
        spans += [(start, end, how) for start, end in found]
    for how, names in ((FIXED, fixed_names(caption)), (PROPER, proper_names(caption))):
        spans += [(words[first].start, words[stop - 1].end, how) for first, stop in names]
    return Locks(caption.text, spans) if spans else None
