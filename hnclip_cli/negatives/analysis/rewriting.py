"""From "this word instead of that" to exact edits, with case and articles put right."""

from collections.abc import Callable, Iterator, Sequence

from hnclip_cli.language.caption import Caption, Word, once
from hnclip_cli.lexicon.nouns import Noun
from hnclip_cli.lexicon.spelling import article, capitalize, cased_like, lower_first
from hnclip_cli.streams.edits import Edit

# Words [first, stop) of a caption.
Span = tuple[int, int]


def replace(caption: Caption, span: Span, text: str) -> Edit:
    """Put lower-case text in the place of some words, in their case."""
    first, stop = span
    start, end = caption.words[first].start, caption.words[stop - 1].end
    return start, end, cased_like(text, caption.text[start:end])


def swap(caption: Caption, one: Span, other: Span) -> Iterator[list[Edit]]:
    """Exchange two runs of words, unless the case of a moved word is unclear."""
    edits = []
    for here, there in ((one, other), (other, one)):
        text = _without_sentence_case(caption, there)
        if text is None:
            return
        start, end = caption.words[here[0]].start, caption.words[here[1] - 1].end
        if caption.starts_sentence(here[0]) and caption.text[start].isupper():
            text = capitalize(text)
        edits.append((start, end, text))
    yield edits


def renamed(
    caption: Caption,
    index: int,
    nouns: Sequence[Noun],
    edits_for: Callable[[Noun], list[Edit] | None],
) -> list[list[Edit]]:
    """The edits that name each noun in the place of the one at a word.

    Where the caption knows what is usual in it, those that are; if there are none, the least odd.

    Args:
        caption: to be changed.
        index: of the head word that is replaced.
        nouns: that may stand for it.
        edits_for: gives the edits; None where a noun may not stand there.
    """
    if caption.gaps is None:
        return list(filter(None, map(edits_for, nouns)))
    found: list[list[Edit]] = []
    for noun, loss in caption.gaps.ranked(index, nouns):
        if loss > caption.gaps.max_loss and found:
            break
        edits = edits_for(noun)
        if edits:
            caption.gaps.known[edits[0]] = loss
            found.append(edits)
    return found


def with_articles(caption: Caption, edits: Sequence[Edit]) -> list[Edit]:
    """Add the edits that make a/an before changed words agree with them, in order of place."""
    articles = _articles(caption)
    added = []
    for changed_start, _, changed in edits:
        word = articles.get(changed_start)
        if word is None:
            continue
        if any(start <= word.start < end for start, end, _ in edits):  # it is rewritten itself
            continue
        right = article(changed.lower() if caption.text.isupper() else changed)
        if right != word.lower:
            added.append((word.start, word.end, _article_case(right, word.text, caption)))
    return sorted([*edits, *added]) if added or len(edits) > 1 else list(edits)


@once
def _articles(caption: Caption) -> dict[int, Word]:
    """Each a or an, by the place where the next word starts."""
    words = caption.words
    return {
        words[index + 1].start: word
        for index, word in enumerate(words[:-1])
        if word.lower in ("a", "an") and word.tag in ("DT", "")
    }


def _article_case(right: str, old: str, caption: Caption) -> str:
    if old.islower():
        return right
    return right.upper() if caption.text.isupper() else capitalize(right)


def _without_sentence_case(caption: Caption, span: Span) -> str | None:
    """The words as they would stand in the middle of a sentence."""
    text = caption.span(*span)
    word = caption.words[span[0]]
    if not text[:1].isupper() or caption.is_capitalized or not caption.starts_sentence(span[0]):
        return text
    is_name = len(word.text) > 1 and not word.text[1:].islower()
    if is_name or word.lower in caption.lexicon.words["proper"]:
        return text
    if (
        word.tag in ("NNP", "NNPS")
        and word.lower not in ("a", "an", "the", "two", "three")
        and word.lower not in caption.lexicon.attributes.looks
        and word.lower not in caption.lexicon.nouns.forms
    ):
        return None
    return lower_first(text)
