"""Kinds that deny an attribute: another material, or the opposite state."""

from collections.abc import Iterator
from functools import cache

from hnclip_cli.language.caption import Caption
from hnclip_cli.lexicon.nouns import nouns
from hnclip_cli.negatives.analysis.modifiers import head_noun
from hnclip_cli.negatives.analysis.rewriting import replace
from hnclip_cli.streams.edits import Edit

# What is said of a thing => what denies it. Before a colon, what nouns it may be said of: families
# of the lexicon or nouns; "!" before one refuses it. The first line that fits counts.
_STATES = """
    man woman adult person people lady guy couple men women: young => old
    :adult :large_animal : young => old
    :adult : old elderly older => young
    :adult :youth :athlete :profession : male => female
    :adult :youth :athlete :profession : female => male
    :vehicle :building :furniture :device :appliance :street_furniture room kitchen bathroom clock
        sign photo : old antique vintage => new, modern
    :vehicle :building :furniture :device :appliance room kitchen bathroom : new modern => old
    street road room restaurant beach city park field lot bench station : empty => crowded, busy
    plate bowl glass bottle cup suitcase basket refrigerator : empty => full
    plate bowl glass bottle cup suitcase basket refrigerator : full => empty
    plate bowl glass bottle cup suitcase basket refrigerator : filled => empty
    street road room restaurant beach city park station sidewalk market highway intersection
        : busy crowded => empty, quiet
    door window suitcase umbrella book refrigerator laptop drawer gate oven box doors windows mouth
        toilet lid sky area field : open => closed
    door window suitcase umbrella book refrigerator laptop drawer gate oven box doors windows
        restaurant store : closed => open
    street road ground dog cat surfboard sidewalk hair umbrella grass sand : wet => dry
    grass field ground area land hay grassland : dry => wet, green
    : dirty messy cluttered => clean
    : clean tidy => dirty, messy
    sky day beach street afternoon field area morning : sunny => cloudy, rainy
    sky day : cloudy overcast => clear, sunny
    sky : clear => cloudy
    day street : rainy => sunny
    : snowy => grassy, sandy
    : grassy => snowy, sandy
    : sandy => grassy, snowy
    hill area ground path shore hillside cliff terrain beach mountain : rocky => grassy, sandy
    : lush => dry
    : dark => bright
    room kitchen bathroom sky bedroom day area : bright => dark
    : cooked => raw
    : raw => cooked
    : fresh => rotten
    : indoor => outdoor
    : outdoor => indoor
    : lit => dark
    : broken => new
    water ocean sea lake river : calm => rough
    water ocean sea wave waves : rough choppy => calm
    : paved => dirt
    : striped => plain
    : colorful => white, black
    : wild => stuffed
    : sunlit => dark
    : high => low
    : low => high
    : round => square
    : square => round
    : stuffed => live
    : electric => steam
    : sliced => whole
    : whole => sliced
"""

_MATERIALS = {
    "wooden": "wooden", "wood": "wooden", "metal": "metal", "steel": "metal", "iron": "metal",
    "metallic": "metal", "plastic": "plastic", "glass": "glass", "stone": "stone",
    "brick": "brick", "concrete": "concrete", "cement": "concrete", "leather": "leather",
    "paper": "paper", "cardboard": "paper", "marble": "stone", "ceramic": "ceramic",
    "porcelain": "ceramic", "tile": "tile", "tiled": "tile",
}  # fmt: skip
_COMMON = {"wooden", "metal", "plastic"}
_MADE_OF = """
    table bench chair desk shelf tray box boxes crate counter countertop furniture benches chairs
        tables stool fence gate post pole frame : wooden metal plastic
    building buildings wall walls house tower church structure clock_tower sidewalk walkway path
        floor floors road street : brick wooden stone concrete
    bowl bowls plate plates cup cups spoon fork knife utensils container containers vase toy dish
        board cutting_board platform pan pot basket : wooden metal plastic glass
    couch sofa : leather wooden
    door doors bridge boat deck dock sign cabinet cabinets train car roof : wooden metal
"""


def replace_state(caption: Caption) -> Iterator[list[Edit]]:
    """Say the opposite of a state: open/closed, wet/dry, empty/full (SVLC's state words)."""
    states = _states()
    if caption.lowers.isdisjoint(states):
        return
    for index, word in enumerate(caption.words):
        if word.lower not in states or not _is_attribute(caption, index):
            continue
        noun = head_noun(caption, index)
        if noun is None:
            continue
        for heads, families, opposites in states[word.lower]:
            if not _is_said_of(caption.lower(noun), heads, families):
                continue
            for text in opposites:
                if text not in caption.lowers:
                    yield [replace(caption, (index, index + 1), text)]
            break


def replace_material(caption: Caption) -> Iterator[list[Edit]]:
    """Make a thing of something else (SVLC's material words)."""
    if caption.lowers.isdisjoint(_MATERIALS):
        return
    named = {_MATERIALS[word] for word in caption.lowers if word in _MATERIALS}
    for index, word in enumerate(caption.words):
        if word.lower not in _MATERIALS or not _is_attribute(caption, index):
            continue
        noun = head_noun(caption, index)
        if noun is None or caption.lower(index - 1) in ("stainless", "wrought", "cast"):
            continue
        others = ("wooden", "metal", "plastic") if _MATERIALS[word.lower] in _COMMON else ()
        for text in _made_of().get(caption.lower(noun), others):
            if text not in named:
                yield [replace(caption, (index, index + 1), text)]


def _is_attribute(caption: Caption, index: int) -> bool:
    if caption.touches_hyphen(index, index + 1) or not caption.has_plain_case(index):
        return False
    if caption.lower(index - 1) in ("very", "not", "too", "so", "half", "and", "brand") or (
        caption.lower(index + 1) in ("and", "fashioned", "looking", "style", "covered")
    ):
        return False
    return caption.tag(index).startswith(("JJ", "NN", "VBN", "VBD"))


def _is_said_of(name: str, heads: frozenset[str], families: frozenset[str]) -> bool:
    if not heads and not families:
        return True
    noun = nouns().get(name)
    known = noun is not None and (noun.family in families or noun.singular in heads)
    return known or name in heads


@cache
def _states() -> dict[str, list[tuple[frozenset[str], frozenset[str], list[str]]]]:
    table: dict[str, list[tuple[frozenset[str], frozenset[str], list[str]]]] = {}
    for line in _joined_lines(_STATES):
        left, _, right = line.partition(" => ")
        said_of, _, words = f" {left}".rpartition(": ")
        names = said_of.split()
        heads = frozenset(name.replace("_", " ") for name in names if name[0] != ":")
        families = frozenset(name[1:].replace("_", " ") for name in names if name[0] == ":")
        for word in words.split():
            table.setdefault(word, []).append((heads, families, right.split(", ")))
    return table


@cache
def _made_of() -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for line in _joined_lines(_MADE_OF):
        names, _, materials = line.partition(" : ")
        for name in names.split():
            table[name.replace("_", " ").split()[-1]] = materials.split()
    return table


def _joined_lines(text: str) -> list[str]:
    """Lines, those that are indented deeper joined to the one before."""
    lines: list[str] = []
    for line in filter(str.strip, text.splitlines()):
        if line.startswith(" " * 8):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.strip())
    return lines
