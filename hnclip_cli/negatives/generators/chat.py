"""Negatives that a language model writes: what it is asked, and how its answer is read."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.generators.answered import Answered
from hnclip_cli.negatives.generators.asking import Asker
from hnclip_cli.negatives.generators.replies import Passing
from hnclip_cli.negatives.generators.written import Draft, WrittenMaker
from hnclip_cli.saying import without_secrets
from hnclip_cli.streams.records import Record

SYSTEM = """\
You write hard negative captions. You get a caption that is true of a photograph, and kinds of \
changes with what each of them does. For each kind write one sentence that differs from the \
caption by that change alone, so that it is false of every photograph that the caption describes.

- Change as few words as you can; copy all others letter by letter, with their punctuation.
- What you write must contradict the caption. Use no synonym, no more general word, no more \
special word, no other wording of the same thing.
- The sentence must be grammatical and describe something that could be photographed.
- Leave out a kind where the caption offers nothing to change in that way.

Answer with JSON only, in this form:
{"negatives": [{"kind": "…", "caption": "…"}]}"""

INSTRUCTIONS = {
    "swap-noun": "exchange two nouns; both stay in the caption",
    "swap-adjective": "exchange two adjectives, or the adjectives of two things",
    "move-attribute": "move one attribute to a thing of the caption that has none",
    "swap-noun-phrase": "exchange two noun phrases with their articles and adjectives",
    "swap-verb": "exchange the actions of two actors",
    "swap-adverb": "exchange two adverbs",
    "replace-subject": "replace the noun that the caption is about by another",
    "replace-object": "replace the noun to which something is done by another",
    "replace-noun": "replace one noun by a noun for something else",
    "replace-location": "replace the place by another place",
    "replace-verb": "replace one verb by a verb for an action that excludes it",
    "replace-relation": "replace one preposition or relation by another",
    "replace-color": "replace one color by a clearly different color",
    "replace-size": "replace one word of size by its opposite",
    "replace-material": "replace one material by another",
    "replace-state": "replace one state, age or weather by its opposite",
    "replace-number": "replace one number by another",
    "flip-relation": "turn one spatial relation around, as left to right or above to below",
    "negate": "deny one thing or action with not, no or without",
    "add-attribute": "add one adjective that the thing does not have; remove nothing",
    "add-object": "add one thing that is not there; remove nothing",
}

# So many tokens hold a negative of a caption of so many characters, with its kind and brackets.
_TOKENS_A_NEGATIVE = 40
_CHARACTERS_A_TOKEN = 2


class ChatMaker(WrittenMaker):
    """Takes what a model writes; kinds are names from `INSTRUCTIONS`.

    Args:
        choosing: what to make; its seed is sent too.
        endpoint: where to ask.
        resume: a file for answers: those in it are taken from there, and new ones added.
        how: see `Asker` and `ChatClient`.

    Raises:
        HnclipError: the endpoint or the file cannot be used.
    """

    def __init__(
        self, choosing: Choosing, endpoint: str, *, resume: str | None = None, **how: Any
    ) -> None:
        answered = None if resume is None else Answered(resume)
        self._asker = Asker(endpoint, seed=choosing.seed, answered=answered, **how)
        super().__init__(choosing, self._ask)

    def summary(self) -> list[str]:
        """What became of all that was written, and what it took."""
        return [*super().summary(), *self._asker.summary()]

    def _ask(self, record: Record) -> list[Draft]:
        caption, kinds = record.caption, self._choosing.kinds
        question, tokens = messages(caption, kinds), max_tokens(caption, kinds)
        return self._asker.ask(record, question, read_answer, tokens)


def messages(caption: str, kinds: Sequence[str]) -> list[dict[str, str]]:
    """The chat that asks for one negative of each kind.

    The caption travels as a JSON string, so that it cannot pass for an instruction by its form.
    """
    question = {"caption": caption, "kinds": {kind: INSTRUCTIONS[kind] for kind in kinds}}
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": json.dumps(question, ensure_ascii=False)},
    ]


def max_tokens(caption: str, kinds: Sequence[str]) -> int:
    """What the longest useful answer takes."""
    return len(kinds) * (_TOKENS_A_NEGATIVE + len(caption) // _CHARACTERS_A_TOKEN)


def read_answer(text: str) -> list[Draft]:
    """The negatives of an answer, which is JSON, also fenced or among other words; else `Passing`.

    An item without kind or caption becomes a draft without both.
    """
    for answer in json_in(text):
        items = _list_in(answer)
        if items is not None:
            drafts = [_draft(item) for item in items]
            if items and not any(kind for kind, _ in drafts):
                raise Passing("the answer has no negative with kind and caption")
            return drafts
    raise Passing("the answer is not the JSON asked for")


def json_in(text: str) -> Iterator[Any]:
    """What can be read as JSON in an answer: all of it, a fenced block, or what braces enclose."""
    first, last = text.find("{"), text.rfind("}")
    for candidate in (text, *reversed(list(_fenced(text))), text[first : last + 1]):
        with contextlib.suppress(ValueError, RecursionError):
            yield json.loads(candidate)


def _fenced(text: str) -> Iterator[str]:
    """What stands between lines of ``` or ~~~; the first of the two may say a language."""
    fence = ""
    block: list[str] = []
    for line in text.split("\n"):
        mark = line.strip()
        if not fence and mark.startswith(("```", "~~~")):
            fence, block = mark[:3], []
        elif fence and mark.startswith(fence) and not mark.strip(fence[0]):
            yield "\n".join(block)
            fence = ""
        else:
            block.append(line)


def _list_in(answer: Any) -> list[Any] | None:
    """The list of an answer, or the only list in it."""
    if isinstance(answer, dict):
        lists = [value for value in answer.values() if isinstance(value, list)]
        answer = answer.get("negatives", lists[0] if len(lists) == 1 else None)
    return answer if isinstance(answer, list) else None


def _draft(item: Any) -> Draft:
    try:
        kind, caption = item["kind"], item["caption"]
        caption.encode()  # half of a surrogate pair is no text
    except (TypeError, LookupError, AttributeError, UnicodeEncodeError):
        return "", ""
    if not (isinstance(kind, str) and isinstance(caption, str)):
        return "", ""
    return without_secrets(kind), without_secrets(caption)
