"""What a caption denies: the words in the scope of "no", "not", "without" and the like.

Another word there would leave the negative as true as its caption: a street with no cars has no
trucks either. Where tags leave the end of a scope open, it is the later one.
"""

from hnclip_cli.language.caption import Caption, once
from hnclip_cli.negatives.analysis.nouns import noun_at

# These deny a clause, or the noun phrase that follows where they stand after a preposition.
_OF_CLAUSES = {
    *("no", "not", "n't", "n’t", "nt", "never", "none", "nobody", "noone", "nothing", "nowhere"),
    *("neither", "nor", "cannot", "hardly", "barely", "scarcely", "rarely", "seldom"),
}
_OF_PHRASES = {"without", "w/o", "lacking", "lacks", "minus"}
_PAIRS_OF_PHRASES = {
    *(("free", "of"), ("lack", "of"), ("empty", "of"), ("instead", "of"), ("absence", "of")),
    *(("devoid", "of"), ("void", "of"), ("bare", "of"), ("clear", "of"), ("rather", "than")),
    *(("opposed", "to"), ("missing", "a"), ("missing", "an"), ("missing", "its")),
    *(("missing", "his"), ("missing", "her"), ("missing", "their"), ("missing", "the")),
}
# These deny what a form of "be" before them says them of: "the table is absent".
_OF_SUBJECTS = {"absent", "missing", "nowhere"}
_BE = {"is", "are", "was", "were"}
# Behind these there are a few.
_BEFORE_SOME = {
    "a",
    "an",
    "the",
    "these",
    "those",
    "quite",
    "last",
    "first",
    "past",
    "next",
    "every",
}
_BEGINNINGS = {"few"} | _OF_CLAUSES | _OF_PHRASES | _OF_SUBJECTS
_BEGINNINGS |= {first for first, _ in _PAIRS_OF_PHRASES}
_CONJUNCTIONS = {"that", "while", "as", "if", "because", "although", "though", "whether", "since"}
_ENDS = {*".;!?:", "but", "while", "whereas", "except", "besides", "although", "though", "because"}
_LIST_TAGS = ("NN", "JJ", ",")
_FINITE = {"VBZ", "VBP", "VBD", "MD"}
_RELATIVE = ("WDT", "WP", "WRB")
_DETERMINERS = ("DT", "CD", "PRP$")


@once
def denied(caption: Caption) -> list[tuple[int, int]]:
    """The characters [start, end) of each scope, with the word that denies."""
    if _BEGINNINGS.isdisjoint(caption.lowers):
        return []
    found: list[tuple[int, int]] = []
    for index, word in enumerate(caption.words):
        size = _size(caption, index)
        if size and not (found and word.start < found[-1][1]):
            is_phrase = word.lower not in _OF_CLAUSES or _follows_preposition(caption, index)
            first = _first(caption, index, is_phrase)
            stop = _Scope(caption, index, index + size, is_phrase).stop()
            found.append((caption.words[first].start, caption.words[stop - 1].end))
    return found


def _size(caption: Caption, index: int) -> int:
    """How many words deny, if some do here."""
    lower = caption.lower(index)
    if lower in _OF_CLAUSES or lower in _OF_PHRASES:
        return 1
    if lower == "few" and caption.lower(index - 1) not in _BEFORE_SOME:
        return 1
    if (lower, caption.lower(index + 1)) in _PAIRS_OF_PHRASES:
        return 1 if lower == "missing" else 2
    return int(_denies_subject(caption, index))


def _denies_subject(caption: Caption, index: int) -> bool:
    pair = caption.lower(index), caption.lower(index + 1)
    if pair[0] not in _OF_SUBJECTS or pair in _PAIRS_OF_PHRASES:
        return False
    while caption.tag(index - 1) == "RB":
        index -= 1
    return caption.lower(index - 1) in _BE


def _follows_preposition(caption: Caption, index: int) -> bool:
    return caption.tag(index - 1) == "IN" and caption.lower(index - 1) not in _CONJUNCTIONS


