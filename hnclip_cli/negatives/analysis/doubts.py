"""What a caption leaves open: alternatives, guesses, corrections, and questions.

Another word there need not make it false: where there is "a cake or a pie", or "possibly a trout",
there may be something else.
"""

from hnclip_cli.language.caption import Caption, once

_GUESSES = {"possibly", "perhaps", "maybe", "probably", "presumably", "might", "supposedly"}
_GUESSES_OF_TWO = {
    *(("could", "be"), ("may", "be"), ("i", "guess"), ("i", "think"), ("i", "believe")),
    *(("i", "suppose"), ("not", "sure")),
}
_PAST = ("used", "to")
_CORRECTIONS = {("no", "no"), ("i", "mean"), ("or", "rather"), ("sorry", ","), ("oops", ",")}
_ALTERNATIVES = {"or", "and/or", "either", "versus", "vs", "vs."}
_ASKING = {
    *("is", "are", "was", "were", "do", "does", "did", "has", "have", "can", "could", "will"),
    *("would", "should", "shall", "may", "am", "isn't", "aren't"),
}
_MARKS = (
    _GUESSES
    | _ALTERNATIVES
    | {"?", _PAST[0]}
    | {first for first, _ in _GUESSES_OF_TWO | _CORRECTIONS}
)
_ENDS = {*".,;:!?", "and", "but", "while"}
_PHRASE = ("DT", "NN", "JJ", "CD", "PRP$", "VBN", "HYPH", "POS", "PDT", ",")


@once
def doubted(caption: Caption) -> list[tuple[int, int]]:
    """The characters [start, end) of each part that is left open; needs tags."""
    if _MARKS.isdisjoint(caption.lowers):
        return []
    found = []
    for index, word in enumerate(caption.words):
        pair = word.lower, caption.lower(index + 1)
        if word.lower in _ALTERNATIVES:
            found.append(_alternatives(caption, index))
        elif word.lower in _GUESSES or pair in _GUESSES_OF_TWO:
            # "A fish, possibly a trout": no bird may stand for the fish.
            first = caption.run_start(index, _PHRASE) if caption.lower(index - 1) == "," else index
            found.append((first, _clause_stop(caption, index + 1)))
        elif pair == _PAST:  # no image shows it
            found.append((index, _clause_stop(caption, index + 2)))
        elif pair in _CORRECTIONS:
            found.append((caption.run_start(index, _PHRASE), index + 1))
        elif word.text == "?":
            first = _sentence_start(caption, index)
            if caption.lower(first) in _ASKING:
                found.append((first, index + 1))
    words = caption.words
    return [(words[first].start, words[stop - 1].end) for first, stop in found]


def _alternatives(caption: Caption, index: int) -> tuple[int, int]:
    """The words [first, stop) of what stands around "or": phrases, or actions and their objects."""
    first, stop = caption.run_start(index, _PHRASE), index + 1
    if caption.tag(stop).startswith("VB"):
        while (
            first and not caption.tag(first).startswith("VB") and caption.lower(first) not in _ENDS
        ):
            first -= 1
        stop += 1
    return first, max(stop, caption.run_stop(stop, _PHRASE))


def _clause_stop(caption: Caption, index: int) -> int:
    while index < len(caption.words) and caption.lower(index) not in _ENDS:
        index += 1
    return index


def _sentence_start(caption: Caption, index: int) -> int:
    while index and not caption.starts_sentence(index):
        index -= 1
    return index
