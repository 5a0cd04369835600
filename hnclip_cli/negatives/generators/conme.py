"""ConMe's conversation of two vision-language models about an image (Huang et al., 2406.08164).

Both describe the image. The stronger one, which sees both descriptions, writes false captions about
what the weaker one misses. The weaker one chooses between each and the true caption. What it tells
apart is shown to the stronger one, which writes harder ones. Those on which the weaker one fails
are kept where the stronger one confirms that the caption is true of the image and they are not.

ConMe writes questions with right and wrong answers, and takes the answer of lower perplexity for
the choice. Here they are captions, as everywhere in hnclip. Chat endpoints give no perplexity of
what they are asked; so the weaker model names the true one, and has to in both orders.
"""

import base64
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.generators.answered import Answered
from hnclip_cli.negatives.generators.asking import Asker
from hnclip_cli.negatives.generators.chat import (
    INSTRUCTIONS,
    SYSTEM,
    json_in,
    max_tokens,
    read_answer,
)
from hnclip_cli.negatives.generators.failures import Flags
from hnclip_cli.negatives.generators.replies import Passing
from hnclip_cli.negatives.generators.spent import Spent
from hnclip_cli.negatives.generators.written import Draft, WrittenMaker
from hnclip_cli.saying import without_secrets
from hnclip_cli.streams.images import ImageRoot, load_image
from hnclip_cli.streams.records import Record

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_SIDE = 768  # pixels of an image that is sent
MAX_DESCRIPTION = 4000  # characters of an answer that are sent on
NUM_OF_KIND = 2  # captions that are asked for in a round

DESCRIBE = """\
Describe the photograph in at most 150 words: each thing, its color, size, material, number, state \
and place, and what is done. Answer with the description only."""
WRITE = f"""{SYSTEM}

You also get the photograph, your description of it and that of a weaker model. Now write up to \
{NUM_OF_KIND} sentences for each kind, about details that the weaker model misses or gets wrong. \
What it told apart from the caption was too easy, what it missed was hard: write others as hard."""
CHOOSE = """\
One of two statements is true of the photograph, the other is false. Which one is true? Answer \
with its letter only, A or B."""
CONFIRM = """\
You get a photograph and numbered statements. Say of each whether it is true of the photograph. \
Answer with JSON only, yes or no for each number, in this form:
{"answers": {"1": "yes", "2": "no"}}"""

_DESCRIPTION_TOKENS = 600
_CHOICE_TOKENS = 200  # some do not stop at the letter
_CONFIRMATION_TOKENS = 16  # for each statement

_STRONGER, _WEAKER = "the stronger model", "the weaker model"
_WEAK_FLAGS = Flags("--weak-endpoint", "--weak-model", "--weak-api-key-env")

_BECAME = {
    "written": f"captions written by {_STRONGER}",
    "told": f"told apart by {_WEAKER}",
    "unclear": f"left out, as {_WEAKER} chose neither A nor B",
    "not_true": f"left out, as {_STRONGER} does not find the caption true",
    "not_false": f"left out, as {_STRONGER} does not find them false",
}

# A letter that stands alone, and not the article of a sentence.
_LETTER = re.compile(r"\b([AB])\b(?!['’])(?!\s+(?!(?:is|or|and)\b)[a-z])")
_YES_OR_NO = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}


