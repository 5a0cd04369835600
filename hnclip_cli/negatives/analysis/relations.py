"""Spatial relations: which of them have a direction, and what turns each around."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hnclip_cli.language.caption import Caption, Word
from hnclip_cli.negatives.analysis.rewriting import Span, replace
from hnclip_cli.streams.edits import Edit

DIRECTED = {
    "on", "in", "under", "above", "below", "behind", "over", "beneath", "underneath", "atop",
    "inside", "outside", "into", "onto", "off", "upon", "front", "left", "right", "top",
}  # fmt: skip
# "A next to B" is "B next to A".
MUTUAL = {
    "and", "or", ",", "with", "near", "nearby", "beside", "besides", "by", "alongside", "to",
    "together", "around", "among", "amongst", "between", "from", "plus", "&", "/", "against", "of",
    "adjacent", "at", "like", "as", "than",
}  # fmt: skip
BEING = {"is", "are", "was", "were", "be", "being", "been", "'s"}
# Verbs that say where something is, not what it does: people and things can do them alike.
RESTING = BEING | {
    "sitting", "sits", "sit", "standing", "stands", "stand", "lying", "lies", "lie", "laying",
    "lays", "lay", "resting", "rests", "rest", "placed", "located", "positioned", "seated", "set",
    "shown", "seen", "laid", "situated", "pictured", "displayed", "next",
}  # fmt: skip
# Done together: who is named first does not matter.
MUTUAL_VERBS = RESTING | {
    "has", "have", "having", "facing", "touching", "meeting", "talking", "playing", "kissing",
    "hugging", "fighting", "chatting", "posing", "walking", "parked", "stopped", "hanging", "made",
    "working", "includes", "including", "featuring", "containing", "filled", "served", "topped",
    "mixed", "covered", "surrounded", "combined", "matching", "doing", "looking", "using",
}  # fmt: skip
MUTUAL_STEMS = (
    "cuddl",
    "snuggl",
    "nuzzl",
    "hug",
    "kiss",
    "greet",
    "embrac",
    "join",
    "fight",
    "pos",
)


def order_matters(caption: Caption, first: int, stop: int) -> bool:
    """Whether exchanging what stands before and after words [first, stop) changes the meaning."""
    between = [word for word in caption.words[first:stop] if word.text.strip()]
    if not between:
        return False
    lowers = [word.lower for word in between]
    has_noun = any(
        word.is_noun and word.lower not in DIRECTED and word.lower != "side" for word in between
    )
    if (lowers[0] in {"and", "or", ",", "&", ";", "/"} and not has_noun) or "other" in lowers:
        return False
    acts = any(map(_acts, between))
    directed = any(word in DIRECTED for word in lowers)
    if lowers[-1] in MUTUAL and not ends_directed(lowers):
        return False
    return directed or acts


def may_matter(caption: Caption, first: int, stop: int) -> bool:
    """Whether `order_matters` can hold up to any word before ``stop``: never too strict."""
    return any(word.lower in DIRECTED or _acts(word) for word in caption.words[first:stop])


def _acts(word: Word) -> bool:
    return (
        word.tag.startswith("VB")
        and word.lower not in MUTUAL_VERBS
        and not word.lower.startswith(MUTUAL_STEMS)
    )


def ends_directed(lowers: list[str]) -> bool:
    """Whether the words end in a directed relation of several words, as "to the left of"."""
    return lowers[-1] == "of" and lowers[-2:-1] in (
        ["left"], ["right"], ["front"], ["top"], ["out"], ["inside"], ["outside"], ["side"],
    )  # fmt: skip


@dataclass(frozen=True)
class Flip:
    """A pattern over lower-case words, which has ``word``, and what replaces its group ``x``."""

    pattern: re.Pattern[str]
    word: str
    replacement: str


_PARTS = {
    "<THING>": r" (?:an?|the|his|her|their|its|some|two|three|four|it|them|him|another|each|many)",
    "<MOVING>": r"(?:walk|runn|driv|climb|jump|stepp|com|gett|go|fly|div|pull|hopp|mov|head|rid"
    r"|swimm|fall)(?:ing|s|es)",
    "<HOVERING>": r"(?:flying|flies|fly|soaring|hanging|hangs|passing|passes|jumping|is|are)",
    "<PASSING>": r"(?:flying|flies|fly|soaring|passing|passes|going|goes|driving|walking)",
    "<ONTOP>": r"(?:sitting|sits|lying|lies|laying|lays|standing|stands|resting|rests|sleeping"
    r"|placed|is|are|perched|piled|stacked|displayed|set|seated|laid|relaxing|napping)",
    "<STAYING>": r"(?:sitting|standing|eating|playing|sits|stands|dining|is|are|parked|waiting"
    r"|walking|sleeping)",
    "<SUPPORT>": r"(?:bed|couch|sofa|table|desk|bench|chair|shelf|counter|plate|towel|blanket|rug"
    r"|bridge|tray|stool|mat|board|tree|wall|umbrella|roof|pillow|platform)(?= [^a-z]| "
    r"(?:in|on|at|near|with|next|and|by|while|under|outside|inside|of|beside|that|behind)(?= )|$)",
    "<DESCRIBED>": r"(?: (?!and |with |of |in |on )[a-z]+){0,2}",
    "<INCLINE>": r"(?:hill|hillside|stairs|steps|ramp|slope|mountain|staircase|ladder|tree)",
    "<SHAPE>": r"(?:circle|square|triangle|star|hexagon|pentagon|diamond|heart|cross|ring|crescent"
    r"|rectangle|oval|cube|sphere|cylinder)",
    "<OUTDOORS>": r"(?:[a-z]+ )?(?:street|road|field|forest|highway|sidewalk|river|lake|park|ocean"
    r"|tracks?|runway)",
    "<INDOORS>": r"(?:[a-z]+ )?(?:room|kitchen|bathroom|bedroom|office|yard|court)",
    "<BREAK>": r"(?: (?:[.,]|in|on|at|near|with|next|and)|$)",
    "<ASIDE>": r"(?: (?:of|side|hand|corner|[.,]|and|is|there)|$)",
}


def _flips(text: str) -> tuple[Flip, ...]:
    flips = []
    for line in filter(None, map(str.strip, text.splitlines())):
        pattern, _, replacement = line.rpartition(" => ")
        for name, part in _PARTS.items():
            pattern = pattern.replace(name, part)
        before, name, after = pattern.partition("(?P<x>")
        relation, tail = after.split(")", 1)
        # What follows the relation is only looked at, so that one match does not hide the next.
        whole = rf"(?<![^ ]){before}{name}{relation})(?={tail}(?![^ ]))"
        flips.append(Flip(re.compile(whole), relation.split()[-1], replacement))
    return tuple(flips)


# Left of "=>" a pattern over the caption's words, lower case and joined by single spaces; only
# what stands in (?P<x>…) is replaced.
FLIPS = _flips(
    r"""
    (?:the|far|top|bottom|upper|lower|to) (?P<x>left)<ASIDE> => right
    (?:the|far|top|bottom|upper|lower|to) (?P<x>right)<ASIDE> => left
    (?P<x>left) of<THING> => right
    (?P<x>right) of<THING> => left
    (?P<x>above)<THING> => below
    (?P<x>below)<THING> => above
    (?P<x>beneath)<THING> => above
    (?P<x>under)<THING><DESCRIBED> <SHAPE> => above
    (?P<x>over)<THING><DESCRIBED> <SHAPE> => below
    <HOVERING> (?P<x>over)<THING> => under
    <PASSING> (?P<x>under)<THING> => over
    (?:<ONTOP>|[a-z]+) (?P<x>under)<THING><DESCRIBED> <SUPPORT> => on top of
    (?P<x>in front of)<THING> => behind
    (?P<x>behind)<THING>(?! (?:wheel|bars|counter|scenes|plate|home)).* => in front of
    (?P<x>atop)<THING> => under
    (?P<x>on top of)<THING> => under
    (?P<x>underneath)<THING> => on
    (?P<x>on the side) of (?:a|an|the) => in the middle
    (?P<x>by the side) of (?:a|an|the) => in the middle
    (?P<x>on the edge) of (?:a|an|the) => in the middle
    (?P<x>at the end) of (?:a|an|the) => in the middle
    (?P<x>in the middle) of (?:a|an|the) <OUTDOORS><BREAK> => on the side
    (?P<x>in the middle) of (?:a|an|the) <INDOORS><BREAK> => in the corner
    (?P<x>in the corner) of (?:a|an|the) => in the middle
    (?P<x>on the back) of (?:a|an|the) => in front
    (?P<x>in the air)<BREAK> => on the ground
    (?P<x>on the ground)<BREAK> => in the air
    (?P<x>at night)<BREAK> => during the day
    (?P<x>during the day)<BREAK> => at night
    (?P<x>on it)(?: (?:[.,]|and)|$) => under it
    (?P<x>on them)(?: (?:[.,]|and)|$) => under them
    (?P<x>in it)(?: (?:[.,]|and)|$) => next to it
    (?P<x>behind it)(?: (?:[.,]|and)|$) => in front of it
    (?P<x>behind him)(?: (?:[.,]|and)|$) => in front of him
    (?P<x>inside)<THING> => outside
    (?P<x>inside of)<THING> => outside of
    (?P<x>outside)<THING> => inside
    (?P<x>outside of)<THING> => inside of
    <STAYING> (?P<x>outside)<BREAK> => inside
    <STAYING> (?P<x>inside)<BREAK> => outside
    (?P<x>outdoors) => indoors
    (?P<x>indoors) => outdoors
    in the (?P<x>background) => foreground
    in the (?P<x>foreground) => background
    (?:at|near) the (?P<x>top) of<THING> => bottom
    (?:at|near) the (?P<x>bottom) of<THING> => top
    at the (?P<x>top)(?: (?:[.,]|and|is|there)|$) => bottom
    at the (?P<x>bottom)(?: (?:[.,]|and|is|there)|$) => top
    the (?P<x>top) (?:shelf|bunk|step|rack|drawer|half|left|right|row) => bottom
    the (?P<x>bottom) (?:shelf|bunk|step|rack|drawer|half|left|right|row) => top
    <MOVING> (?P<x>up) (?:a|an|the|some)<DESCRIBED> <INCLINE> => down
    <MOVING> (?P<x>down) (?:a|an|the|some)<DESCRIBED> <INCLINE> => up
    look(?:ing|s)? (?P<x>up) at<THING> => down
    look(?:ing|s)? (?P<x>down) at<THING> => up
    <MOVING> (?P<x>into)<THING> => out of
    <MOVING> (?P<x>out of)<THING> => into
    <MOVING> (?P<x>onto)<THING> => off
    <MOVING> (?P<x>off)<THING> => onto
    <MOVING> (?P<x>towards)<THING> => away from
    <MOVING> (?P<x>toward)<THING> => away from
    <MOVING> (?P<x>away from)<THING> => toward
    """
)
_FLIPPED = {flip.word for flip in FLIPS}
_CHANGING = {"not", "no", "all", "left", "from", "very", "so", "n't", "half"}


def flip_relation(caption: Caption) -> Iterator[list[Edit]]:
    """Turn one directed relation around: left/right, above/below, in front of/behind, …"""
    if caption.lowers.isdisjoint(_FLIPPED):
        return
    text, borders = _joined(caption)
    done: set[Span] = set()
    for flip in FLIPS:
        if flip.word not in caption.lowers:
            continue
        for match in flip.pattern.finditer(text):
            span = borders.get(match.start("x")), borders.get(match.end("x") + 1)
            if span[0] is None or span[1] is None:
                continue
            words: Span = (span[0], span[1])
            if _is_relation(caption, words):
                if words not in done:
                    yield [replace(caption, words, flip.replacement)]
                done.add(words)


def _joined(caption: Caption) -> tuple[str, dict[int, int]]:
    """The words joined by single spaces, and the index of the word that begins at each place."""
    borders: dict[int, int] = {}
    position = 0
    for index, word in enumerate(caption.words):
        borders[position] = index
        position += len(word.lower) + 1
    borders[position] = len(caption.words)
    return " ".join(word.lower for word in caption.words), borders


def _is_relation(caption: Caption, span: Span) -> bool:
    """Whether the words are a relation here, rather than a verb, a name or half a word."""
    first, stop = span
    if caption.touches_hyphen(first, stop) or not caption.has_plain_case(first):
        return False
    if caption.lower(first - 1) in _CHANGING:
        return False
    # "the cup left on the counter" is a verb.
    return not (stop - first == 1 and caption.tag(first).startswith("VB"))
