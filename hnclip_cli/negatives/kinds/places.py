"""Kinds that put a thing elsewhere: another relation to the same thing, or another place."""

import re
from collections.abc import Iterator
from functools import cache

from hnclip_cli.language.caption import Caption, Mention
from hnclip_cli.lexicon.nouns import nouns, rivals
from hnclip_cli.lexicon.objects import PLACES
from hnclip_cli.negatives.analysis.relations import RESTING
from hnclip_cli.negatives.analysis.rewriting import Span, replace
from hnclip_cli.negatives.kinds.replacements import before_phrase, named_things
from hnclip_cli.streams.edits import Edit

# The relations that a caption may be given, each with all words that say the same. The first may
# stand for another relation.
RELATIONS: dict[str, tuple[str, ...]] = {
    "on": ("on top of", "on", "atop", "upon", "onto"),
    "in": ("in", "inside", "inside of", "into", "within"),
    "beside": ("next to", "near", "beside", "by", "alongside", "close to"),
    "before": ("in front of",),
    "behind": ("behind",),
    "under": ("under", "underneath", "beneath", "below"),
    "at": ("at",),
    "through": ("through",),
    "across": ("across",),
}

_RELATION_STARTS = {words.split()[0] for group in RELATIONS.values() for words in group}

# What the place is, the relation to it, and what excludes that relation there.
_PLACEMENTS = """
    support: on => next to | under
    support: beside => on | under
    support: under => on | next to
    support: before => on | under
    support: behind => on | under
    table: at => on | under
    vessel: in => next to | under
    vessel: beside => in | on
    vehicle: on => next to | in front of
    vehicle: in => next to | behind
    vehicle: beside => on | in
    vehicle: before => on | in
    vehicle: behind => on | in
    ground: beside => on
    ground: on => next to
    ground: across => next to
    ground: in => next to
    ground: through => next to
    open: beside => in
    open: before => in
    open: through => next to
    open: in => next to
    room: beside => in
    room: in => next to
    house: beside => on | in
    house: before => on | in
    house: in => next to | behind
    house: on => next to | in front of
    house: behind => on | in
    post: beside => on
    post: before => on
    post: on => next to
    cover: under => next to | on
    cover: beside => under | on
    tree: in => next to | under
    tree: under => in | next to
    tree: beside => in
    tree: behind => in
    tree: before => in
    creature: beside => on
    creature: before => on
    creature: behind => on
    creature: on => next to | behind
"""

_KINDS_OF_PLACE = {
    "support": "table desk counter bed couch chair bench shelf dresser stove toilet plate towel "
    "blanket rug pillow tray mat surfboard skateboard cabinet sofa suitcase keyboard "
    "laptop nightstand sink refrigerator stool box",
    "table": "table desk counter",
    "vessel": "bowl cup vase pot pan basket box jar sink bathtub bag glass suitcase mug "
    "container pitcher crate backpack",
    "vehicle": "car truck bus train boat motorcycle airplane tractor carriage bicycle",
    "ground": "beach sidewalk road street runway bridge grass hill mountain track court dock "
    "pier path ramp snow sand dirt tennis_court",
    "open": "field park water ocean river lake pool forest parking_lot yard garden city desert "
    "pond zoo",
    "room": "kitchen bathroom bedroom living_room office restaurant room store",
    "house": "house building church barn tower",
    "post": "fire_hydrant parking_meter mailbox statue sign stop_sign traffic_light fence wall "
    "tower clock_tower clock",
    "cover": "umbrella bridge tent",
    "tree": "tree bush",
    "creature": "elephant horse giraffe cow bear zebra dog cat sheep",
}

# "on a leash", "in a suit", "by a man": these words before a relation make it something else.
_ACTING = {
    "going", "coming", "getting", "gets", "get", "goes", "comes", "looking", "looks", "look",
    "made", "driven", "pulled", "ridden", "used", "held", "worn", "turning", "turned", "taken",
    "talking", "moving", "working", "based", "right", "just", "left", "not", "parked", "out", "up",
    "down", "pictures", "picture", "photo", "painting", "view", "eaten", "passing", "passes",
    "drives", "driving", "followed", "covered", "surrounded", "displayed", "end", "side", "all",
    "stuck", "written", "painted", "reflected", "reflection", "trying", "interested", "dressed",
}  # fmt: skip
_STAYING = {"parked", "displayed", "left", "driving", "drives"}
# Said of a field or a hill, hardly of a city or a street.
_OF_NATURE = {"grassy", "grass", "lush", "wooded", "sandy", "rocky"}
# Of the places that things are in, those that they are also at.
_VISITED = {"park", "pool", "river", "lake", "zoo", "parking lot"}
_ARTICLES = {"a", "an", "the", "his", "her", "their", "its", "some", "two", "another"}


