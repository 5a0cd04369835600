"""The negatives of papers, as sets of kinds.

A preset takes a paper's idea of what to change; how it is changed is this project's: by place in
the text, in agreement with the grammar, and checked to be false. Only ConMe's way is its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS

LEXICON = "lexicon"


class Preset(NamedTuple):
    """A paper, the kinds that its negatives are, and the generator that goes its way."""

    paper: str
    kinds: list[str]
    generator: str = LEXICON


def _kinds(verb: str, objects: str) -> list[str]:
    return [f"{verb}-{what}" for what in objects.split()]


_NEGCLIP = _kinds("swap", "noun-phrase verb noun adverb adjective")
_WORDS = "noun location verb relation color size material state number"


PRESETS = {
    "ce-clip": Preset(
        "Zhang et al. 2024, arXiv 2306.08832",
        ["swap-noun", *_kinds("replace", "noun location verb color size material state")],
    ),
    "negclip": Preset("Yuksekgonul et al. 2023, arXiv 2210.01936", _NEGCLIP),
    "roesch": Preset(
        "Rösch et al. 2024, arXiv 2403.02875", _kinds("replace", "color noun location size")
    ),
    "fsc-clip": Preset(
        "Oh et al. 2024, arXiv 2410.05210",
        [*_NEGCLIP, *_kinds("replace", _WORDS), "shuffle-bigrams"],
    ),
    "svlc": Preset(
        "Doveh et al. 2023, arXiv 2211.11733",
        _kinds("replace", "color verb relation material size state"),
    ),
    "sugarcrepe": Preset(
        "Hsieh et al. 2023, arXiv 2306.14610",
        [
            *_kinds("add", "attribute object"),
            *_kinds("replace", _WORDS),
            "flip-relation",
            "move-attribute",
            *_kinds("swap", "adjective noun noun-phrase"),
        ],
    ),
    "aro-order": Preset(
        "Yuksekgonul et al. 2023, arXiv 2210.01936",
        _kinds("shuffle", "nouns-and-adjectives other-words within-trigrams trigrams"),
    ),
    "con-clip": Preset("Singh et al. 2024, arXiv 2403.20312", ["negate"]),
    "conme": Preset("Huang et al. 2024, arXiv 2406.08164", _kinds("replace", _WORDS), "conme"),
}


def chosen_kinds(kinds: Sequence[str], presets: Sequence[str] = ()) -> tuple[str, ...]:
    """The kinds named, then those of the presets, each once; the default ones if none is named."""
    named = (*kinds, *(kind for name in presets for kind in PRESETS[name].kinds))
    return tuple(dict.fromkeys(named)) or DEFAULT_KINDS


def chosen_generator(presets: Sequence[str]) -> str:
    """The first generator of these presets that is not the lexicon; else that."""
    return next((g for name in presets if (g := PRESETS[name].generator) != LEXICON), LEXICON)
