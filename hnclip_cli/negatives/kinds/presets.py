"""The negatives of papers, as sets of kinds.

A preset takes a paper's idea of what to change; how it is changed is this project's: by place in
the text, in agreement with the grammar, and checked to be false. Only ConMe's way is its own. In
many a caption a kind finds nothing; then another one stands in for it, until there are as many
negatives as the paper has.
"""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS

LEXICON = "lexicon"


class Slots(NamedTuple):
    """What negatives a caption gets.

    Attributes:
        each: for each slot the names of its kinds, one of which fills it.
        number: how many negatives to have; where fewer slots are filled, further ones of the same
            kinds are taken, then some of the fillers.
        fillers: further kinds, which only stand in.
    """

    each: Sequence[Sequence[str]]
    number: int
    fillers: Sequence[str] = DEFAULT_KINDS

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the slots, each once."""
        return tuple(dict.fromkeys(chain.from_iterable(self.each)))


class Preset(NamedTuple):
    """A paper, the negatives that it gives a caption, and the generator that goes its way."""

    paper: str
    slots: Slots
    generator: str = LEXICON


def _kinds(verb: str, objects: str) -> list[str]:
    return [f"{verb}-{what}" for what in objects.split()]


def _single(*kinds: str) -> list[list[str]]:
    """A slot for each kind."""
    return [[kind] for kind in kinds]


_SWAPS = _kinds("swap", "noun-phrase verb noun adverb adjective")
_WORDS = _kinds("replace", "noun location verb relation color size material state number")
_ATTRIBUTES = _kinds("replace", "color size material state")

PRESETS = {
    # Its relation, entity, action and attribute.
    "ce-clip": Preset(
        "Zhang et al. 2024, arXiv 2306.08832",
        Slots(
            [["swap-noun"], _kinds("replace", "noun location"), ["replace-verb"], _ATTRIBUTES], 4
        ),
    ),
    # Its released file has 1.5 a caption.
    "negclip": Preset("Yuksekgonul et al. 2023, arXiv 2210.01936", Slots(_single(*_SWAPS), 2)),
    "roesch": Preset(
        "Rösch et al. 2024, arXiv 2403.02875",
        Slots(_single(*_kinds("replace", "color noun location size")), 3),
    ),
    "fsc-clip": Preset(
        "Oh et al. 2024, arXiv 2410.05210", Slots([_SWAPS, _WORDS, ["shuffle-bigrams"]], 3)
    ),
    "svlc": Preset(
        "Doveh et al. 2023, arXiv 2211.11733",
        Slots(_single(*_kinds("replace", "color verb relation material size state")), 1),
    ),
    "sugarcrepe": Preset(
        "Hsieh et al. 2023, arXiv 2306.14610",
        Slots(
            _single(
                *_kinds("add", "attribute object"),
                *_WORDS,
                "flip-relation",
                "move-attribute",
                *_kinds("swap", "adjective noun noun-phrase"),
            ),
            1,
        ),
    ),
    "aro-order": Preset(
        "Yuksekgonul et al. 2023, arXiv 2210.01936",
        Slots(
            _single(
                *_kinds("shuffle", "nouns-and-adjectives other-words within-trigrams trigrams")
            ),
            4,
            fillers=(),
        ),
    ),
    "con-clip": Preset("Singh et al. 2024, arXiv 2403.20312", Slots([["negate"]], 1)),
    "conme": Preset(
        "Huang et al. 2024, arXiv 2406.08164", Slots(_single(*_WORDS), 1, fillers=()), "conme"
    ),
}


def chosen_kinds(kinds: Sequence[str], presets: Sequence[str] = ()) -> tuple[str, ...]:
    """The kinds named, then those of the presets, each once; the default ones if none is named."""
    named = (*kinds, *(kind for name in presets for kind in PRESETS[name].slots.kinds))
    return tuple(dict.fromkeys(named)) or DEFAULT_KINDS


def chosen_generator(presets: Sequence[str]) -> str:
    """The first generator of these presets that is not the lexicon; else that."""
    return next((g for name in presets if (g := PRESETS[name].generator) != LEXICON), LEXICON)


def joined_slots(kinds: Sequence[str], presets: Sequence[str]) -> Slots | None:
    """Those of all presets, and one for each kind that is named; None where no preset is."""
    if not presets:
        return None
    of_presets = [PRESETS[name].slots for name in presets]
    return Slots(
        [*_single(*kinds), *chain.from_iterable(slots.each for slots in of_presets)],
        sum(slots.number for slots in of_presets),
        tuple(dict.fromkeys(chain.from_iterable(slots.fillers for slots in of_presets))),
    )
