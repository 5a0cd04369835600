"""The generators: where negatives come from, the lexicon's rules or a language model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.choosing.maker import NegativeMaker, Propose
from hnclip_cli.negatives.choosing.ranking import Ranked
from hnclip_cli.negatives.kinds.presets import LEXICON
from hnclip_cli.negatives.units import UNIT_KINDS, parts_of
from hnclip_cli.plugins import Table
from hnclip_cli.streams.records import Record

if TYPE_CHECKING:
    from hnclip_cli.language.usage import Usage


class Maker(Protocol):
    """Makes negatives of records that `Choosing.check` finds good."""

    def negatives(self, records: Sequence[Record]) -> list[list[dict[str, Any]]]:
        """The ``negatives`` of each record; it does not matter which come together."""

    def summary(self) -> list[str]:
        """What there is to say at the end, a line each."""


@dataclass(frozen=True, slots=True)
class Generator:
    """One source of negatives.

    Attributes:
        make: called with a `Choosing` and its own options, gives a `Maker`.
        can_make: whether it makes a kind.
        options: names of its own options. The command has flags for those that it knows.
        needs: those among them that must be given.
        batch_size: records that the maker takes at a time.
        workers: threads that call the maker, unless a number is asked for; 0: it is called in
            line.
        in_processes: workers are processes, each with a maker of its own, and 1 is in line.
    """

    make: Callable[..., Maker]
    can_make: Callable[[str], bool] = lambda kind: True
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    batch_size: int = 1
    workers: int = 0
    in_processes: bool = False


def _by_lexicon(
    choosing: Choosing,
    fitted: "Usage | None" = None,
    judge: str | None = None,
    device: str = "auto",
    units: bool = False,
) -> Maker:
    from hnclip_cli.negatives.choosing.plausibility import Plausible  # which imports numpy

    preference = Plausible(choosing.lexicon, fitted)
    propose: Propose = Ranked(choosing.kinds, preference)
    if judge is not None:
        from hnclip_cli.models.language import load_scorer  # which imports torch
        from hnclip_cli.negatives.choosing.judge import Judged

        propose = Judged(propose, load_scorer(judge, device=device).log_probabilities)
    if not units:
        return NegativeMaker(choosing, propose)
    parts = partial(parts_of, choosing, Ranked(UNIT_KINDS, preference))
    return NegativeMaker(choosing, propose, parts)


def _by_masked_model(choosing: Choosing, model: str, device: str = "auto", **how: Any) -> Maker:
    from hnclip_cli.models.language import MaskedModel  # which imports torch
    from hnclip_cli.negatives.generators.mlm import Filled

    loaded = MaskedModel(model, device=device)
    return NegativeMaker(choosing, Filled(choosing.kinds, loaded, **how))


def _by_endpoint(choosing: Choosing, **how: Any) -> Maker:
    from hnclip_cli.negatives.generators.chat import ChatMaker  # which help does not wait for

    return ChatMaker(choosing, **how)


def _by_conversation(choosing: Choosing, **how: Any) -> Maker:
    from hnclip_cli.negatives.generators.conme import ConmeMaker

    return ConmeMaker(choosing, **how)


def _can_be_asked_for(kind: str) -> bool:
    from hnclip_cli.negatives.generators.chat import INSTRUCTIONS

    return kind in INSTRUCTIONS


_ENDPOINT = (
    "endpoint",
    "model",
    "key",
    "timeout",
    "retries",
    "requests_per_minute",
    "max_tokens",
    "price",
    "resume",
)
_BUILT_IN = {
    # Pieces of this size are enough for spaCy, and few enough to share out evenly.
    LEXICON: Generator(
        _by_lexicon,
        options=("fitted", "judge", "device", "units"),
        batch_size=256,
        workers=1,
        in_processes=True,
    ),
    # It replaces words, and the rules make the other kinds.
    "mlm": Generator(
        _by_masked_model,
        options=("model", "device", "top_k", "batch_size"),
        needs=("model",),
        batch_size=64,
    ),
    # It is asked for all but shuffled words, which take no understanding.
    "http": Generator(
        _by_endpoint,
        can_make=_can_be_asked_for,
        options=_ENDPOINT,
        needs=("endpoint",),
        workers=4,
    ),
    "conme": Generator(
        _by_conversation,
        can_make=_can_be_asked_for,
        options=(
            *_ENDPOINT,
            "weak_model",
            "weak_endpoint",
            "weak_key",
            "weak_price",
            "rounds",
            "image_root",
        ),
        needs=("endpoint", "weak_model"),
        workers=4,
    ),
}


class _Checked:
    """A maker of a plug-in, with a look at what it makes."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self.summary = maker.summary

    def negatives(self, records: Sequence[Record]) -> list[list[dict[str, Any]]]:
        made = self._maker.negatives(records)
        for record, negatives in zip(records, made, strict=True):
            for negative in negatives:
                if not isinstance(negative["caption"], str):
                    raise TypeError(f"no caption for {record.caption!r}: {negative}")
        return made


def _checked(generator: Generator) -> Generator:
    return replace(generator, make=lambda *args, **how: _Checked(generator.make(*args, **how)))


GENERATORS = Table("generators", _BUILT_IN, Generator, adopt=_checked)


def make_maker(generator: str, choosing: Choosing, **options: Any) -> Maker:
    """The maker of a generator, by its name, which other processes know as well."""
    return GENERATORS[generator].make(choosing, **options)
