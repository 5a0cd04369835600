"""What a failed response of a chat endpoint means: ask again, wait, or end the run."""

import re
import time
from typing import Any, NamedTuple

from hnclip_cli.errors import HnclipError
from hnclip_cli.negatives.generators.replies import Complaint, Passing, Unanswered
from hnclip_cli.negatives.generators.waits import announced_wait
from hnclip_cli.saying import shown

MAX_WORDS = 160  # characters of a server's words in a message

# Hints name the flags of an endpoint as `Flags` does.
_KEY_HINT = "a key that it knows, in the variable of {key}"
_MODEL_HINT = "another {model}, or {endpoint} up to the /v1"
_CREDIT_HINT = "again when there is credit; what is in the file of --resume is not asked again"
_STOPPING: dict[int | str, str] = {
    401: _KEY_HINT,
    402: _CREDIT_HINT,
    403: "a key that may use this model, in the variable of {key}",
    404: _MODEL_HINT,
    405: "{endpoint} up to the /v1",
    "insufficient_quota": _CREDIT_HINT,
    "billing_hard_limit_reached": _CREDIT_HINT,
    "billing_not_active": _CREDIT_HINT,
    "invalid_api_key": _KEY_HINT,
    "model_not_found": _MODEL_HINT,
}
_PASSING = {408, 409, 425, 429}
_PARAMETER_HINTS = {
    "model": "another {model}",
    "max_tokens": "another --max-tokens",
    "max_completion_tokens": "another --max-tokens",
    "temperature": "another {model}",
    "seed": "another {model}",
}


class Flags(NamedTuple):
    """What the command calls the settings of an endpoint."""

    endpoint: str = "--endpoint"
    model: str = "--generator-model"
    key: str = "--api-key-env"


FLAGS = Flags()


class Wait(Passing):
    """The server asks to wait."""

    def __init__(self, problem: str, seconds: float) -> None:
        super().__init__(problem)
        self.seconds = seconds


class Refused(Exception):
    """The server does not take a parameter of the question."""

    def __init__(self, name: str, instead: str | None, error: HnclipError) -> None:
        super().__init__(name)
        self.name, self.instead, self.error = name, instead, error


class Failures:
    """Turns the responses of one endpoint into exceptions.

    Args:
        url: of the endpoint.
        flags: that hints name.
    """

    def __init__(self, url: str, flags: Flags) -> None:
        self._place, self._flags = url, flags

    def of(self, response: Any, complaint: Complaint) -> Exception:
        """What a status other than 200 means, or a complaint in place of an answer."""
        code, reason = response.status_code, response.reason_phrase
        if code == 200:
            code, reason = complaint.status or 500, "in an answer"
        words = shown(complaint.words, MAX_WORDS)
        status = shown(f"{code} {reason}", MAX_WORDS) + (f" ({words})" if words else "")
        if 300 <= code < 400:
            problem = "the endpoint is elsewhere, and redirects are not followed"
            place = shown(response.headers.get("Location", "nowhere"), MAX_WORDS)
            hint = "{endpoint} with that address, if you trust it"
            return self.error(problem, f"{status} to {place}", hint)
        for sign in (code, *sorted(complaint.codes)):
            if sign in _STOPPING:
                return self.error("the endpoint refuses requests", status, _STOPPING[sign])
        if code in (400, 422) and (name := _blamed(complaint)):
            error = self.error(f"the endpoint refuses {name}", status, _PARAMETER_HINTS[name])
            has_instead = name == "max_tokens" and "max_completion_tokens" in complaint.words
            return Refused(name, "max_completion_tokens" if has_instead else None, error)
        if code not in _PASSING and code < 500:
            return Unanswered(f"the endpoint says {status}")
        seconds = announced_wait(code, response.headers, time.time())
        if seconds is not None:
            return Wait(status, seconds)
        return Passing(f"the endpoint says {status}")

    def error(self, problem: str, got: str, hint: str) -> HnclipError:
        hint = hint.format(**self._flags._asdict())
        return HnclipError(problem, where=self._place, got=got, hint=hint)


def _blamed(complaint: Complaint) -> str:
    """The parameter of a question that a complaint is about; "" where it names none."""
    if complaint.parameter in _PARAMETER_HINTS:
        return complaint.parameter
    for name in ("max_tokens", "max_completion_tokens", "temperature", "seed"):
        # Alone, "seed" could be a word of the caption.
        pattern = rf"\b{name}\b" if "_" in name else rf"""["'`]{name}["'`]|: {name}\b"""
        if re.search(pattern, complaint.words):
            return name
    return ""