def replace_relation(caption: Caption) -> Iterator[list[Edit]]:
    """Put a thing in another relation to what it is beside, on, in, under, …

    CE-CLIP's relation and SugarCrepe's replaced relation: another preposition, that excludes the
    first, for a place that allows both.
    """
    if caption.lowers.isdisjoint(_RELATION_STARTS):
        return
    things = {_start(caption, mention): mention for mention in caption.mentions}
    for span, relation in _relations(caption):
        mention = things.get(span[1])
        if relation == "beside" and caption.lower(span[1]) == "each" and _may_move(caption, span):
            yield [replace(caption, span, "on top of")]
        if mention is None or mention.modifies or not _may_move(caption, span):
            continue
        name = caption.lower(mention.head)
        if caption.lower(mention.stop) in ("of", "while") or name in caption.resumed:
            continue
        for text in _substitutes(mention.noun.key, relation):
            if text not in ("in", "on") or not mention.is_plural:
                yield [replace(caption, span, text)]


def replace_location(caption: Caption) -> Iterator[list[Edit]]:
    """Name another place, of those the preposition suits: Rösch et al.'s location."""
    for mention in caption.mentions:
        noun = mention.noun
        if noun.family not in PLACES or mention.modifies or mention.is_modified:
            continue
        if caption.lower(mention.head) in caption.resumed or not _is_where(caption, mention):
            continue
        described = caption.tag(mention.first - 1).startswith(("JJ", "NN", "VBN"))
        if noun.family == "ground" and described:  # "tall grass", "frozen water"
            continue
        if caption.lower(mention.first - 1) in _OF_NATURE:
            continue
        is_at = before_phrase(caption, mention.first) == "at"
        named = named_things(caption)
        for rival in rivals(noun):
            text = rival.form(mention.is_plural)
            if is_at and rival.family == "place in" and rival.singular not in _VISITED:
                continue
            if rival.key not in named and text:
                yield [replace(caption, (mention.first, mention.stop), text)]


def _is_where(caption: Caption, mention: Mention) -> bool:
    before = before_phrase(caption, mention.first)
    if caption.lower(mention.stop) in ("of", "with"):
        return False
    if mention.noun.family == "place on":
        return before in ("on", "near", "at", "behind", "beside", "overlooking", "across", "down")
    return before in ("in", "near", "at", "inside", "outside", "into", "through", "across")


def _relations(caption: Caption) -> Iterator[tuple[Span, str]]:
    """Relations in the caption, the longest name first."""
    stop = 0
    for index, word in enumerate(caption.words):
        if index < stop or word.lower not in _RELATION_STARTS:
            continue
        for length in (3, 2, 1):
            words = " ".join(caption.lower(i) for i in range(index, index + length))
            relation = _by_words().get(words)
            if relation:
                stop = index + length
                yield (index, stop), relation
                break


def _start(caption: Caption, mention: Mention) -> int:
    """Where the noun phrase of a mention begins; -1 where it needs an article and has none."""
    index = mention.first
    while index and caption.tag(index - 1).startswith(("JJ", "NN", "CD", "VBN", "HYPH")):
        index -= 1
    if caption.lower(index - 1) in _ARTICLES:
        return index - 1
    return index if mention.is_plural or mention.noun.is_mass else -1


def _may_move(caption: Caption, span: Span) -> bool:
    first = span[0]
    if first == 0 or caption.touches_hyphen(*span) or not caption.has_plain_case(first):
        return False
    before, tag = caption.lower(first - 1), caption.tag(first - 1)
    if before in _STAYING:
        return caption.lower(first) not in ("at", "in", "on")
    if before in _ACTING or before in ("and", ",", "or", "of", "with"):
        return False
    return tag.startswith(("NN", "VBG", "VBZ", "VBP", "PRP")) or before in RESTING


def _substitutes(key: str, relation: str) -> list[str]:
    found = [text for kind in _places().get(key, ()) for text in _placements()[kind, relation]]
    return list(dict.fromkeys(found))


@cache
def _by_words() -> dict[str, str]:
    return {words: name for name, group in RELATIONS.items() for words in group}


@cache
def _placements() -> dict[tuple[str, str], tuple[str, ...]]:
    table = {(kind, name): () for kind in _KINDS_OF_PLACE for name in RELATIONS}
    found: dict[tuple[str, str], tuple[str, ...]] = dict(table)
    for line in filter(None, map(str.strip, _PLACEMENTS.splitlines())):
        match = re.fullmatch(r"(\w+): (\w+) => (.+)", line)
        if match:
            found[match[1], match[2]] = tuple(match[3].split(" | "))
    return found


@cache
def _places() -> dict[str, tuple[str, ...]]:
    """For the key of a noun, the kinds of place that it is."""
    table: dict[str, list[str]] = {}
    for kind, names in _KINDS_OF_PLACE.items():
        for name in names.split():
            noun = nouns()[name.replace("_", " ")]
            if kind not in table.setdefault(noun.key, []):
                table[noun.key].append(kind)
    return {key: tuple(kinds) for key, kinds in table.items()}
