"""A caption among its own negatives by its words, and the focal loss of such a choice."""

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.rows import sum_over_rows, widened
from hnclip_cli.training.objectives.view import View


def local(view: View, gamma: float = 0.0, smoothing: float = 0.0) -> Tensor:
    """`own` with log Σ_w e^(s·cos(v̂_w, t_w)) for s·A·P and s·A·N, over the words w of each caption.

    t_w is the projected feature of a word. v̂_w is the mean of the projected patches v_p, with
    weights t_w·v_p scaled to [0, 1] over the patches. The weights have no gradient.

    FSC-CLIP, equations 5 to 10 (Oh et al., EMNLP 2024). It costs O(B·K·L·P·D), and raises
    ValueError where the features of patches and words are missing.
    """
    if view.tokens is None:
        raise ValueError("a local term needs image_tokens, text_tokens and text_token_mask")
    mask, (patches, words, are_words) = view.negatives.mask, view.tokens

    def rows_of(chunk: list[Tensor], _: list[Tensor], scale: Tensor) -> Tensor:
        patches, words, are_words, mask = chunk
        scores = local_scores(widened(patches), widened(words), are_words, scale)
        return focal_rows(scores, mask, gamma, smoothing).sum()

    num_patches, dim = patches.shape[1:]
    total = sum_over_rows(
        rows_of, [patches, words, are_words, mask], [], view.scale, view.ranks,
        numbers_per_row=words.shape[1] * words.shape[2] * (num_patches + 3 * dim),
        chunk_size=view.chunk_size,
    )  # fmt: skip
    return total / view.ranks.sum(mask.any(dim=1).sum()).clamp(min=1)


def local_scores(patches: Tensor, tokens: Tensor, words: Tensor, scale: Tensor) -> Tensor:
    """log Σ_w exp(s·cos(v̂_w, t_w)), where v̂_w is the mean of the patches that token w attends to.

    The attention is min-max normalized over the patches and has no gradient. All patches count
    alike where a token finds all of them alike.

    Patches (c, P, D), tokens of C captions a row (c, C, L, D), bool words (c, C, L) and scale ()
    to (c, C); finite where a caption has no words, and then without gradient.
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
    that row i has; γ is ``gamma``, β ``smoothing``.

    Logits of the caption and its negatives (c, 1 + K), and which negatives are there (c, K) bool,
    to (c,); 0 for a row without negatives.
    """
    valid = F.pad(mask, (1, 0), value=True)
    log_p = logits.masked_fill(~valid, -torch.inf).log_softmax(dim=1).masked_fill(~valid, 0)
    labels = smoothing / valid.sum(dim=1, keepdim=True, dtype=log_p.dtype).expand_as(log_p)
    labels = torch.cat([labels[:, :1] + (1 - smoothing), labels[:, 1:]], dim=1)
    focus = (-log_p.expm1()).clamp(min=0) ** gamma
    return (focus * labels * -log_p).sum(dim=1).masked_fill(~mask.any(dim=1), 0)
