"""What a chat endpoint sends back: the text of a completion, its tokens, or a complaint."""

import json
import re
from dataclasses import dataclass
from typing import Any


class Unanswered(Exception):
    """A question got no usable answer, and asking again would not help."""


class Passing(Exception):
    """An attempt failed, but the next one need not."""


# Reasoning that some servers leave in the text, before the answer. Templates may open it in the
# question, so that only its end is seen.
_NAMES = "(?:think|thinking|thought|reasoning)"
_OPENED = re.compile(rf"\s*(?:<{_NAMES}>|\[THINK\]|<\|channel\|>analysis)", re.IGNORECASE)
_CLOSED = re.compile(rf"</{_NAMES}>|\[/THINK\]|<\|channel\|>final<\|message\|>", re.IGNORECASE)


def text_of(reply: Any) -> str:
    """The answer in a completion, without the reasoning before it.

    Raises:
        Unanswered: there is none, on purpose.
        Passing: there is none.
    """
    try:
        choice = reply["choices"][0]
        message, reason = choice["message"], choice.get("finish_reason")
        content, refused = message.get("content"), message.get("refusal")
    except (LookupError, TypeError, AttributeError):
        raise Passing("the answer is no chat completion") from None
    if isinstance(content, list):
        content = "".join(map(_text_of_part, content))
    content = content if isinstance(content, str) else ""
    text = without_reasoning(content)
    if str(reason).lower() in ("length", "max_tokens"):
        when = "" if text.strip() else " before it began"
        raise Passing(
            f"the answer was cut off{when}: it reached the limit of its tokens (--max-tokens)"
        )
    if reason == "content_filter" or refused:
        raise Unanswered("the model refuses to answer")
    if text.strip():
        return text
    reasoning = message.get("reasoning_content") or message.get("reasoning") or content.strip()
    # Some servers take an answer without reasoning for reasoning.
    if isinstance(reasoning, str) and reasoning.lstrip().startswith(("{", "```")):
        return reasoning
    raise Passing(f"the answer holds {'only reasoning' if reasoning else 'no text'}")


def without_reasoning(text: str) -> str:
    """What follows the last reasoning of a text; nothing, where that has no end."""
    text = _CLOSED.split(text)[-1]
    return "" if _OPENED.match(text) else text


def _text_of_part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type", "text") in ("text", "output_text"):
        part = part.get("text")
    return part if isinstance(part, str) else ""


def tokens_of(reply: Any) -> tuple[int, int] | None:
    """The tokens of question and answer, where a completion says them."""
    usage = reply.get("usage") if isinstance(reply, dict) else None
    counts = [
        usage.get(name) if isinstance(usage, dict) else None
        for name in ("prompt_tokens", "completion_tokens")
    ]
    asked, answered = (count if type(count) is int and count >= 0 else None for count in counts)
    return None if asked is None or answered is None else (asked, answered)


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a server does not answer, as far as it says so.

    Attributes:
        words: its own; they may be long, unprintable, and hold secrets.
        codes: what it calls the error.
        parameter: the parameter of the request that is to blame.
        status: an HTTP status, where the response has none of its own.
    """

    words: str = ""
    codes: frozenset[str] = frozenset()
    parameter: str = ""
    status: int = 0


def complaint_of(reply: Any) -> Complaint:
    """What the JSON of a failure says, in the forms that servers have for it."""
    body = reply[0] if isinstance(reply, list) and reply else reply
    if not isinstance(body, dict):
        return Complaint()
    detail = body.get("detail")
    first = detail[0] if isinstance(detail, list) and detail else None
    if isinstance(first, dict):  # FastAPI's
        place = first.get("loc")
        error = {
            "message": first.get("msg"),
            "param": place[-1] if isinstance(place, list) and place else "",
        }
    else:
        error = body.get("error") or detail or body
    if isinstance(error, str):
        error = {"message": error}
    elif not isinstance(error, dict):
        return Complaint()
    words, parameter = error.get("message"), error.get("param")
    codes = [error.get("code"), error.get("type")]
    status = next((code for code in codes if type(code) is int and 400 <= code < 600), 0)
    return Complaint(
        words if isinstance(words, str) else "",
        frozenset(code for code in codes if isinstance(code, str)),
        parameter if isinstance(parameter, str) else "",
        status,
    )


def parsed(content: bytes) -> Any:
    """The JSON of a reply; None where it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
