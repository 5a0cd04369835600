"""Objectives by name: which terms, with which weights.

Adding one that is made of the same terms is a line here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectiveSpec:
    """A composition of the terms of `hard_negative_objective`.

    Attributes:
        uses_negatives: whether the records' negatives take part at all.
        imc_weight: weight of the intra-modal contrastive term.
        cmr_weight: weight of the cross-modal rank term.
    """

    uses_negatives: bool
    imc_weight: float = 0.0
    cmr_weight: float = 0.0


OBJECTIVES = {
    # Radford et al., 2021.
    "clip": ObjectiveSpec(uses_negatives=False),
    # Yuksekgonul et al., ICLR 2023: negatives as further columns of image-to-text.
    "negclip": ObjectiveSpec(uses_negatives=True),
    # Zhang et al., CVPR 2024; the weights are those of the released training script.
    "ce-clip": ObjectiveSpec(uses_negatives=True, imc_weight=0.3, cmr_weight=0.2),
}
