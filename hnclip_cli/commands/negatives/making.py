"""hnclip negatives by the lexicon, or by a generator."""

import os
from dataclasses import dataclass
from typing import Any

import click

from hnclip_cli import console
from hnclip_cli.errors import ExitCode, InputError
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader, Shard
from hnclip_cli.streams.records import Record


@dataclass(frozen=True, slots=True)
class Job:
    """What every way of making negatives needs to know."""

    input: str
    output: str
    kinds: tuple[str, ...]
    per_caption: int | None
    true_captions: str | None
    seed: int
    shard: Shard | None
    on_error: str

    def choices(self, policy: ErrorPolicy) -> dict[str, Any]:
        """The keyword arguments that all makers share; reads the true captions."""
        from hnclip_cli.negatives.choosing.truth import TrueCaptions

        truth = None
        if self.true_captions is not None:
            with console.open_input(self.true_captions) as stream:
                truth = TrueCaptions(RecordReader(stream, self.true_captions, policy), policy)
        return {"per_caption": self.per_caption, "truth": truth, "seed": self.seed}


def job(
    generator: str | None, kinds: tuple[str, ...], presets: tuple[str, ...], **common: Any
) -> Job:
    """The job of the kinds that are named, or of the default ones.

    Raises:
        click.UsageError: the generator cannot make one of them.
    """
    from hnclip_cli.negatives.kinds.presets import chosen_kinds

    chosen = chosen_kinds(kinds, presets)
    if generator is not None:
        from hnclip_cli.negatives.generators.registry import GENERATORS

        unknown = [kind for kind in chosen if kind not in GENERATORS[generator]]
        if unknown:
            raise click.UsageError(
                f"--generator {generator} does not make {', '.join(unknown)}; leave it out"
            )
    return Job(kinds=chosen, **common)


def by_lexicon(job: Job, workers: int, fitted: str | None) -> ExitCode:
    """Candidates of the lexicon, by a pool of processes."""
    from functools import partial

    from hnclip_cli.language.ngram import TrigramModel
    from hnclip_cli.negatives.choosing.fluency import Fitted
    from hnclip_cli.negatives.choosing.maker import NegativeMaker
    from hnclip_cli.negatives.pool import Answer, Answering, Pool

    with console.error_policy(job.on_error) as policy:
        choices = job.choices(policy)
        if fitted is not None:
            with console.open_input(fitted) as stream:
                choices["preference"] = Fitted(TrigramModel.load(stream, fitted))
        make = partial(NegativeMaker, job.kinds, **choices)
        with console.open_input(job.input) as stream, console.open_output(job.output) as out:

            def write(answer: Answer) -> None:
                for error in answer.skipped:
                    policy.bad(error)
                out.write(answer.lines)
                out.flush()
                if answer.failure:
                    raise answer.failure

            with Pool(partial(Answering, make, job.on_error), write, workers) as pool:
                reader = RecordReader(pool.watch(stream), job.input, policy, job.shard)
                pool.run(reader.batches())
    return policy.exit_code


def by_masked_model(
    job: Job, model: str, *, download: bool, device: str, top_k: int, batch_size: int
) -> ExitCode:
    """Replacements of a masked language model, in this process."""
    from hnclip_cli.models.masked import MaskedModel
    from hnclip_cli.negatives.generators.choice import usable
    from hnclip_cli.negatives.generators.mlm import PIECE, MaskedMaker
    from hnclip_cli.streams.records import format_record
    from hnclip_cli.streams.threads import chunked

    with console.error_policy(job.on_error) as policy:
        maker = MaskedMaker(
            job.kinds,
            MaskedModel(model, device=device, download=download),
            top_k=top_k,
            batch_size=batch_size,
            **job.choices(policy),
        )
        with console.open_input(job.input) as stream, console.open_output(job.output) as out:
            for batch in RecordReader(stream, job.input, policy, job.shard).batches():
                for piece in chunked(batch, PIECE):
                    records, failure = usable(piece, policy)
                    for record, made in zip(records, maker.negatives(records), strict=True):
                        record["negatives"] = made
                        out.write(format_record(record))
                    out.flush()
                    if failure:
                        raise failure
    return policy.exit_code


def by_endpoint(
    job: Job, url: str, *, key_variable: str | None, concurrency: int, **how: Any
) -> ExitCode:
    """Sentences of a language model behind an endpoint, by threads that wait for it."""
    from contextlib import closing

    from hnclip_cli.negatives.generators.chat import ChatMaker
    from hnclip_cli.negatives.generators.endpoint import ChatClient, Endpoint
    from hnclip_cli.negatives.generators.flight import InFlight
    from hnclip_cli.negatives.generators.prompt import Draft
    from hnclip_cli.streams.records import format_record

    endpoint = Endpoint(url, key=_key(key_variable), **how)
    if endpoint.sends_key_in_the_clear:
        console.note(f"{url}: the API key travels unencrypted; https would hide it")
    with console.error_policy(job.on_error) as policy, closing(ChatClient(endpoint)) as client:
        maker = ChatMaker(job.kinds, client, **job.choices(policy))
        with console.open_input(job.input) as stream, console.open_output(job.output) as out:

            def write(record: Record, drafts: list[Draft] | InputError) -> None:
                if isinstance(drafts, InputError):
                    policy.bad(drafts)
                    return
                record["negatives"] = maker.negatives(record, drafts)
                out.write(format_record(record))
                out.flush()

            with InFlight(maker.ask, write, concurrency) as flight:
                reader = RecordReader(flight.watch(stream), job.input, policy, job.shard)
                flight.run(reader.batches())
        console.note(maker.summary())
    return policy.exit_code


def _key(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise click.UsageError(f"--api-key-env: the environment has no {variable}")
    return key
