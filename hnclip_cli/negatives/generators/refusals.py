"""Why a negative that a language model wrote is not taken.

The lexicon does not know every word that a model may use; so unlike a lexicon candidate, which is
known to be false, a written negative is taken unless something is known against it.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, product, starmap

from hnclip_cli.language.caption import Caption
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.lexicon.nouns import Noun
from hnclip_cli.negatives.analysis.relations import order_matters
from hnclip_cli.negatives.choosing.truth import facts
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.edits import Edit

# A negative may change this many words, or this part of the caption's words.
MAX_CHANGED_WORDS = 2
MAX_CHANGED_PART = 0.5

# Whether these say something new depends on the words between.
_NOUN_SWAPS = {"swap-noun", "swap-noun-phrase"}

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_ARTICLES = {"a", "an", "the"}
_DENYING = {"no", "not", "without", "never", "nothing", "nobody", "none", "cannot", "neither"}
_DESCRIBING = ("DT", "JJ", "PRP$", "CD", "VBN", "PDT")


def refusal(kind: str, caption: Caption, negative: str, edits: Sequence[Edit]) -> str:
    """What speaks against a negative of this kind, as the model says: a few words, or "".

    What no negative may change is not looked at: `Kind.refusal` says it of all.
    """
    if not negative.strip() or not edits:
        return "nothing changed"
    if any(not letter.isprintable() and letter not in caption.text for letter in negative):
        return "control characters"
    lexicon = caption.lexicon
    old, new = content_words(caption.text), content_words(negative)
    if [_sense(word, lexicon) for word in old] == [_sense(word, lexicon) for word in new]:
        return "it says the same"
    removed, added = Counter(old) - Counter(new), Counter(new) - Counter(old)
    num_changed = max(removed.total(), added.total())
    if num_changed > max(MAX_CHANGED_WORDS, math.ceil(MAX_CHANGED_PART * len(old))):
        return "too far from the caption"
    if not _is_of_kind(kind, removed, added, lexicon) or (
        KINDS[kind].change == "add" and not _is_subsequence(old, new)
    ):
        return "another kind than it says"
    if facts(" ".join(added), lexicon) & facts(caption.text, lexicon):
        return "it puts in what is there already"
    if _may_be_true(removed, added, lexicon):
        return "it may be true as well"
    if kind in _NOUN_SWAPS and not _matters(caption, edits):
        return "it says the same in another order"
    return ""


def content_words(text: str) -> list[str]:
    """The words of a text in lower case, without articles."""
    return [word for word in _WORD.findall(text.lower()) if word not in _ARTICLES]


def _sense(word: str, lexicon: Lexicon) -> str:
    """What a word means: synonyms, and singular and plural, have one sense."""
    if word in lexicon.attributes.looks:
        return lexicon.attributes.looks[word]
    if word in lexicon.nouns.forms:
        return lexicon.nouns.forms[word].key
    action = lexicon.verbs.actions.get(word)
    return action or (word[:-1] if word.endswith("s") and len(word) > 3 else word)


def _is_of_kind(kind: str, removed: Counter[str], added: Counter[str], lexicon: Lexicon) -> bool:
    denies = any(word in _DENYING or word.endswith(("n't", "n’t")) for word in added)
    change = KINDS[kind].change
    if change == "swap":
        return not removed and not added
    if change == "deny":
        return denies
    if change == "add":
        return bool(added) and not denies
    if KINDS[kind].of == "color" and not all(_are_colors(w, lexicon) for w in (removed, added)):
        return False
    return bool(removed) and bool(added) and not denies


def _are_colors(words: Counter[str], lexicon: Lexicon) -> bool:
    known = lexicon.attributes.looks.keys() | lexicon.words["shade"]
    return bool(_looks(words, lexicon)) and words.keys() <= known


def _is_subsequence(old: list[str], new: list[str]) -> bool:
    rest = iter(new)
    return all(word in rest for word in old)


def _may_be_true(removed: Counter[str], added: Counter[str], lexicon: Lexicon) -> bool:
    """Whether a color is near the one that it replaces, or one noun includes the other."""
    near, nouns = lexicon.attributes.near, lexicon.nouns.forms
    if any(starmap(near, product(_looks(removed, lexicon), _looks(added, lexicon)))):
        return True
    named = ([nouns[word] for word in words if word in nouns] for words in (removed, added))
    return any(starmap(_are_nested, product(*named)))


def _looks(words: Counter[str], lexicon: Lexicon) -> set[str]:
    looks = lexicon.attributes.looks
    return {looks[word] for word in words if word in looks}


def _are_nested(one: Noun, other: Noun) -> bool:
    """Whether both may name one thing: they are synonyms, or one is general and includes both."""
    if one.key == other.key:
        return True
    if not one.is_general and not other.is_general:
        return False
    if one.is_animate and other.is_animate:
        return one.is_human == other.is_human
    return one.family == other.family


def _matters(caption: Caption, edits: Sequence[Edit]) -> bool:
    """Whether what was exchanged stood around a relation that has a direction.

    The relation is the longest run of words left as they are between two edits. Where a thing
    there keeps adjectives of its own, the exchange matters whatever the relation.
    """
    gaps = [
        [i for i, word in enumerate(caption.words) if end <= word.start and word.end <= start]
        for (_, end, _), (start, _, _) in pairwise(edits)
    ]
    gap = max(gaps, key=len, default=[])
    if not gap:
        return False
    first, stop = gap[0], gap[-1] + 1
    while stop > first and caption.tag(stop - 1).startswith(_DESCRIBING):
        stop -= 1
        if caption.tag(stop).startswith("JJ"):
            return True
    return stop > first and order_matters(caption, first, stop)
