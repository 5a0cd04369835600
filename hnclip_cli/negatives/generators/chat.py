"""Negatives that a language model writes, behind any endpoint for chat completions."""

from typing import Any

from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.generators.endpoint import ChatClient, Unanswered
from hnclip_cli.negatives.generators.prompt import max_tokens, messages, read_answer
from hnclip_cli.negatives.generators.written import Draft, WrittenMaker
from hnclip_cli.streams.records import Record


def chat_maker(choosing: Choosing, endpoint: str, **how: Any) -> WrittenMaker:
    """What a model writes; kinds are names from `prompt.INSTRUCTIONS`.

    Args:
        choosing: what to make; its seed is sent too.
        endpoint: where to ask.
        how: see `ChatClient`.

    Raises:
        HnclipError: the endpoint cannot be used.
    """
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
