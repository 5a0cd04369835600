"""Names in a caption: fixed ones of several words (fixed.tsv), brands, places, and titles."""

import re
from itertools import islice

from hnclip_cli.language.caption import Caption, once

_PROPER = ("NNP", "NNPS")
_MIXED = re.compile(r"[a-z].*[A-Z]|[A-Z]{2,}.*[a-z]{2}")
# "12K" and "S21", but no "2nd", "10am" or "1950s".
_WITH_DIGITS = re.compile(r"(?=.*[^\W\d_])(?=.*\d)(?!\d+(?:st|nd|rd|th|s|am|pm)$).+", re.IGNORECASE)
# Behind these a text begins anew, also with a capital.
_BREAKS = {*"-–—|/;(#•·*", "--"}
_MODELS = {"pro", "max", "plus", "mini", "ultra"}
# What stands between quotation marks; an inch or an apostrophe stands behind a letter or a digit.
_QUOTED = re.compile(r"""(?<!\w)(?:"[^"]+"|“[^”]+”|«[^»]+»|'[^\s'][^']*'|‘[^’]+’)(?!\w)""")

_OLD = re.compile(r"\b1\d{3}\b|\b\d\dth [cC]entury")

# Words [first, stop).
Name = tuple[int, int]


@once
def fixed_names(caption: Caption) -> list[Name]:
    """The names of fixed.tsv, longest match first, in order."""
    known = caption.lexicon.fixed
    found: list[Name] = []
    for index, word in enumerate(caption.words):
        if word.lower in known and not (found and index < found[-1][1]):
            stops = (
                index + 1 + len(others)
                for others in known[word.lower]
                if all(caption.lower(place) == one for place, one in enumerate(others, index + 1))
            )
            found += [(index, stop) for stop in islice(stops, 1)]
    return found


@once
def quoted(caption: Caption) -> list[tuple[int, int]]:
    """The characters [start, end) of titles and of what is written somewhere, by their marks.

    A whole caption in Title Case that has a year long ago is the title of a work.
    """
    if _OLD.search(caption.text) and _is_title(caption):
        return [(0, len(caption.text))]
    found = [match.span() for match in _QUOTED.finditer(caption.text)]
    return [(start, end) for start, end in found if end - start < len(caption.text.strip())]


@once
def proper_names(caption: Caption) -> list[Name]:
    """The names of brands, models, people and places, as tags and letters show them.

    A word is one if it is tagged so and no table knows it, if its capitals are mixed ("iPhone"), if
    it has letters and digits, or if a number is its own ("runway 27"). In a sentence the capital of
    a noun is enough. What stands beside it in capitals, and a number or a noun right behind it,
    belongs to it; a common word of a caption in Title Case does not.
    """
    text = caption.text
    has_digits = any(map(str.isdecimal, text))
    if not has_digits and text[1:] == text[1:].lower():
        return []
    is_part = [_is_name(caption, index) for index in range(len(caption.words))]
    if True not in is_part:
        return []
    found: list[Name] = []
    index = 0
    while index < len(is_part):
        if not is_part[index]:
            index += 1
            continue
        first, stop = index, index + 1
        while first and (not found or first > found[-1][1]) and _joins(caption, first - 1):
            first -= 1
        while stop < len(is_part) and (
            is_part[stop] or _joins(caption, stop) or _is_within(caption, stop, is_part)
        ):
            stop += 1
        is_sure = stop - first > 1 or not _starts(caption, first)
        if is_sure and not _is_title(caption) and not caption.words[stop - 1].text.islower():
            stop = caption.run_stop(stop, ("NN",))  # "a Vespa scooter"
        found.append((first, stop))
        index = stop
    return found


def _is_name(caption: Caption, index: int) -> bool:
    word = caption.words[index]
    if _WITH_DIGITS.fullmatch(word.text) or _is_numbered(caption, index):
        return True
    if not word.text[0].isalpha() or word.text.islower() or caption.text.isupper():
        return False
    if _MIXED.search(word.text):
        return True
    is_upper = word.text.isupper() and len(word.text) > 1
    if word.is_noun and not is_upper and not _starts(caption, index) and not _is_title(caption):
        return word.lower not in caption.lexicon.words["proper"]
    return (word.tag in _PROPER or is_upper) and not _is_common(caption, word.lower)


def _is_numbered(caption: Caption, index: int) -> bool:
    """Whether the number behind a noun says which one it is: "runway 27", not "a set 80 pieces"."""
    if not caption.words[index].is_noun or not caption.lower(index + 1)[:1].isdecimal():
        return False
    return caption.tag(index) != "NNS" and not caption.tag(index + 2).startswith(("NN", "JJ"))


def _starts(caption: Caption, index: int) -> bool:
    """Whether a capital is due here, whatever the word."""
    return caption.starts_sentence(index) or caption.lower(index - 1) in _BREAKS


def _is_common(caption: Caption, lower: str) -> bool:
    """Whether some table knows the word."""
    lexicon = caption.lexicon
    return (
        lower in lexicon.nouns.by_first_word
        or lower in lexicon.nouns.forms
        or lower in lexicon.attributes.describing
        or lower in lexicon.verbs.actions
        or lower in lexicon.verbs.rule_forms
    )


def _joins(caption: Caption, index: int) -> bool:
    """Whether a word beside a name belongs to it by its capital."""
    word = caption.words[index]
    if not word.text[0].isupper() or caption.text.isupper():
        return False
    if word.lower in caption.lexicon.words["proper"]:
        return False
    if _is_title(caption):
        return word.tag in _PROPER and not _is_common(caption, word.lower)
    return word.is_noun or word.tag.startswith("JJ")


@once
def _is_title(caption: Caption) -> bool:
    """Whether capitals say nothing; a few words in capitals around a name are no title."""
    nouns = (word for word in caption.words if word.is_noun)
    return caption.is_capitalized and not any(word.text.islower() for word in nouns)


def _is_within(caption: Caption, index: int, is_part: list[bool]) -> bool:
    """Whether a word behind a part of a name says which model it is, or another part follows."""
    word = caption.words[index]
    if word.text[0].isdecimal() or word.lower in _MODELS:
        return True
    return word.text[0].isupper() and is_part[index + 1 : index + 2] == [True]
