"""An independent reader of captions: is this sentence true of these objects?

It knows no templates: it finds noun phrases and relations and reads them as English does.
"""

import re

PHRASE = re.compile(
    r"\b(?:an?|the) (?:(?P<size>small|little|large|big) )?(?P<color>[a-z]+) "
    r"(?P<shape>circle|square|triangle|star|cross|heart|ring|crescent)\b"
)
RELATION = re.compile(
    r"\b(?:to the |on the )?(?P<side>left|right) of\b|\b(?P<word>above|over|below|under|beneath)\b"
)
PLACE = re.compile(r"\b(?:on|at) the (?P<place>left|right|top|bottom)(?: side)?\b(?! of)")
SIZES = {"small": "small", "little": "small", "large": "large", "big": "large"}
SIDES = {"over": "above", "under": "below", "beneath": "below"}


def phrases(caption):
    """The (size or None, color, shape) of each mention, in order."""
    return [
        (SIZES.get(match["size"]), match["color"], match["shape"])
        for match in PHRASE.finditer(caption.lower())
    ]


def places(caption):
    """Where in the image each mention is said to be, in order; empty where nothing is said."""
    return [match["place"] for match in PLACE.finditer(caption.lower())]


def claims(caption):
    """The (mention, relation, mention) triples that a caption states, mentions by number."""
    text = caption.lower()
    tokens = [(m.start(), "noun", None) for m in PHRASE.finditer(text)]
    for match in RELATION.finditer(text):
        word = match["side"] or match["word"]
        tokens.append((match.start(), "relation", SIDES.get(word, word)))
    tokens.sort()
    kinds = "".join("N" if kind == "noun" else "R" for _, kind, _ in tokens)
    sides = [side for _, _, side in tokens if side]
    if kinds == "N" or places(caption):
        assert not sides, caption
        return []
    if kinds == "NRN":
        return [(0, sides[0], 1)]
    if kinds == "RNN":
        return [(1, sides[0], 0)]
    if kinds == "NRNNRN":
        return [(0, sides[0], 1), (2, sides[1], 3)]
    assert kinds == "NRNRN", caption
    subject = 1 if "which" in text else 0
    return [(0, sides[0], 1), (subject, sides[1], 2)]


def holds(one, side, other, tolerance):
    """Whether ``one`` lies ``side`` of ``other``, at most ``tolerance`` off the axis."""
    right, down = one["x"] - other["x"], one["y"] - other["y"]
    along, off = {
        "left": (-right, down),
        "right": (right, down),
        "above": (-down, right),
        "below": (down, right),
    }[side]
    return along > 0 and abs(off) <= tolerance * along


def is_at(thing, place, tolerance):
    """Whether a thing is on a side of the middle; a tolerance above 1 stretches the side."""
    off_center = {
        "left": 0.5 - thing["x"],
        "right": thing["x"] - 0.5,
        "top": 0.5 - thing["y"],
        "bottom": thing["y"] - 0.5,
    }[place]
    return off_center >= (0.03 if tolerance < 1 else -0.03)


def is_true(caption, objects, tolerance):
    """With a small tolerance plainly true; false with a large one is plainly false."""
    where = places(caption)  # of the first things; a half-truth may leave out the last one's
    assert len(where) <= len(phrases(caption)), caption
    found = []
    for size, color, shape in phrases(caption):
        matching = [
            thing
            for thing in objects
            if (thing["color"], thing["shape"]) == (color, shape) and size in (None, thing["size"])
        ]
        if len(matching) != 1:
            return False
        found += matching
    if not all(is_at(thing, place, tolerance) for thing, place in zip(found, where, strict=False)):
        return False
    return all(
        holds(found[one], side, found[other], tolerance) for one, side, other in claims(caption)
    )
