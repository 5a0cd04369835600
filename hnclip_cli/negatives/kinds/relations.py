"""The kind that turns a relation around: left/right, above/below, in front of/behind, …"""

from collections.abc import Iterator

from hnclip_cli.language.caption import Caption
from hnclip_cli.negatives.analysis.rewriting import Span, replace
from hnclip_cli.streams.edits import Edit

_DEPTHS = {"foreground", "background"}
_SIDES = {"left", "right", "top", "bottom"}
_CHANGING = {"not", "no", "all", "left", "from", "very", "so", "n't", "half"}


def flip_relation(caption: Caption) -> Iterator[list[Edit]]:
    """Turn one directed relation around: left to right, above to below, and so on."""
    flips = caption.lexicon.relations.flips_for(caption.lowers)
    if not flips:
        return
    text, borders = _joined(caption)
    done: set[Span] = set()
    for flip in flips:
        for match in flip.pattern.finditer(text):
            first, stop = borders.get(match.start("x")), borders.get(match.end("x") + 1)
            if first is None or stop is None:
                continue
            if flip.instead in _DEPTHS & caption.lowers:
                continue
            # What is said of the other side may be of the same image: "left: …, right: …".
            if flip.instead.split()[-1] in _SIDES & caption.lowers:
                continue
            if (first, stop) not in done and _is_relation(caption, first, stop):
                yield [replace(caption, (first, stop), flip.instead)]
                done.add((first, stop))


def _joined(caption: Caption) -> tuple[str, dict[int, int]]:
    """The words joined by single spaces, and the index of the word that begins at each place."""
    borders: dict[int, int] = {}
    position = 0
    for index, word in enumerate(caption.words):
        borders[position] = index
        position += len(word.lower) + 1
    borders[position] = len(caption.words)
    return " ".join(word.lower for word in caption.words), borders


def _is_relation(caption: Caption, first: int, stop: int) -> bool:
    """Whether the words are a relation here, rather than a verb, a name or half a word."""
    if caption.touches_hyphen(first, stop) or not caption.has_plain_case(first):
        return False
    if caption.lower(first - 1) in _CHANGING:
        return False
    # "the cup left on the counter" is a verb.
    return not (stop - first == 1 and caption.tag(first).startswith("VB"))
