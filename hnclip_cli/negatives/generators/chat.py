"""Negatives that a language model writes: what it is asked, and how its answer is read."""

import json
import re
from collections.abc import Sequence
from typing import Any

from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.generators.endpoint import ChatClient, Passing, Unanswered
from hnclip_cli.negatives.generators.written import Draft, WrittenMaker
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
    "swap-noun-phrase": "exchange two noun phrases with their articles and adjectives",
    "swap-verb": "exchange the actions of two actors",
    "swap-adverb": "exchange two adverbs",
    "replace-subject": "replace the noun that the caption is about by another",
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

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)


def chat_maker(choosing: Choosing, endpoint: str, **how: Any) -> WrittenMaker:
    """What a model writes, of kinds in `INSTRUCTIONS`; `HnclipError` for a bad endpoint."""
    client = ChatClient(endpoint, **how)

    def write(record: Record) -> list[Draft]:
        try:
            return client.ask(
                messages(record.caption, choosing.kinds),
                read_answer,
                name=record.id,
                seed=choosing.seed,
                max_tokens=max_tokens(record.caption, choosing.kinds),
            )
        except Unanswered as error:
            raise record.error(f"no negatives from the endpoint: {error}") from None

    return WrittenMaker(choosing, write)


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
    """The negatives of an answer, which is JSON, bare or in one fenced block; else `Passing`."""
    fenced = _FENCED.fullmatch(text)
    try:
        answer = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        raise Passing("the answer is not the JSON asked for") from None
    items = answer.get("negatives") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise Passing('the answer has no list "negatives"')
    return [_draft(item) for item in items]


def _draft(item: Any) -> Draft:
    try:
        kind, caption = item["kind"], item["caption"]
    except (TypeError, KeyError):
        kind = caption = None
    if not isinstance(kind, str) or not isinstance(caption, str):
        raise Passing("the answer has a negative without kind or caption")
    try:
        caption.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise Passing("the answer holds broken Unicode") from None
    return kind, caption