class ConmeMaker(WrittenMaker):
    """Takes what two models make of a record's ``image`` in conversation.

    Args:
        choosing: what to make; its seed is sent too. Kinds are names from `INSTRUCTIONS`.
        endpoint: of the stronger model.
        weak_model: the weaker one's name.
        model: the stronger one's name; None leaves it to the server.
        key: of the stronger one's endpoint.
        weak_endpoint: where the weaker one is asked; None is ``endpoint``, with its key.
        weak_key: of the weaker one's endpoint.
        price: of a million tokens asked and answered by the stronger model.
        weak_price: the same of the weaker one.
        rounds: how often the stronger one writes.
        image_root: where relative image paths start, and how images are read.
        resume: a file for answers: those in it are taken from there, and new ones added.
        how: see `Asker` and `ChatClient`; it holds for both.

    Raises:
        HnclipError: an endpoint or the file cannot be used.
    """

    def __init__(
        self,
        choosing: Choosing,
        endpoint: str,
        *,
        weak_model: str,
        model: str | None = None,
        key: str = "",
        weak_endpoint: str | None = None,
        weak_key: str = "",
        price: tuple[float, float] | None = None,
        weak_price: tuple[float, float] | None = None,
        rounds: int = 2,
        image_root: str | ImageRoot = ".",
        resume: str | None = None,
        **how: Any,
    ) -> None:
        how["answered"] = None if resume is None else Answered(resume)
        how["seed"] = choosing.seed
        self._strong = Asker(endpoint, who=_STRONGER, model=model, key=key, price=price, **how)
        if weak_endpoint is None:  # else the key would go to a host that it is not for
            weak_endpoint, weak_key = endpoint, weak_key or key
        how |= {"flags": _WEAK_FLAGS, "price": weak_price, "key": weak_key}
        self._weak = Asker(weak_endpoint, who=_WEAKER, model=weak_model, **how)
        self._rounds, self._image_root = rounds, image_root
        self._became = Spent()  # of what was written
        super().__init__(choosing, self._converse)

    def summary(self) -> list[str]:
        """What became of all that was written, and what each model took."""
        became = self._became
        said = [f"{became[name]:,} {what}" for name, what in _BECAME.items() if became[name]]
        return [
            "; ".join(said),
            *super().summary(),
            *self._strong.summary(),
            *self._weak.summary(),
        ]

    def _converse(self, record: Record) -> list[Draft]:
        about = _About(record, load_image(record, record.image, self._image_root))
        descriptions = {
            name: about.ask(asker, DESCRIBE, read=_described, tokens=_DESCRIPTION_TOKENS)[0][1]
            for name, asker in (("yours", self._strong), ("weaker", self._weak))
        }
        caption, kinds = record.caption, self._choosing.kinds
        with self._lock:
            (parsed,) = self._parser.parse([caption])
        told: list[str] = []
        hard: list[Draft] = []
        refused: list[Draft] = []  # which nobody need look at; they are counted
        for _ in range(self._rounds):
            asked = {
                "caption": caption,
                "kinds": {kind: INSTRUCTIONS[kind] for kind in kinds},
                "descriptions": descriptions,
                "told apart": told,
                "missed": [text for _, text in hard],
            }
            tokens = NUM_OF_KIND * max_tokens(caption, kinds)
            drafts = about.ask(self._strong, WRITE, asked, read=read_answer, tokens=tokens)
            known = {caption, *told, *(text for _, text in hard)}
            for kind, text in self._fresh(drafts, known):
                if self._refusal(parsed, kind, text):
                    refused.append((kind, text))
                elif self._tells_apart(about, text):
                    told.append(text)
                else:
                    hard.append((kind, text))
        return [*self._confirmed(about, hard), *refused]

    def _fresh(self, drafts: Iterable[Draft], known: set[str]) -> list[Draft]:
        """What was not written before, as much as was asked for."""
        texts = {text: kind for kind, text in drafts if text not in known}
        limit = NUM_OF_KIND * len(self._choosing.kinds)
        fresh = [(kind, text) for text, kind in texts.items()][:limit]
        self._became.add(written=len(fresh))
        return fresh

    def _tells_apart(self, about: "_About", text: str) -> bool:
        """Whether the weaker model knows the true caption from this one, in both orders.

        An answer that names neither does not show that it fails.
        """
        caption = about.record.caption
        for right, statements in (("A", (caption, text)), ("B", (text, caption))):
            asked = dict(zip("AB", statements, strict=True))
            chosen = about.ask(self._weak, CHOOSE, asked, read=_chosen, tokens=_CHOICE_TOKENS)
            letter = chosen[0][1]
            if letter != right:
                self._became.add(unclear=not letter)
                return not letter
        self._became.add(told=1)
        return True

    def _confirmed(self, about: "_About", hard: list[Draft]) -> list[Draft]:
        """Those that are false of the image, where the caption is true of it, says the stronger."""
        if not hard:
            return []
        caption = about.record.caption
        # In order of the alphabet, so that the place does not tell which is the true one.
        texts = sorted({caption, *(text for _, text in hard)})
        asked = {str(number): text for number, text in enumerate(texts, 1)}
        tokens = _CONFIRMATION_TOKENS * (len(texts) + 1)
        said = dict(about.ask(self._strong, CONFIRM, asked, read=_confirmations, tokens=tokens))
        answers = {text: said.get(number) for number, text in asked.items()}
        if answers[caption] != "yes":
            self._became.add(not_true=len(hard))
            return []
        kept = [(kind, text) for kind, text in hard if answers[text] == "no"]
        self._became.add(not_false=len(hard) - len(kept))
        return kept


class _About:
    """Questions about one record, each with its image."""

    def __init__(self, record: Record, image: "Image") -> None:
        self.record = record
        self._part = {"type": "image_url", "image_url": {"url": data_url(image)}}

    def ask(
        self,
        asker: Asker,
        instruction: str,
        asked: dict[str, Any] | None = None,
        *,
        read: Callable[[str], list[Draft]],
        tokens: int,
    ) -> list[Draft]:
        """The answer to a question, whose parts travel as JSON.

        All stands in one message, as templates of some vision-language models know no other.
        """
        text = instruction
        if asked:
            text += "\n\n" + json.dumps(asked, ensure_ascii=False)
        content = [self._part, {"type": "text", "text": text}]
        return asker.ask(self.record, [{"role": "user", "content": content}], read, tokens)


def data_url(image: "Image", max_side: int = MAX_SIDE) -> str:
    """An RGB image as JPEG in a URL; no side of it has more than ``max_side`` pixels."""
    small = image.copy()
    small.thumbnail((max_side, max_side))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def read_choice(text: str) -> str:
    """The letter that an answer names, A or B; "" where it names none or both."""
    bare = text.strip(" \n.:()[]*\"'`").upper()
    letters = {bare} if bare in ("A", "B") else set(_LETTER.findall(text))
    return letters.pop() if len(letters) == 1 else ""


def read_confirmations(text: str) -> dict[str, str]:
    """ "yes" or "no" for each number of an answer that has one; `Passing` where none has."""
    for answer in json_in(text):
        answers = answer.get("answers", answer) if isinstance(answer, dict) else answer
        if isinstance(answers, list):
            answers = {str(number): value for number, value in enumerate(answers, 1)}
        if isinstance(answers, dict):
            words = {number: str(value).strip(" .").lower() for number, value in answers.items()}
            if found := {n: _YES_OR_NO[word] for n, word in words.items() if word in _YES_OR_NO}:
                return found
    raise Passing("the answer says neither yes nor no of a statement")


# As what the file of answers holds: pairs of texts.


def _described(text: str) -> list[Draft]:
    sendable = text.strip()[:MAX_DESCRIPTION].encode(errors="replace").decode()
    return [("description", without_secrets(sendable))]


def _chosen(text: str) -> list[Draft]:
    return [("choice", read_choice(text))]


def _confirmations(text: str) -> list[Draft]:
    return list(read_confirmations(text).items())
