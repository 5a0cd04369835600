"""The negatives of papers, as sets of kinds.

A preset takes a paper's idea of what to change; how it is changed is this project's: by place in
the text, in agreement with the grammar, and checked to be false.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS


@dataclass(frozen=True, slots=True)
class Preset:
    """A paper, and the kinds that its negatives are."""

    paper: str
    kinds: tuple[str, ...]


_ARO_ORDER = (
    "shuffle-nouns-and-adjectives",
    "shuffle-other-words",
    "shuffle-within-trigrams",
    "shuffle-trigrams",
)
_NEGCLIP = ("swap-noun-phrase", "swap-verb", "swap-noun", "swap-adverb", "swap-adjective")
_REPLACE = (
    "replace-noun",
    "replace-location",
    "replace-verb",
    "replace-relation",
    "replace-color",
    "replace-size",
    "replace-material",
    "replace-state",
    "replace-number",
)

PRESETS: dict[str, Preset] = {
    # Two nouns exchanged; an adjective, a noun or a verb replaced.
    "ce-clip": Preset(
        "Zhang et al. 2024, arXiv 2306.08832",
        ("swap-noun", *_REPLACE[:3], *_REPLACE[4:8]),
    ),
    # Two spans of one class exchanged.
    "negclip": Preset("Yuksekgonul et al. 2023, arXiv 2210.01936", _NEGCLIP),
    # Color, object, location and size replaced.
    "roesch": Preset(
        "Rösch et al. 2024, arXiv 2403.02875",
        ("replace-color", "replace-noun", "replace-location", "replace-size"),
    ),
    # NegCLIP's swaps, a replaced part of the scene graph, and shuffled bi-grams.
    "fsc-clip": Preset(
        "Oh et al. 2024, arXiv 2410.05210", (*_NEGCLIP, *_REPLACE, "shuffle-bigrams")
    ),
    # Color, action, material, size and state replaced.
    "svlc": Preset(
        "Doveh et al. 2023, arXiv 2211.11733",
        (
            "replace-color",
            "replace-verb",
            "replace-relation",
            "replace-material",
            "replace-size",
            "replace-state",
        ),
    ),
    # Seven tests: add, replace and swap, of objects, attributes and relations.
    "sugarcrepe": Preset(
        "Hsieh et al. 2023, arXiv 2306.14610",
        (
            "add-attribute",
            "add-object",
            *_REPLACE,
            "flip-relation",
            "swap-adjective",
            "swap-noun",
            "swap-noun-phrase",
        ),
    ),
    # The order of words.
    "aro-order": Preset("Yuksekgonul et al. 2023, arXiv 2210.01936", _ARO_ORDER),
    # What is there is denied.
    "con-clip": Preset("Singh et al. 2024, arXiv 2403.20312", ("negate",)),
}


def chosen_kinds(kinds: Sequence[str], presets: Sequence[str] = ()) -> tuple[str, ...]:
    """The kinds named, then those of the presets, each once; the default ones if none is named."""
    named = (*kinds, *(kind for name in presets for kind in PRESETS[name].kinds))
    return tuple(dict.fromkeys(named)) or DEFAULT_KINDS
