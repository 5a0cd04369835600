"""Forms of English verbs that captions use: sit, sits, sitting."""

import re
from functools import cache

from hnclip_cli.lexicon.actions import VERBS

BASE, THIRD, ING = "base", "third", "ing"

_IRREGULAR = {"lie": "lying", "die": "dying", "tie": "tying"}
# One syllable that ends in one short vowel and one consonant doubles it: sit, run, chop.
_DOUBLES = re.compile(r"[^aeiou]*(?:[aeiou]|qu[aeiou])[bdgklmnprt]")


def inflected(verb: str, form: str) -> str:
    """A regular verb in another form: ``inflected("sit", ING)`` is "sitting"."""
    if form == THIRD:
        if re.search(r"(s|x|z|ch|sh|o)$", verb):
            return verb + "es"
        return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"
    if form == ING:
        if verb in _IRREGULAR:
            return _IRREGULAR[verb]
        if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
            return verb[:-1] + "ing"
        return verb + (verb[-1] if _DOUBLES.fullmatch(verb) else "") + "ing"
    return verb


def forms(verb: str) -> dict[str, str]:
    """Every form of a verb, and which it is."""
    return {inflected(verb, form): form for form in (BASE, THIRD, ING)}


@cache
def actions() -> dict[str, str]:
    """Forms of the known verbs that are seldom nouns: the action, whichever synonym names it."""
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, VERBS.splitlines())):
        verbs = line.split()
        for verb in verbs:
            found[inflected(verb, ING)] = found[inflected(verb, THIRD)] = f"to {verbs[0]}"
    found["seated"], found["parked"] = "to sit", "to park"
    return found
