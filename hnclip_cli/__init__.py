"""Teach CLIP models composition with hard negatives: the functions behind the commands.

``import hnclip_cli as hnclip``; docs/api.md shows each. They take records as dicts and arrays as
numpy's, and give the same. Nothing is imported before it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hnclip_cli.embedding.embed import embed as embed
    from hnclip_cli.evaluation.compare import compare as compare
    from hnclip_cli.evaluation.pages.show import show as show
    from hnclip_cli.evaluation.report import evaluate as evaluate
    from hnclip_cli.models.export import export as export
    from hnclip_cli.models.fetch import fetch as fetch
    from hnclip_cli.models.load import load_clip
    from hnclip_cli.negatives.blind_pairs import blind_pairs as blind_pairs
    from hnclip_cli.negatives.fitting import fit as fit
    from hnclip_cli.negatives.half_truths import half_truths as half_truths
    from hnclip_cli.negatives.making import make_negatives as make_negatives
    from hnclip_cli.negatives.mining import mine as mine
    from hnclip_cli.negatives.refine import refine as refine
    from hnclip_cli.plugins import load_plugin as load_plugin
    from hnclip_cli.scoring.score import score as score
    from hnclip_cli.scoring.search import search as search
    from hnclip_cli.sources.painting import generate as generate
    from hnclip_cli.sources.painting import inpaint as inpaint
    from hnclip_cli.training.config import TrainConfig as TrainConfig
    from hnclip_cli.training.objectives.hard_negatives import (
        hard_negative_objective as hard_negative_objective,
    )
    from hnclip_cli.training.run import train as train
    from hnclip_cli.validating import validation as validation

    load = load_clip

__version__ = "0.1.0"

# The same again, for when the program runs.
_PLACES = {
    "blind_pairs": "hnclip_cli.negatives.blind_pairs:blind_pairs",
    "compare": "hnclip_cli.evaluation.compare:compare",
    "embed": "hnclip_cli.embedding.embed:embed",
    "evaluate": "hnclip_cli.evaluation.report:evaluate",
    "export": "hnclip_cli.models.export:export",
    "fetch": "hnclip_cli.models.fetch:fetch",
    "fit": "hnclip_cli.negatives.fitting:fit",
    "half_truths": "hnclip_cli.negatives.half_truths:half_truths",
    "generate": "hnclip_cli.sources.painting:generate",
    "hard_negative_objective": (
        "hnclip_cli.training.objectives.hard_negatives:hard_negative_objective"
    ),
    "inpaint": "hnclip_cli.sources.painting:inpaint",
    "load": "hnclip_cli.models.load:load_clip",
    "load_plugin": "hnclip_cli.plugins:load_plugin",
    "make_negatives": "hnclip_cli.negatives.making:make_negatives",
    "mine": "hnclip_cli.negatives.mining:mine",
    "refine": "hnclip_cli.negatives.refine:refine",
    "score": "hnclip_cli.scoring.score:score",
    "search": "hnclip_cli.scoring.search:search",
    "show": "hnclip_cli.evaluation.pages.show:show",
    "train": "hnclip_cli.training.run:train",
    "validation": "hnclip_cli.validating:validation",
    "TrainConfig": "hnclip_cli.training.config:TrainConfig",
}
__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hnclip_cli.plugins import import_from

    value = globals()[name] = import_from(_PLACES[name])
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
