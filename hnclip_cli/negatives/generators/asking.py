"""Questions about records to one endpoint, and their answers, which are kept in a file."""

import json
from collections.abc import Callable
from typing import Any

from hnclip_cli.negatives.generators.answered import Answered
from hnclip_cli.negatives.generators.endpoint import ChatClient
from hnclip_cli.negatives.generators.replies import Unanswered
from hnclip_cli.negatives.generators.written import Draft
from hnclip_cli.streams.records import Record, hash64


class Asker:
    """Asks one model, and does not ask again what is in the file of answers.

    Args:
        endpoint: where to ask.
        seed: of the run; it is sent too.
        who: is asked, for messages; two that share a file differ in it.
        answered: a file of earlier answers, to which new ones are added; None keeps none.
        max_tokens: that an answer may have, reasoning included; None leaves it to the question.
        price: of a million tokens asked, and of a million tokens answered.
        how: see `ChatClient`.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        seed: int,
        who: str = "",
        answered: Answered | None = None,
        max_tokens: int | None = None,
        price: tuple[float, float] | None = None,
        **how: Any,
    ) -> None:
        self._client = ChatClient(endpoint, **how)
        self._who, self._model = who, how.get("model") or ""
        self._seed, self._answered = seed, answered
        self._max_tokens, self._price = max_tokens, price

    def ask(
        self,
        record: Record,
        question: list[dict[str, Any]],
        read: Callable[[str], list[Draft]],
        max_tokens: int,
    ) -> list[Draft]:
        """What ``read`` makes of the answer; `InputError` of the record where none is usable."""
        asked = hash64(self._who + self._model, self._seed, record.id, json.dumps(question))
        if self._answered and (known := self._answered.drafts(asked)) is not None:
            self._client.spent.add(known=1)
            return known
        try:
            drafts = self._client.ask(
                question,
                read,
                name=record.id,
                seed=self._seed,
                max_tokens=self._max_tokens or max_tokens,
            )
        except Unanswered as error:
            who = self._who or "the endpoint"
            raise record.error(f"no negatives from {who}: {error}") from None
        if self._answered:
            self._answered.add(asked, record.id, drafts)
        return drafts

    def summary(self) -> list[str]:
        """What it took, what the server did not take, and what failed, a line each."""
        lines = [self._client.spent.line(self._price), *self._client.summary()]
        return [f"{self._who}: {line}" for line in lines] if self._who else lines
