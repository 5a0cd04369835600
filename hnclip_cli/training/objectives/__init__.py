"""Objectives by name: which terms, with which weights.

Nothing heavy is imported here. The terms are in `table.TERMS`; docs/terms.md has each one's
equation.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hnclip_cli.plugins import Table

if TYPE_CHECKING:
    from hnclip_cli.training.objectives.hard_negatives import (
        hard_negative_objective as hard_negative_objective,
    )

# A number, or a function from the run's progress, 0 to 1, to it.
Weight = float | Callable[[float], float]
# A term by its name in `TERMS`, or one of the objective's own: a `table.Term`, or a function from
# a `view.View` to the term's mean, shape ().
Weights = dict[Any, Weight]
Objective = Mapping[Any, Weight] | Callable[..., Any]


def _rank_ramp(progress: float) -> float:
    """RankCLIP's weight w: it grows from 0 to 2/32 in two thirds of the run, and then stays."""
    return min(3 * progress, 2) / 32


_BUILT_IN: dict[str, Objective] = {
    "hnclip": {"contrastive": 1, "imc": 0, "cmr": 0, "own": 2, "half_truths": 0.25},
    "clip": {"contrastive": 1},
    # Its hard images bring captions of their own; ours have none, so they are columns but no rows.
    "negclip": {"contrastive_both": 1, "imc": 0, "cmr": 0},
    "roesch": {"contrastive_own": 1, "imc": 0, "cmr": 0},
    # The weights are those of the released training script. The terms on negative images mirror
    # those on captions, with the same weights.
    "ce-clip": {
        "contrastive_batch": 1,
        "imc": 0.3,
        "cmr": 0.2,
        "image_imc": 0.3,
        "image_cmr": 0.2,
    },
    # Equation 11: the contrastive term has no negatives.
    "fsc-clip": {"contrastive": 1, "imc": 0, "cmr": 0, "focal_own": 0.5, "focal_local": 0.2},
    # NegCLIP(I, T; T′) + NegCLIP(I′, T′; T).
    "triplet": {"contrastive_batch": 1, "imc": 0, "cmr": 0, "mirror": 1},
    # ⅓ (I→[T; T′] + T→[I; I′] + I′→[T′; T]).
    "con-clip": {"contrastive_both": 2 / 3, "imc": 0, "cmr": 0, "distractor": 1 / 3},
    # The ramp is the released code's.
    "rank-clip": {"contrastive": 1, "rank": _rank_ramp},
    # Its L_pos where records have paraphrases.
    "svlc": {"contrastive_batch": 1, "imc": 0, "cmr": 0, "own": 1, "analogy": 1},
    "dac": {"contrastive_batch": 1, "imc": 0, "cmr": 0, "own": 1, "mil": 1},
    "cs-clip": {"contrastive_both": 1, "imc": 0, "cmr": 0, "units": 0.5},
    # Every second step has plain images, the others have joined ones.
    "clic": {"contrastive_single": 1, "views": 0.5, "crossed": 0.5, "invariance": 1},
    # For models without a bias, and as in the paper.
    "concept-centric": {"contrastive": 1, "phrases": 1, "attended": 0.01},
    "concept-centric-sigmoid": {"sigmoid": 1, "phrases_sigmoid": 1, "attended_sigmoid": 0.01},
    # Without a decoder, no reconstruction.
    "read": {
        "contrastive_both": 1,
        "imc": 0,
        "cmr": 0,
        "paraphrase": 0.5,
        "reconstruction": 0.1,
    },
    "siglip": {"sigmoid": 1},
    "siglip-hn": {"sigmoid_both": 1, "imc": 0, "cmr": 0},
    # Generations are settings.
    "iterated": {"contrastive": 1},
    # No terms of pairs, but those of `training.clap`, on texts alone.
    "clap": {},
}
# The idea of each, and its paper.
IDEAS = {
    "hnclip": "ours: contrast without negatives, each caption against its own negatives, and true"
    " parts of captions against half-truths",
    "clip": "contrast of images and captions (Radford et al., ICML 2021)",
    "negclip": "negatives of the batch as further columns (Yuksekgonul et al., ICLR 2023)",
    "roesch": "each image's own negatives as further columns (Rösch et al., ALVR at ACL 2024)",
    "ce-clip": "two terms on own negatives, one with a margin that adapts (Zhang et al., CVPR"
    " 2024)",
    "fsc-clip": "negatives in separate terms, with a focal loss and smooth labels (Oh et al.,"
    " EMNLP 2024)",
    "triplet": "negative captions with images that show them (Patel et al., NeurIPS 2024)",
    "con-clip": "captions and their negations (Singh et al., WACV 2025)",
    "rank-clip": "similar rankings across and within modalities (Zhang et al., ICCV 2025)",
    "svlc": "own negatives, and paraphrases (Doveh et al., CVPR 2023)",
    "dac": "a bag of dense captions, of which some fit the image (Doveh et al., NeurIPS 2023)",
    "cs-clip": "parts of a caption against edited parts (arXiv 2602.23906)",
    "clic": "two images side by side, and a word exchanged between their captions (arXiv"
    " 2505.24424)",
    "concept-centric": "noun phrases against images and patches (C2LIP, arXiv 2603.25722)",
    "concept-centric-sigmoid": "the same with a sigmoid, as in the paper",
    "read": "paraphrases, and captions that a frozen decoder rebuilds (READ-CLIP, arXiv"
    " 2510.16540)",
    "siglip": "each pair is true or false for itself (Zhai et al., ICCV 2023)",
    "siglip-hn": "ours: the same with negatives as false pairs",
    "iterated": "the text tower starts again, generation after generation (Zheng et al., CVPR"
    " 2024)",
    "clap": "a head that keeps content and drops style, on texts alone (Cai et al., ECCV 2024)",
}


# The loss is Σ weight · term; a term of weight 0 is measured only. A function alone is a term of
# weight 1.
OBJECTIVES: Table[Objective] = Table(
    "objectives",
    _BUILT_IN,
    (Mapping, Callable),
    called="a mapping from terms to weights, or a function",
)


def weights_of(objective: Objective) -> Weights:
    """The weight of each term."""
    return dict(objective) if isinstance(objective, Mapping) else {objective: 1.0}


def __getattr__(name: str) -> Any:
    if name == "hard_negative_objective":
        from hnclip_cli.training.objectives import hard_negatives

        return hard_negatives.hard_negative_objective
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
