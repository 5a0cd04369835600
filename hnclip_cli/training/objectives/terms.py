"""The terms that objectives are made of; docs/terms.md shows them all.

Each is a function of a `View` to the mean over the batch, shape (). Its value is that of all
ranks, its gradient this rank's part. A is a pair's anchor, P its positive, N its negatives, O its
others; from the side of the images the same functions are the terms of negative images.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.models.device import is_gpu
from hnclip_cli.training.objectives.contrast import contrast, drops_empty, masked_logsumexp
from hnclip_cli.training.objectives.local import focal_rows
from hnclip_cli.training.objectives.parts import to_texts
from hnclip_cli.training.objectives.rows import masked_mean, mean_over, sum_over_rows, widened
from hnclip_cli.training.objectives.view import Negatives, View


def intra_modal(view: View) -> Tensor:
    """mean −log( e^(s·A·P) / (e^(s·A·P) + Σₖ e^(s·P·Nₖ)) ), over pairs with negatives.

    CE-CLIP's IMC (Zhang et al., CVPR 2024).
    """
    mask = view.negatives.mask
    # softplus(lse(negatives) − positive), whose gradient keeps its precision near p = 1.
    losses = -F.logsigmoid(view.positive - masked_logsumexp(view.positive_negative, mask))
    return masked_mean(losses, mask.any(dim=1), view.ranks)


def rank_margin(view: View) -> Tensor:
    """mean max(0, s·A·Nₖ − s·A·P + θ[kindₖ]), over negatives.

    θ of a kind starts at 0. After each step it is the mean of s·A·P − s·A·N of that step, in
    [0, ``--threshold-bound``]. A kind that a batch lacks keeps its θ.

    CE-CLIP's CMR (Zhang et al., CVPR 2024).
    """
    margins = view.thresholds.to(view.gaps.dtype)[view.negatives.kinds]
    return masked_mean(F.relu(margins - view.gaps), view.negatives.mask, view.ranks)


def update_thresholds(view: View, thresholds: Tensor, bound: float) -> Tensor:
    """θ for the next step: by kind, the mean of s·A·P − s·A·N in [0, bound].

    A kind without negatives keeps its own. CE-CLIP's adaptive threshold.
    """
    _, mask, kinds = view.negatives
    # Empty slots add 0 to some kind, which keeps shapes free of what the mask holds.
    gaps = view.gaps.detach().masked_fill(~mask, 0)
    values = torch.stack([gaps, mask.to(gaps.dtype)]).flatten(1)
    if is_gpu(kinds.device):  # where index_add_ is slow, and adds in any order
        numbers = torch.arange(len(thresholds), device=kinds.device)
        found = values @ (kinds.flatten()[:, None] == numbers).to(values.dtype)
    else:
        found = values.new_zeros(2, len(thresholds)).index_add_(1, kinds.flatten(), values)
    sums, counts = view.ranks.sum(found)
    means = (sums / counts.clamp(min=1)).clamp(0, bound).to(thresholds.dtype)
    return torch.where(counts > 0, means, thresholds)


def own(view: View, gamma: float = 0.0, smoothing: float = 0.0) -> Tensor:
    """mean Focal(softmax(s·A·[P, N₁ … Nₖ])), over pairs with negatives.

    Focal(p) = Σₖ (1 − pₖ)^γ · (−ỹₖ log pₖ) with ỹₖ = (1 − β)·yₖ + β/(1 + K); yₖ is 1 for P and 0
    for N, γ is ``gamma``, β ``smoothing``. With γ = β = 0 it is −log softmax(…)[P].

    FSC-CLIP, equations 3, 4, 9 and 10 (Oh et al., EMNLP 2024); with γ = β = 0 it is SVLC's
    L_neg (Doveh et al., CVPR 2023).
    """
    mask = view.negatives.mask
    logits = torch.cat([view.positive[:, None], view.anchor_negative], dim=1)
    return masked_mean(focal_rows(logits, mask, gamma, smoothing), mask.any(dim=1), view.ranks)


def mirror(view: View, both_ways: bool = True) -> Tensor:
    """½ mean −log softmax(s·O·[all N; all P])[its N] + ½ mean −log softmax(s·N·[all O])[its O].

    Slot k's other shows what slot k's negative says; slots that lack either are left out. What
    belongs to one pair, or to one group, is not contrasted. Without ``both_ways`` the first mean
    counts whole.

    TripletCLIP's second half (Patel et al., NeurIPS 2024); one way only, CoN-CLIP's L₃ (Singh et
    al., WACV 2025).
    """
    width = min(view.negatives.mask.shape[1], view.others.mask.shape[1])
    both = (view.negatives.mask[:, :width] & view.others.mask[:, :width]).flatten()
    filled, valid = torch.arange(len(both), device=both.device), both
    if drops_empty(both.device):
        filled, valid = filled[both], both[both]
    row = filled // max(1, width)
    others, negatives = (
        side.features[:, :width].flatten(0, 1).index_select(0, filled)
        for side in (view.others, view.negatives)
    )
    further = view.positives.index_select(0, row)[:, None]
    pairs = replace(
        view,
        anchors=others,
        positives=negatives,
        negatives=Negatives(further, valid[:, None], torch.zeros_like(row)[:, None]),
        groups=view.labels.index_select(0, row),
        valid=valid,
    )
    return contrast(pairs, "batch", both_ways=both_ways)


def rank(view: View) -> Tensor:
    """Cross-modal and in-modal rank consistency (Zhang et al., ICCV 2025, RankCLIP).

    With B pairs and S the scaled similarities::

        ( ℓ(S_IT, S_TI) + ℓ(S_TI, S_IT) + ℓ(S_II, S_TT) + ℓ(S_TT, S_II) ) / B

    ℓ(S, R) is ListMLE, averaged over rows: −log of the probability that the Plackett–Luce model
    with scores S draws the columns in the order of R. R has no gradient.
    """
    num_rows = sum(view.counts)

    def rows_of(chunk: list[Tensor], columns: list[Tensor], scale: Tensor) -> Tensor:
        own_images, own_texts = (scale * widened(x) for x in chunk)
        images, texts = columns
        image_text, text_image = own_images @ texts.T, own_texts @ images.T
        image_image, text_text = own_images @ images.T, own_texts @ texts.T
        return (
            list_mle(image_text, text_image).sum()
            + list_mle(text_image, image_text).sum()
            + list_mle(image_image, text_text).sum()
            + list_mle(text_text, image_image).sum()
        )

    pairs = [view.anchors, view.positives]
    total = sum_over_rows(
        rows_of, pairs, pairs, view.scale, view.ranks,
        numbers_per_row=16 * num_rows, chunk_size=view.chunk_size,
    )  # fmt: skip
    return total / num_rows**2


def list_mle(scores: Tensor, truth: Tensor) -> Tensor:
    """−log likelihood of the true order under Plackett and Luce's model (Xia et al., ICML 2008).

    Σⱼ [ log Σ_{l ≥ j} exp(scores_l) − scores_j ], columns sorted by falling truth. The truth has
    no gradient; columns with equal truth rank by their place in the batch. (c, N) twice to (c,).
    """
    # Sorted the other way round, what lies behind a column has been passed before it.
    ranked = scores.gather(1, truth.detach().argsort(dim=1, stable=True))
    return (ranked.logcumsumexp(dim=1) - ranked).sum(dim=1)


def analogy(view: View) -> Tensor:
    """½ mean −log softmax(s·I·[all Q])[its Q] + ½ mean −log softmax(s·T·[all Q])[its Q].

    Over the pairs with a paraphrase Q. SVLC's L_pos (Doveh et al., CVPR 2023).
    """
    texts = view.texts["paraphrases"]
    nothing = texts.keys[:, :0]
    return (
        to_texts(view, view.anchors, texts, nothing)
        + to_texts(view, view.positives, texts, nothing)
    ) / 2


def reconstruction(view: View) -> Tensor:
    """mean −log p(token | those before it, W·t), over the tokens of all paraphrases.

    p is the decoder's, t the feature of T, not normalized, and W is trained. READ-CLIP's L_rec
    (arXiv 2510.16540).
    """
    if view.rebuilt is None:
        raise ValueError("a reconstruction needs what a decoder has rebuilt")
    losses, counts = view.rebuilt
    there = widened(losses).masked_fill(counts == 0, 0)
    return mean_over(there.sum(), counts.sum(), view.ranks)
