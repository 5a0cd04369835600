"""The table of terms, and what each is computed from. Nothing heavy is imported here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.plugins import import_from
from hnclip_cli.training.objectives import Objective, weights_of

if TYPE_CHECKING:
    from torch import Tensor

    from hnclip_cli.training.objectives.view import View


@dataclass(frozen=True)
class Term:
    """A term, and what it is computed from.

    That is ``negatives`` (captions), negative ``images``, ``tokens``, ``patches`` alone, the
    model's ``bias``, a ``decoder``, or further texts by the name of their source in
    `texts.SOURCES`.
    """

    function: "Callable[[View], Tensor]"  # to the mean, shape ()
    of_images: bool = False  # whether it is given the side of the images
    needs: frozenset[str] = frozenset({"negatives"})  # left out where no record has these
    takes: frozenset[str] = frozenset()  # it does without these
    without: frozenset[str] = frozenset()  # sources: left out of batches that have their texts
    name: str = ""  # in the metrics, where not the name in `TERMS`


def _at(place: str, **settings: Any) -> "partial[Tensor]":
    """A function of a file beside this one, imported when it is called."""
    return partial(_call, place, **settings)


def _call(place: str, view: "View", **settings: Any) -> "Tensor":
    function: Callable[..., Tensor] = import_from(f"{__package__}.{place}")
    return function(view, **settings)


_ATTENDED = frozenset({"phrases", "patches"})
_IMAGES, _BOTH = frozenset({"images"}), frozenset({"negatives", "images"})

TERMS: dict[str, Term] = {
    "contrastive": Term(_at("contrast:contrast"), needs=frozenset()),
    "contrastive_own": Term(_at("contrast:contrast", negatives="own"), name="contrastive"),
    "contrastive_batch": Term(_at("contrast:contrast", negatives="batch"), name="contrastive"),
    "contrastive_both": Term(
        _at("contrast:contrast", negatives="batch", others=True), takes=_IMAGES, name="contrastive"
    ),
    "imc": Term(_at("terms:intra_modal")),
    "cmr": Term(_at("terms:rank_margin")),
    "image_imc": Term(_at("terms:intra_modal"), of_images=True, needs=_IMAGES),
    "image_cmr": Term(_at("terms:rank_margin"), of_images=True, needs=_IMAGES),
    "own": Term(_at("terms:own")),
    "focal_own": Term(_at("terms:own", gamma=2.0, smoothing=0.02), name="own"),
    "focal_local": Term(
        _at("local:local", gamma=2.0, smoothing=0.02),
        needs=frozenset({"negatives", "tokens"}),
        name="local",
    ),
    "mirror": Term(_at("terms:mirror"), needs=_BOTH),
    "distractor": Term(_at("terms:mirror", both_ways=False), needs=_BOTH),
    "rank": Term(_at("terms:rank"), needs=frozenset()),
    "units": Term(_at("parts:units"), needs=frozenset({"units"})),
    "half_truths": Term(
        _at("parts:units", of="parts", false="halves"),
        needs=frozenset(),
        takes=frozenset({"halves"}),
    ),
    "phrases": Term(_at("parts:phrases"), needs=frozenset({"phrases"})),
    "attended": Term(_at("parts:phrases", attending=True), needs=_ATTENDED),
    "phrases_sigmoid": Term(
        _at("parts:phrases", sigmoid=True), needs=frozenset({"phrases", "bias"}), name="phrases"
    ),
    "attended_sigmoid": Term(
        _at("parts:phrases", attending=True, sigmoid=True),
        needs=_ATTENDED | {"bias"},
        name="attended",
    ),
    "contrastive_single": Term(
        _at("contrast:contrast"),
        needs=frozenset(),
        without=frozenset({"joined"}),
        name="contrastive",
    ),
    "views": Term(_at("joined:views"), needs=frozenset({"joined"})),
    "crossed": Term(_at("joined:crossed"), needs=frozenset({"joined"})),
    "invariance": Term(_at("joined:invariance"), needs=frozenset({"joined"})),
    "reconstruction": Term(
        _at("terms:reconstruction"), needs=frozenset({"paraphrases", "decoder"})
    ),
    "paraphrase": Term(_at("parts:paraphrase"), needs=frozenset({"paraphrases"})),
    # Where no record has a paraphrase, it is 0.
    "analogy": Term(_at("terms:analogy"), needs=frozenset(), takes=frozenset({"paraphrases"})),
    "mil": Term(_at("bags:multiple_instance"), needs=frozenset({"dense"})),
    "sigmoid": Term(_at("sigmoid:sigmoid"), needs=frozenset({"bias"})),
    "sigmoid_both": Term(
        _at("sigmoid:sigmoid", negatives=True),
        needs=frozenset({"negatives", "bias"}),
        takes=_IMAGES,
        name="sigmoid",
    ),
}


def terms_of(objective: Objective, progress: float = 1.0) -> Iterator[tuple[str, Term, float]]:
    """Name in the metrics, term and weight; `HnclipError` for an unknown term, or no number.

    Args:
        progress: of the run, 0 to 1; at the end of it each weight is what it comes to.
    """
    for key, given in weights_of(objective).items():
        weight = given(progress) if callable(given) else given
        if not isinstance(weight, (int, float)):
            raise HnclipError(
                f"term {key!r} has a bad weight", got=repr(weight), expected="a number"
            )
        if not isinstance(key, str):
            term = key if isinstance(key, Term) else Term(key)
            yield term.name or getattr(term.function, "__name__", "term"), term, weight
        elif key in TERMS:
            yield TERMS[key].name or key, TERMS[key], weight
        else:
            raise HnclipError("no such term", got=repr(key), expected=f"one of {', '.join(TERMS)}")


def requires(objective: Objective, what: str) -> bool:
    """Whether one of its terms cannot do without it; see `uses`."""
    return any(what in term.needs for _, term, weight in terms_of(objective) if weight)


def uses(objective: Objective, what: str) -> bool:
    """Whether it takes ``negatives``, negative ``images``, ``tokens``, ``patches``, a ``bias``, or
    the texts of a source.
    """
    return any(what in term.needs | term.takes for _, term, weight in terms_of(objective) if weight)
