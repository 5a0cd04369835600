"""Make hard negatives: from records to records, by the lexicon or by another generator."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.language.usage import Usage
from hnclip_cli.language.window import CONTEXT_LENGTH
from hnclip_cli.lexicon import Lexicon, load_lexicon
from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.choosing.maker import NegativeMaker, summary_of
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.negatives.generators.registry import (
    GENERATORS,
    Generator,
    Maker,
    make_maker,
)
from hnclip_cli.negatives.kinds.presets import (
    LEXICON,
    chosen_generator,
    chosen_kinds,
    joined_slots,
)
from hnclip_cli.streams.files import MAX_WORDS_BYTES, open_input_file, read_whole
from hnclip_cli.streams.garbage import collecting_rarely
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.processes import Died, InProcesses
from hnclip_cli.streams.records import Record, as_records
from hnclip_cli.streams.threads import chunked, map_arriving

Piece = list[Record]
# What is added to each record of a piece.
Fields = list[dict[str, Any]]
# That, and how many negatives were refused, by the reason.
Answer = tuple[Fields, dict[str, int]]

# Pieces, for each worker, that may be begun before the first of them is done.
AHEAD = 4
# For a piece of some hundred captions, which takes a worker process less than one.
WORKER_SECONDS = 60.0


def make_negatives(
    records: Iterable[Mapping[str, Any]],
    kinds: Sequence[str] | None = None,
    *,
    presets: Sequence[str] = (),
    per_caption: int | None = None,
    true_captions: Iterable[Mapping[str, Any]] | str = (),
    fitted: Usage | str | None = None,
    words: Lexicon | str | None = None,
    protect: Iterable[str] | str = (),
    context_length: int = CONTEXT_LENGTH,
    generator: str | None = None,
    seed: int = 0,
    workers: int | None = None,
    policy: ErrorPolicy | None = None,
    **options: Any,
) -> "Made":
    """Add ``negatives`` to records: captions that are similar to theirs and false.

    Args:
        records: with ``caption``.
        kinds: names from `KINDS`; with neither kinds nor presets the default ones.
        presets: names from `PRESETS`, whose kinds are added. A caption with fewer negatives than in
            the paper gets further ones of these kinds and, by the lexicon, of the default kinds.
        per_caption: keep this many, of different kinds first; None keeps one of each kind, or
            what the presets say.
        true_captions: records whose captions are true of their groups, or a file of them; no
            negative repeats one.
        fitted: what `fit` returned, or a file of it; negatives become like its captions.
        words: a folder of tables that change the built-in ones, or what `load_lexicon` returned.
        protect: words or names that no negative changes, or a file of them, one a line.
        context_length: tokens that the model reads; a negative that differs only behind them is
            not made.
        generator: a name from `GENERATORS`: where negatives come from; None takes that of the
            presets, mostly the lexicon.
        seed: of all choices.
        workers: processes, or threads for a generator that waits for a server; None leaves the
            number to the generator. The result does not depend on it.
        policy: what to do with a bad record; by default it is an error.
        options: of the generator. The lexicon has ``units``, which adds ``units`` and ``words``;
            and ``judge``, a causal or masked language model that ranks the first few candidates of
            each kind, and its ``device``.

    Returns:
        The records in order, each made when it is asked for.

    Raises:
        HnclipError: no English spaCy pipeline is installed, or the generator, the fitted model or
            the tables of words cannot be used.
        InputError: a bad record, unless the policy skips it.
    """
    policy = policy or ErrorPolicy()
    generator = generator or chosen_generator(presets)
    chosen, slots = chosen_kinds(kinds or (), presets), joined_slots(kinds or (), presets)
    if slots and per_caption:
        slots = slots._replace(number=per_caption)
    if slots and generator == LEXICON:  # others would ask for all of these
        chosen = tuple(dict.fromkeys((*chosen, *slots.fillers)))
    if isinstance(protect, str):
        protect = read_whole(protect, MAX_WORDS_BYTES).decode("utf-8-sig", "replace").splitlines()
    protected = tuple(filter(None, map(str.strip, protect)))
    lexicon = words if isinstance(words, Lexicon) else load_lexicon(words)
    if protected:
        lexicon = load_lexicon(lexicon.folder, (*lexicon.protect, *protected))
    if isinstance(fitted, str):
        with open_input_file(fitted) as stream:
            fitted = Usage.load(stream, fitted, lexicon)
    if fitted is not None:
        options["fitted"] = fitted
    if isinstance(true_captions, str):
        with open_input_file(true_captions) as stream:
            truth = TrueCaptions(RecordReader(stream, true_captions, policy), policy, lexicon)
    else:
        truth = TrueCaptions(true_captions, policy, lexicon)
    choosing = Choosing(chosen, per_caption, truth, seed, lexicon, context_length, slots)
    entry = GENERATORS[generator]
    workers = entry.workers if workers is None else workers
    make = partial(make_maker, generator, choosing, **options)
    maker = None if entry.in_processes and workers > 1 else make()
    return Made(records, choosing, policy, entry, workers, make, maker)


@dataclass(eq=False)
class Made:
    """The records that `make_negatives` returns."""

    _records: Iterable[Mapping[str, Any]]
    _choosing: Choosing
    _policy: ErrorPolicy
    _generator: Generator
    _workers: int
    _make: Callable[[], Maker]
    _maker: Maker | None  # None where each process makes its own
    _refused: Counter[str] = field(default_factory=Counter)  # by these

    def __iter__(self) -> Iterator[Record]:
        with collecting_rarely(), self._function() as function:

            def work(piece: Piece) -> tuple[Piece, Answer | InputError]:
                try:
                    return piece, function(piece)
                except InputError as error:
                    return piece, error
                except Died as death:
                    raise HnclipError(
                        "a worker process died on these records or those that follow",
                        where=piece[0].where,
                        got=str(death),
                        hint="--workers 1, or fewer of them where memory ran out",
                    ) from None

            workers = 0 if self._maker and self._generator.in_processes else self._workers
            file = self._records.file if isinstance(self._records, RecordReader) else None
            found = map_arriving(work, self._pieces(), workers, AHEAD * workers, file)
            with contextlib.closing(found):
                for piece, made in found:
                    if isinstance(made, InputError):
                        self._policy.bad(made)
                        continue
                    found_fields, refused = made
                    self._refused.update(refused)
                    for record, fields in zip(piece, found_fields, strict=True):
                        record |= fields
                        yield record

    def summary(self) -> list[str]:
        """What there is to say at the end, a line each."""
        return self._maker.summary() if self._maker else summary_of(self._refused)

    @contextlib.contextmanager
    def _function(self) -> Iterator[Callable[[Piece], Answer]]:
        """What makes the negatives of a piece, as long as it is needed."""
        if self._maker is None:
            with InProcesses(
                partial(_loaded, self._make), self._workers, WORKER_SECONDS
            ) as processes:
                yield lambda piece: orjson.loads(processes.call(piece))
        else:
            maker = self._maker
            yield lambda piece: (_fields(maker, piece), {})

    def _pieces(self) -> Iterator[Iterable[Piece]]:
        """What can be worked on, as it comes."""
        size = self._generator.batch_size
        if isinstance(self._records, RecordReader):
            return (chunked(self._usable(batch), size) for batch in self._records.batches())
        return ([piece] for piece in chunked(self._usable(as_records(self._records)), size))

    def _usable(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            try:
                self._choosing.check(record)
            except InputError as error:
                self._policy.bad(error)
            else:
                yield record


def _loaded(make: Callable[[], Maker]) -> Callable[[Piece], bytes]:
    """What a process of `InProcesses` does; its answer is JSON, faster to read than a pickle."""
    maker = make()

    refused: dict[str, int] = getattr(maker, "refused", {})

    def work(piece: Piece) -> bytes:
        with collecting_rarely():
            refused.clear()
            return orjson.dumps((_fields(maker, piece), refused))

    return work


def _fields(maker: Maker, piece: Piece) -> Fields:
    if isinstance(maker, NegativeMaker):
        return maker.fields(piece)
    return [{"negatives": negatives} for negatives in maker.negatives(piece)]
