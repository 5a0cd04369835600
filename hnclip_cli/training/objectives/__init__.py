"""Objectives by name: which terms, with which weights.

Nothing heavy is imported here. The terms themselves are in `compute.TERMS`; an objective that is
made of them is a line in `OBJECTIVES`.
"""

from dataclasses import dataclass
from typing import Literal

NegativeScope = Literal["batch", "own", "none"]


@dataclass(frozen=True)
class ObjectiveSpec:
    """A weighted sum of terms; docs/objectives.md has each term's equation.

    With T_w the term of weight w: loss = factor · (contrastive + Σ w·T_w).

    Attributes:
        uses_negatives: whether the records' negative captions take part at all.
        imc_weight: caption against its own negatives, in the text's space.
        cmr_weight: rank of the caption above its own negatives, by an adaptive margin.
        negative_scope: whose negative captions are columns of the contrastive term's
            image-to-text softmax: those of the whole ``batch``, the row's ``own``, or ``none``.
        image_columns_weight: negative images of the batch as columns of text-to-image; with
            weight 1 they are part of the contrastive term's softmax.
        image_imc_weight: image against its own negative images, in the images' space.
        image_cmr_weight: rank of the image above its own negative images.
        own_weight: softmax of the caption among its own negatives, for the image.
        local_weight: the same over tokens and the patches that they attend to.
        mirror_weight: the contrastive term of the negative images and the negative captions
            that describe them, with the true captions as negatives.
        distractor_weight: the image-to-text half of that, alone.
        rank_weight: agreement of how images and texts rank each other.
        focal_gamma: exponent γ that turns down rows that are right already, of own and local.
        label_smoothing: β, the share of the label spread evenly, of own and local.
        factor: of the whole sum.
    """

    uses_negatives: bool
    imc_weight: float = 0.0
    cmr_weight: float = 0.0
    negative_scope: NegativeScope = "batch"
    image_columns_weight: float = 0.0
    image_imc_weight: float = 0.0
    image_cmr_weight: float = 0.0
    own_weight: float = 0.0
    local_weight: float = 0.0
    mirror_weight: float = 0.0
    distractor_weight: float = 0.0
    rank_weight: float = 0.0
    focal_gamma: float = 0.0
    label_smoothing: float = 0.0
    factor: float = 1.0

    @property
    def uses_negative_images(self) -> bool:
        """Whether the records' negative images are worth encoding, where there are any."""
        return any(
            (
                self.image_columns_weight,
                self.image_imc_weight,
                self.image_cmr_weight,
                self.mirror_weight,
                self.distractor_weight,
            )
        )

    @property
    def uses_local(self) -> bool:
        """Whether the features of patches and tokens are needed."""
        return self.local_weight > 0


OBJECTIVES = {
    # Radford et al., ICML 2021.
    "clip": ObjectiveSpec(uses_negatives=False, negative_scope="none"),
    # Yuksekgonul et al., ICLR 2023: negatives of the batch as further columns. Its hard images
    # bring captions of their own; ours have none, so they are columns but no rows.
    "negclip": ObjectiveSpec(uses_negatives=True, image_columns_weight=1.0),
    # Rösch et al., ALVR at ACL 2024: each image's own negatives as further columns.
    "roesch": ObjectiveSpec(uses_negatives=True, negative_scope="own"),
    # Zhang et al., CVPR 2024; the weights are those of the released training script. The terms
    # on negative images mirror those on captions, with the same weights.
    "ce-clip": ObjectiveSpec(
        uses_negatives=True,
        imc_weight=0.3,
        cmr_weight=0.2,
        image_imc_weight=0.3,
        image_cmr_weight=0.2,
    ),
    # Oh et al., EMNLP 2024, equation 11: the contrastive term has no negatives.
    "fsc-clip": ObjectiveSpec(
        uses_negatives=True,
        negative_scope="none",
        own_weight=0.5,
        local_weight=0.2,
        focal_gamma=2.0,
        label_smoothing=0.02,
    ),
    # Patel et al., NeurIPS 2024 (TripletCLIP): NegCLIP(I, T; T′) + NegCLIP(I′, T′; T).
    "triplet": ObjectiveSpec(uses_negatives=True, mirror_weight=1.0),
    # Singh et al., WACV 2025: ⅓ (I→[T; T′] + T→[I; I′] + I′→[T′; T]).
    "con-clip": ObjectiveSpec(
        uses_negatives=True, image_columns_weight=1.0, distractor_weight=0.5, factor=2 / 3
    ),
    # Zhang et al., ICCV 2025 (RankCLIP); 1/32 is the released code's, without its ramp.
    "rank-clip": ObjectiveSpec(uses_negatives=False, negative_scope="none", rank_weight=1 / 32),
    # Doveh et al., CVPR 2023, without its paraphrases (L_pos), which records do not carry.
    "svlc": ObjectiveSpec(uses_negatives=True, own_weight=1.0),
}
