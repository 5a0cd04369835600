"""The kinds of negatives. A kind is a function from a parsed caption to candidate edits.

`KINDS` is the one table of them; a plug-in adds a `Kind` to it under a name of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, wraps

from hnclip_cli.language.caption import TAGS, TEXT, Caption
from hnclip_cli.negatives.analysis.locks import Locks, locks
from hnclip_cli.negatives.kinds import (
    actions,
    additions,
    moves,
    numbers,
    places,
    relations,
    shuffles,
    states,
    swaps,
    things,
)
from hnclip_cli.plugins import Table
from hnclip_cli.streams.edits import Edit


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of negative is made.

    Attributes:
        candidates: yields lists of edits, each of which makes one negative; a/an before an edit
            is mended afterwards, and what would change a name or what is denied is left out.
        level: what the function reads of a caption: ``TEXT`` or ``TAGS``.
        source: whose negative it is.
        change: what the edits do: ``replace``, ``swap`` or ``add`` words, ``deny``, ``flip`` a
            relation, or change the ``order`` of all. Generators go by it.
        of: what sort of words a replaced one and its replacement are, where a generator may find
            others: ``noun``, ``color`` or ``verb``.
        is_default: whether a built-in kind is made where none is named. Those are false of the
            image, read well, and are not given away by the text.
        is_judged: whether the candidates that read best are preferred. Those of the others read
            badly by intention, and come in the order in which they are drawn.
        usefulness: which share of its negatives is false, natural and decided by the image alone,
            above 0; a half where none was read against photographs. Where not all negatives are
            wanted, more useful kinds come first.
    """

    candidates: Callable[[Caption], Iterable[list[Edit]]]
    level: int
    source: str = ""
    change: str = "replace"
    of: str = ""
    is_default: bool = False
    is_judged: bool = True
    usefulness: float = 0.5

    def edits(self, caption: Caption) -> Iterable[list[Edit]]:
        """The candidates that leave alone what must stay as it is.

        That is what `refusal` says.
        """
        found = self.candidates(caption)
        if caption.protected or self._locks(caption):
            return (edits for edits in found if not self.refusal(caption, edits))
        return found

    def refusal(self, caption: Caption, edits: Sequence[Edit]) -> str:
        """What the edits change and no negative of this kind may, whoever proposes it, or "".

        That is protected words and markup; for all but orders of words also what is denied, left
        open or quoted, and names, of which only the whole may be replaced or exchanged.
        """
        if caption.protects(edits):
            return "a protected word or markup"
        locked = self._locks(caption)
        return locked.held(edits) if locked else ""

    def _locks(self, caption: Caption) -> Locks | None:
        return None if self.change == "order" else locks(caption)


_default = partial(Kind, is_default=True)
_swap = partial(Kind, change="swap")
_order = partial(Kind, change="order", is_judged=False)

# The usefulness is (u + 1) / (n + 2): u of n were useful, of those that tests/bench/judge_kinds.tsv
# labels.
_BUILT_IN = {
    "swap-noun": _swap(
        swaps.swap_noun, TAGS, "NegCLIP, CE-CLIP's relation", is_default=True, usefulness=3 / 13
    ),
    "swap-adjective": _swap(
        swaps.swap_adjective,
        TAGS,
        "NegCLIP, SugarCrepe's swap-att",
        is_default=True,
        usefulness=11 / 13,
    ),
    "move-attribute": _swap(
        moves.move_attribute, TAGS, "SugarCrepe's swap-att", is_default=True, usefulness=8 / 11
    ),
    "swap-noun-phrase": _swap(
        swaps.swap_noun_phrase,
        TAGS,
        "NegCLIP, SugarCrepe's swap-obj",
        is_default=True,
        usefulness=3 / 13,
    ),
    "replace-subject": _default(
        things.replace_subject, TAGS, "SVO-Probes, ComVG", of="noun", usefulness=17 / 22
    ),
    "replace-object": _default(
        things.replace_object, TAGS, "SVO-Probes, ComVG", of="noun", usefulness=21 / 23
    ),
    "replace-noun": _default(
        things.replace_noun, TAGS, "CE-CLIP's entity, Rösch's object", of="noun", usefulness=15 / 22
    ),
    "replace-location": _default(
        places.replace_location, TAGS, "Rösch's location", usefulness=21 / 23
    ),
    "replace-verb": _default(
        actions.replace_verb, TAGS, "CE-CLIP's and SVLC's action", of="verb", usefulness=17 / 22
    ),
    "replace-relation": _default(
        places.replace_relation, TAGS, "SugarCrepe's replace-rel, FSC-CLIP", usefulness=15 / 23
    ),
    "replace-color": _default(
        states.replace_color, TAGS, "Rösch's and SVLC's color", of="color", usefulness=18 / 23
    ),
    # Whether a dog is large is a matter of opinion: not by default.
    "replace-size": Kind(states.replace_size, TAGS, "Rösch's and SVLC's size"),
    "replace-material": _default(
        states.replace_material, TAGS, "SVLC's material", usefulness=17 / 19
    ),
    "replace-state": _default(states.replace_state, TAGS, "SVLC's state", usefulness=18 / 23),
    "replace-number": _default(
        numbers.replace_number, TAGS, "VALSE's counting", usefulness=18 / 22
    ),
    "flip-relation": _default(
        relations.flip_relation,
        TAGS,
        "What'sUp's opposite prepositions",
        change="flip",
        usefulness=12 / 19,
    ),
    "swap-verb": _swap(actions.swap_verb, TAGS, "NegCLIP"),
    "swap-adverb": _swap(actions.swap_adverb, TAGS, "NegCLIP"),
    "negate": Kind(additions.negate, TAGS, "CoN-CLIP", change="deny"),
    "add-attribute": Kind(additions.add_attribute, TAGS, "SugarCrepe's add-att", change="add"),
    "add-object": Kind(additions.add_object, TAGS, "SugarCrepe's add-obj", change="add"),
    "shuffle-nouns-and-adjectives": _order(shuffles.shuffle_nouns_and_adjectives, TAGS, "ARO"),
    "shuffle-other-words": _order(shuffles.shuffle_other_words, TAGS, "ARO"),
    "shuffle-within-trigrams": _order(shuffles.shuffle_within_trigrams, TEXT, "ARO"),
    "shuffle-trigrams": _order(shuffles.shuffle_trigrams, TEXT, "ARO"),
    "shuffle-bigrams": _order(shuffles.shuffle_bigrams, TEXT, "FSC-CLIP"),
    "shuffle-words": _order(shuffles.shuffle_words, TEXT, "FSC-CLIP"),
}


def _checked(kind: Kind) -> Kind:
    """A kind that looks at what it proposes."""

    @wraps(kind.candidates)
    def candidates(caption: Caption) -> Iterator[list[Edit]]:
        for edits in kind.candidates(caption):
            for start, end, text in edits:
                if not (0 <= start <= end <= len(caption.text) and isinstance(text, str)):
                    raise ValueError(f"{(start, end, text)} is no edit of {caption.text!r}")
            yield edits

    return replace(kind, candidates=candidates)


KINDS = Table("kinds", _BUILT_IN, Kind, adopt=_checked)
DEFAULT_KINDS = tuple(name for name, kind in _BUILT_IN.items() if kind.is_default)
