"""Two images side by side with captions of both, as CLIC trains on (arXiv 2505.24424).

The images do not belong together, so a word exchanged between their captions makes a false one
without any knowledge of language. Nothing heavy is imported here.
"""

import random
import re
from typing import Any

from hnclip_cli.streams.records import Record, shorten

JOINED = "joined"  # the source in `texts.SOURCES`
NUM_VIEWS = 4  # true captions of two joined images
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def read(record: Record) -> dict[str, Any]:
    """The first sentence with its words, and all further sentences; nothing without ``words``."""
    if "words" not in record:
        return {}
    first, *more = _SENTENCE_END.split(record.caption.strip())
    start = record.caption.index(first)
    others = record.texts("captions") if "captions" in record else []
    words = []
    for word in record.field("words", list):
        is_word = isinstance(word, list) and list(map(type, word)) == [int, int, str]
        if not (is_word and 0 <= word[0] < word[1] <= len(record.caption)):
            raise record.error(
                "a word is none of the caption", got=shorten(word), expected="[start, end, class]"
            )
        if start <= word[0] and word[1] <= start + len(first):
            words.append([word[0] - start, word[1] - start, word[2]])
    more += [text for text in others if text != record.caption]
    return {"first": first, "words": words, "more": more}


def draw(one: dict[str, Any], generator: random.Random, other: dict[str, Any]) -> dict[str, Any]:
    """``views``, up to four captions of both images, and ``crossed``, a false one.

    p₁ and p₂ are the first sentences in both orders, p₃ and p₄ a further one of each.
    """
    firsts = [one["first"], other["first"]]
    views = [_joined(firsts), _joined(firsts[::-1])]
    for _ in range(2 if one["more"] and other["more"] else 0):
        pair = [generator.choice(one["more"]), generator.choice(other["more"])]
        generator.shuffle(pair)
        views.append(_joined(pair))
    crossed = _exchanged(one, other, generator)
    generator.shuffle(crossed)
    return {"views": views, "crossed": [_joined(crossed)] if crossed else []}


def _exchanged(one: dict[str, Any], other: dict[str, Any], generator: random.Random) -> list[str]:
    """Both first sentences with a word of one class exchanged; [] where they have the same words.

    Where they share no class of words, any two words are exchanged.
    """

    def own(side: dict[str, Any], beside: dict[str, Any], any_word: bool) -> list[list[Any]]:
        said = set(re.findall(r"\w+", beside["first"].lower()))
        found = side["words"]
        if any_word:
            found = [[*match.span(), ""] for match in re.finditer(r"\w+", side["first"])]
        return [word for word in found if side["first"][word[0] : word[1]].lower() not in said]

    for any_word in (False, True):
        pairs = [
            (here, there)
            for here in own(one, other, any_word)
            for there in own(other, one, any_word)
            if here[2] == there[2]
        ]
        if pairs:
            here, there = generator.choice(pairs)
            words = one["first"][here[0] : here[1]], other["first"][there[0] : there[1]]
            return [_replaced(one, here, words[1]), _replaced(other, there, words[0])]
    return []


def _replaced(side: dict[str, Any], word: list[Any], text: str) -> str:
    first: str = side["first"]
    return first[: word[0]] + text + first[word[1] :]


def _joined(sentences: list[str]) -> str:
    return " ".join(text if text[-1:] in ".!?" else f"{text}." for text in sentences)
