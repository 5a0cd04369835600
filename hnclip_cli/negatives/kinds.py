"""The kinds of negatives. A kind is a function from a parsed caption to candidate edits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hnclip_cli.negatives import relations, replacements, swaps
from hnclip_cli.negatives.parsing import PHRASES, TAGS, Caption
from hnclip_cli.streams.edits import Edit


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of negative is made.

    Attributes:
        candidates: yields lists of edits, each of which makes one negative; a/an before an edit
            is mended afterwards.
        level: what the function reads of a caption: ``WORDS``, ``TAGS`` or ``PHRASES``.
    """

    candidates: Callable[[Caption], Iterator[list[Edit]]]
    level: int


KINDS: dict[str, Kind] = {
    "swap-noun": Kind(swaps.swap_noun, PHRASES),
    "swap-adjective": Kind(swaps.swap_adjective, TAGS),
    "swap-noun-phrase": Kind(swaps.swap_noun_phrase, PHRASES),
    "replace-noun": Kind(replacements.replace_noun, TAGS),
    "replace-color": Kind(replacements.replace_color, TAGS),
    "replace-size": Kind(replacements.replace_size, TAGS),
    "replace-number": Kind(replacements.replace_number, TAGS),
    "flip-relation": Kind(relations.flip_relation, TAGS),
}