def _clause_start(caption: Caption, index: int) -> int:
    """Where the clause begins, as far as marks and conjunctions show."""
    while index and not (
        caption.lower(index - 1) in _ENDS or caption.tag(index - 1) in ("CC", *_RELATIVE)
    ):
        index -= 1
    return index


def _first(caption: Caption, index: int, is_phrase: bool) -> int:
    """The first word that is denied: "on the table there is no cup" says so of the table."""
    start = _clause_start(caption, index)
    if _denies_subject(caption, index):
        return start
    if is_phrase:
        return index
    if any(caption.lower(place) == "there" for place in range(start, index)):
        return start
    return index - 1 if index and caption.lower(index) in ("n't", "n’t", "nt") else index


def _awaits_verb(caption: Caption, index: int) -> bool:
    """Whether the verb of the clause may follow: not in "a man not wearing a hat"."""
    is_before_verb = caption.lower(index) in ("not", "never") and index > 0
    return not is_before_verb or caption.tag(index + 1) in _FINITE


class _Scope:
    """Finds the end of a scope.

    Args:
        caption: holds it.
        index: the first word that denies.
        after: the word behind those that deny.
        is_phrase: whether they deny a noun phrase, and no clause.
    """

    def __init__(self, caption: Caption, index: int, after: int, is_phrase: bool) -> None:
        self._caption, self._after, self._is_phrase = caption, after, is_phrase
        before = range(_clause_start(caption, index), index)
        # "no dogs are …" denies its verb too, "there are no dogs …" has had it.
        has_verb = any(caption.tag(i) in _FINITE for i in before)
        self._may_have_verb = not is_phrase and not has_verb and _awaits_verb(caption, index)
        self._joint = 0  # the last "and" before a determiner

    def stop(self) -> int:
        """The word behind the last one of the scope."""
        index = self._after
        while index < len(self._caption.words) and not self._ends(index):
            index += 1
        is_next_clause = self._joint and self._caption.tag(index) in _FINITE
        return self._joint if is_next_clause else index

    def _ends(self, index: int) -> bool:
        caption = self._caption
        lower, tag = caption.lower(index), caption.tag(index)
        if lower in _ENDS:
            return True
        if lower == ",":
            return not self._goes_on(index + 1)
        if lower in ("and", "&"):
            return self._ends_before_and(index)
        if tag in _FINITE:
            return self._ends_before_verb(index)
        return self._is_phrase and self._ends_phrase(index)

    def _goes_on(self, index: int) -> bool:
        """Whether a list goes on after a comma: "no cars, people or dogs"."""
        caption = self._caption
        while caption.tag(index).startswith(_LIST_TAGS):
            index += 1
        return caption.lower(index) in ("or", "nor") or (
            caption.lower(index) == "and" and not caption.tag(index + 1).startswith(_DETERMINERS)
        )

    def _ends_before_and(self, index: int) -> bool:
        caption = self._caption
        if caption.tag(index + 1) in _FINITE:
            return True
        if caption.tag(index + 1).startswith(_DETERMINERS):
            self._joint = index
            said = range(self._after, index)
            return not any(caption.tag(i).startswith(_DETERMINERS) for i in said)
        return self._is_phrase and caption.tag(index + 1).startswith("VB")

    def _ends_before_verb(self, index: int) -> bool:
        caption = self._caption
        if caption.tag(index - 1) in _RELATIVE or caption.lower(index - 1) == "that":
            return False
        if self._may_have_verb:
            self._may_have_verb = False
            return False
        return True

    def _ends_phrase(self, index: int) -> bool:
        """Whether what follows belongs to the one who is without: a man without a hat walking."""
        caption = self._caption
        if index == self._after:
            return False
        if caption.lower(index) == "with":
            return True
        tag = caption.tag(index)
        noun = noun_at(caption, index - 1)
        if noun is None or noun.is_animate or noun.family.name == "vehicle":
            return False
        is_worn = "worn" in noun.family.traits
        return tag == "VBG" or (is_worn and tag == "IN" and caption.lower(index) != "of")
