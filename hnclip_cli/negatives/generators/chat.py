"""Negatives that a language model writes, behind any endpoint for chat completions."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hnclip_cli.language.caption import MAX_CHARACTERS, TAGS, TEXT
from hnclip_cli.language.parser import Parser
from hnclip_cli.lexicon import Lexicon
from hnclip_cli.negatives.analysis.rewriting import with_articles
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.negatives.generators.choice import check, choose
from hnclip_cli.negatives.generators.comparing import edits_between
from hnclip_cli.negatives.generators.endpoint import ChatClient, Unanswered
from hnclip_cli.negatives.generators.prompt import Draft, max_tokens, messages, read_answer
from hnclip_cli.negatives.generators.refusals import TAGGED, refusal
from hnclip_cli.streams.edits import Edit
from hnclip_cli.streams.records import Record


class ChatMaker:
    """Makes the ``negatives`` of records from what a language model writes.

    ``ask`` waits for the model and may be called from several threads; ``negatives`` judges the
    answers and may not.

    Args:
        kinds: those to ask for, names from `prompt.INSTRUCTIONS`.
        client: asks the model.
        per_caption: keep this many, of different kinds first; None keeps one of each kind.
        truth: what else is true of the images.
        seed: of the order of kinds, and of what the client sends.
        lexicon: what is known about words; by default the built-in one.

    Attributes:
        num_written: negatives in all answers.
        num_kept: those taken.
        refused: how many were refused, by reason.

    Raises:
        HnclipError: a kind needs a tagger, and no English spaCy pipeline is installed.
    """

    def __init__(
        self,
        kinds: Sequence[str],
        client: ChatClient,
        *,
        per_caption: int | None = None,
        truth: TrueCaptions | None = None,
        seed: int = 0,
        lexicon: Lexicon | None = None,
    ) -> None:
        self._kinds = tuple(kinds)
        self._client = client
        self._per_caption = per_caption
        self._truth = truth or TrueCaptions()
        self._seed = seed
        self._parser = Parser(TAGS if TAGGED & set(kinds) else TEXT, lexicon)
        self.num_written = 0
        self.num_kept = 0
        self.refused: Counter[str] = Counter()

    def ask(self, record: Record) -> list[Draft]:
        """What the model writes for a record; nothing for a caption too long to be one.

        Raises:
            InputError: the record has no usable caption, id or group, or its question was not
                answered.
            HnclipError: no question will ever be answered.
        """
        check(record)
        if len(record.caption) > MAX_CHARACTERS:
            return []
        try:
            return self._client.ask(
                messages(record.caption, self._kinds),
                read_answer,
                name=record.id,
                seed=self._seed,
                max_tokens=max_tokens(record.caption, self._kinds),
            )
        except Unanswered as error:
            raise record.error(f"no negatives from the endpoint: {error}") from None

    def negatives(self, record: Record, drafts: Sequence[Draft]) -> list[dict[str, Any]]:
        """The ``negatives`` of a record: what is not refused of an answer."""
        (caption,) = self._parser.parse([record.caption])
        offers: dict[str, list[list[Edit]]] = {kind: [] for kind in self._kinds}
        for kind, text in drafts:
            self.num_written += 1
            if kind not in offers:
                self.refused["a kind not asked for"] += 1
                continue
            edits = edits_between(caption.text, text)
            reason = refusal(kind, caption, text, edits)
            if reason:
                self.refused[reason] += 1
                continue
            offers[kind].append(with_articles(caption, edits))
        num_offered = sum(map(len, offers.values()))
        chosen = choose(
            record,
            caption,
            offers,
            truth=self._truth,
            per_caption=self._per_caption,
            seed=self._seed,
        )
        self.num_kept += len(chosen)
        if len(chosen) < num_offered:
            self.refused["true of the image, double or not needed"] += num_offered - len(chosen)
        return chosen

    def summary(self) -> str:
        """One line on what became of all that was written."""
        kept = f"{self.num_kept} of {self.num_written} written negatives kept"
        reasons = [f"{count} {reason}" for reason, count in self.refused.most_common()]
        return f"{kept}; refused: {', '.join(reasons)}" if reasons else kept
