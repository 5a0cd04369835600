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


_NEGCLIP = "swap-noun-phrase swap-verb swap-noun swap-adverb swap-adjective"
_REPLACE = (
    "replace-noun replace-location replace-verb replace-relation replace-color replace-size "
    "replace-material replace-state replace-number"
)

PRESETS = {
    name: Preset(paper, tuple(kinds.split()))
    for name, paper, kinds in (
        (
            "ce-clip",
            "Zhang et al. 2024, arXiv 2306.08832",
            "swap-noun replace-noun replace-location replace-verb replace-color replace-size "
            "replace-material replace-state",
        ),
        ("negclip", "Yuksekgonul et al. 2023, arXiv 2210.01936", _NEGCLIP),
        (
            "roesch",
            "Rösch et al. 2024, arXiv 2403.02875",
            "replace-color replace-noun replace-location replace-size",
        ),
        (
            "fsc-clip",
            "Oh et al. 2024, arXiv 2410.05210",
            f"{_NEGCLIP} {_REPLACE} shuffle-bigrams",
        ),
        (
            "svlc",
            "Doveh et al. 2023, arXiv 2211.11733",
            "replace-color replace-verb replace-relation replace-material replace-size "
            "replace-state",
        ),
        (
            "sugarcrepe",
            "Hsieh et al. 2023, arXiv 2306.14610",
            f"add-attribute add-object {_REPLACE} flip-relation swap-adjective swap-noun "
            "swap-noun-phrase",
        ),
        (
            "aro-order",
            "Yuksekgonul et al. 2023, arXiv 2210.01936",
            "shuffle-nouns-and-adjectives shuffle-other-words shuffle-within-trigrams "
            "shuffle-trigrams",
        ),
        ("con-clip", "Singh et al. 2024, arXiv 2403.20312", "negate"),
    )
}


def chosen_kinds(kinds: Sequence[str], presets: Sequence[str] = ()) -> tuple[str, ...]:
    """The kinds named, then those of the presets, each once; the default ones if none is named."""
    named = (*kinds, *(kind for name in presets for kind in PRESETS[name].kinds))
    return tuple(dict.fromkeys(named)) or DEFAULT_KINDS
