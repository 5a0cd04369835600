"""Terms in which a pair meets its own negatives only.

They cost O(B·K·D), or O(B·K·L·P·D) over tokens; no matrix of the batch against itself.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.batch import Batch
from hnclip_cli.training.objectives.rows import masked_mean, sum_over_rows, widened


def own(batch: Batch) -> Tensor:
    """The caption among its own negatives, for the image; mean over rows that have negatives.

    FSC-CLIP, equations 3, 4, 9 and 10 (Oh et al., EMNLP 2024); with γ = β = 0 it is SVLC's
    L_neg (Doveh et al., CVPR 2023).
    """
    images, texts, negatives = map(
        widened, (batch.features.images, batch.features.texts, batch.features.negatives)
    )
    positive = (images * texts).sum(dim=1, keepdim=True)
    logits = torch.cat([positive, torch.einsum("bd,bkd->bk", images, negatives)], dim=1)
    rows = focal_rows(
        batch.scale * logits, batch.slots.mask, batch.spec.focal_gamma, batch.spec.label_smoothing
    )
    return masked_mean(rows, batch.slots.mask.any(dim=1), batch.ranks)


def local(batch: Batch, chunk_size: int | None = None) -> Tensor:
    """The same with similarities summed over tokens; mean over rows that have negatives.

    FSC-CLIP, equations 5 to 10 (Oh et al., EMNLP 2024).

    Args:
        batch: with the features of patches and tokens.
        chunk_size: rows that are computed at a time; chosen by memory by default.
    """
    spec, mask = batch.spec, batch.slots.mask
    patches, tokens, words = batch.features.tokens()

    def rows_of(chunk: list[Tensor], _: list[Tensor], scale: Tensor, __: int) -> Tensor:
        patches, tokens, words, mask = chunk
        scores = local_scores(widened(patches), widened(tokens), words, scale)
        return focal_rows(scores, mask, spec.focal_gamma, spec.label_smoothing).sum()

    num_patches, dim = patches.shape[1:]
    total = sum_over_rows(
        rows_of,
        [patches, tokens, words, mask],
        [],
        batch.scale,
        batch.ranks,
        numbers_per_row=tokens.shape[1] * tokens.shape[2] * (num_patches + 3 * dim),
        chunk_size=chunk_size,
    )
    return total / batch.ranks.sum(mask.any(dim=1).sum()).clamp(min=1)


def local_scores(patches: Tensor, tokens: Tensor, words: Tensor, scale: Tensor) -> Tensor:
    """log Σ_w exp(s·cos(v̂_w, t_w)), where v̂_w is the mean of the patches that token w attends to.

    The attention is min-max normalized over the patches and has no gradient. All patches count
    alike where a token finds all of them alike.

    Args:
        patches: (c, P, D).
        tokens: (c, C, L, D), of C captions a row.
        words: (c, C, L) bool.
        scale: ().

    Returns:
        (c, C); finite where a caption has no words, and then without gradient.
    """
    with torch.no_grad():
        similarity = torch.einsum("cwld,cpd->cwlp", tokens, patches)
        low, high = similarity.amin(dim=-1, keepdim=True), similarity.amax(dim=-1, keepdim=True)
        attention = torch.where(high > low, (similarity - low) / (high - low), 1.0)
    # A sum in place of the mean: the cosine is the same.
    attended = torch.einsum("cwlp,cpd->cwld", attention, patches)
    cosine = F.cosine_similarity(attended, tokens, dim=-1)
    # The lowest finite number in place of -inf: a caption without words has no NaN for a gradient.
    return (scale * cosine).masked_fill(~words, torch.finfo(cosine.dtype).min).logsumexp(dim=-1)


def focal_rows(logits: Tensor, mask: Tensor, gamma: float, smoothing: float) -> Tensor:
    """Focal loss of the first of 1 + K classes, with smoothed labels: equations 9 and 10.

    Σ_k (1 − p_k)^γ · (−ỹ_k log p_k), with ỹ_k = (1 − β)·y_k + β/(1 + K_i) over the K_i negatives
    that row i has.

    Args:
        logits: (c, 1 + K), the caption's and its negatives'.
        mask: (c, K) bool, which negatives are there.
        gamma: γ.
        smoothing: β.

    Returns:
        (c,); 0 for a row without negatives.
    """
    valid = F.pad(mask, (1, 0), value=True)
    log_p = logits.masked_fill(~valid, -torch.inf).log_softmax(dim=1).masked_fill(~valid, 0)
    labels = smoothing / valid.sum(dim=1, keepdim=True, dtype=log_p.dtype).expand_as(log_p)
    labels = torch.cat([labels[:, :1] + (1 - smoothing), labels[:, 1:]], dim=1)
    focus = (-log_p.expm1()).clamp(min=0) ** gamma
    return (focus * labels * -log_p).sum(dim=1).masked_fill(~mask.any(dim=1), 0)
