"""The kinds of negatives. A kind is a function from a parsed caption to candidate edits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from hnclip_cli.language.caption import PHRASES, TAGS, TEXT, Caption
from hnclip_cli.negatives.analysis import relations
from hnclip_cli.negatives.kinds import (
    additions,
    numbers,
    places,
    replacements,
    shuffles,
    states,
    swaps,
    verbs,
)
from hnclip_cli.plugins import Table
from hnclip_cli.streams.edits import Edit


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of negative is made.

    Attributes:
        candidates: yields lists of edits, each of which makes one negative; a/an before an edit
            is mended afterwards.
        level: what the function reads of a caption: ``TEXT``, ``TAGS`` or ``PHRASES``.
        source: whose negative it is.
        is_judged: whether the candidates that read best are preferred. Those of the others read
            badly by intention, and come in the order in which they are drawn.
        needs_phrases: for ``PHRASES``, whether the function can find anything in a caption, by
            words and tags: those in which it cannot are spared the dependency parser.
        is_default: whether it is made where no kind is named. Those are false of the image, read
            well, and are not given away by the text; the others only where they are asked for.
    """

    candidates: Callable[[Caption], Iterator[list[Edit]]]
    level: int
    source: str
    is_default: bool = True
    is_judged: bool = True
    needs_phrases: Callable[[Caption], bool] | None = None


_BUILT_IN = {
    "swap-noun": Kind(
        swaps.swap_noun, PHRASES, "NegCLIP, CE-CLIP's relation", needs_phrases=swaps.may_swap
    ),
    "swap-adjective": Kind(swaps.swap_adjective, TAGS, "NegCLIP, SugarCrepe's swap-att"),
    "swap-noun-phrase": Kind(
        swaps.swap_noun_phrase,
        PHRASES,
        "NegCLIP, SugarCrepe's swap-obj",
        needs_phrases=swaps.may_swap,
    ),
    "replace-subject": Kind(replacements.replace_subject, TAGS, "SVO-Probes, ComVG"),
    "replace-noun": Kind(replacements.replace_noun, TAGS, "CE-CLIP's entity, Rösch's object"),
    "replace-location": Kind(places.replace_location, TAGS, "Rösch's location"),
    "replace-verb": Kind(verbs.replace_verb, TAGS, "CE-CLIP's and SVLC's action"),
    "replace-relation": Kind(places.replace_relation, TAGS, "SugarCrepe's replace-rel, FSC-CLIP"),
    "replace-color": Kind(replacements.replace_color, TAGS, "Rösch's and SVLC's color"),
    "replace-size": Kind(replacements.replace_size, TAGS, "Rösch's and SVLC's size"),
    "replace-material": Kind(states.replace_material, TAGS, "SVLC's material"),
    "replace-state": Kind(states.replace_state, TAGS, "SVLC's state"),
    "replace-number": Kind(numbers.replace_number, TAGS, "VALSE's counting"),
    "flip-relation": Kind(relations.flip_relation, TAGS, "What'sUp's opposite prepositions"),
    "swap-verb": Kind(verbs.swap_verb, TAGS, "NegCLIP", is_default=False),
    "swap-adverb": Kind(verbs.swap_adverb, TAGS, "NegCLIP", is_default=False),
    "negate": Kind(additions.negate, TAGS, "CoN-CLIP", is_default=False),
    "add-attribute": Kind(additions.add_attribute, TAGS, "SugarCrepe's add-att", is_default=False),
    "add-object": Kind(additions.add_object, TAGS, "SugarCrepe's add-obj", is_default=False),
    **{
        name: Kind(candidates, level, source, is_default=False, is_judged=False)
        for name, candidates, level, source in (
            ("shuffle-nouns-and-adjectives", shuffles.shuffle_nouns_and_adjectives, TAGS, "ARO"),
            ("shuffle-other-words", shuffles.shuffle_other_words, TAGS, "ARO"),
            ("shuffle-within-trigrams", shuffles.shuffle_within_trigrams, TEXT, "ARO"),
            ("shuffle-trigrams", shuffles.shuffle_trigrams, TEXT, "ARO"),
            ("shuffle-bigrams", shuffles.shuffle_bigrams, TEXT, "FSC-CLIP"),
            ("shuffle-words", shuffles.shuffle_words, TEXT, "FSC-CLIP"),
        )
    },
}


def _checked(kind: Kind) -> Kind:
    """A kind that looks at what it proposes."""

    def candidates(caption: Caption) -> Iterator[list[Edit]]:
        for edits in kind.candidates(caption):
            for start, end, text in edits:
                if not (0 <= start <= end <= len(caption.text) and isinstance(text, str)):
                    raise ValueError(f"{(start, end, text)} is no edit of {caption.text!r}")
            yield edits

    return replace(kind, candidates=candidates)


KINDS = Table("kinds", _BUILT_IN, Kind, adopt=_checked)
DEFAULT_KINDS = tuple(name for name, kind in _BUILT_IN.items() if kind.is_default)
