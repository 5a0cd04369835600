"""The terms of CLIC: several true captions of two joined images, and a false one (2505.24424)."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.contrast import contrast
from hnclip_cli.training.objectives.rows import masked_mean, widened
from hnclip_cli.training.objectives.view import View


def views(view: View) -> Tensor:
    """mean over the slots l of `contrast` with pₗ for P, of those that some row fills.

    I is two images side by side. p₁ and p₂ are their first sentences in both orders, p₃ and p₄
    further sentences.
    """
    texts = view.texts["views"]
    losses = [
        contrast(replace(view, positives=features, valid=mask))
        for features, mask in zip(
            texts.features.unbind(dim=1), texts.mask.unbind(dim=1), strict=True
        )
    ]
    return _mean_of_slots(view, losses, texts.mask)


def crossed(view: View) -> Tensor:
    """mean over the slots l of mean −log( e^(s·I·pₗ) / (e^(s·I·pₗ) + e^(s·I·n)) ).

    pₗ are those of `views`. n is the first sentences of both images with a word exchanged.
    """
    texts, false = view.texts["views"], view.texts["crossed"]
    images = widened(view.anchors)[:, None]
    positive = view.scale * (images * widened(texts.features)).sum(dim=-1)
    negative = view.scale * (images * widened(false.features[:, :1])).sum(dim=-1)
    mask = texts.mask & false.mask[:, :1] & (texts.keys != false.keys[:, :1])
    losses = -F.logsigmoid(positive - negative)
    of_slots = zip(losses.unbind(dim=1), mask.unbind(dim=1), strict=True)
    return _mean_of_slots(view, [masked_mean(*slot, view.ranks) for slot in of_slots], mask)


def invariance(view: View) -> Tensor:
    """mean ‖p₁ − p₂‖², of the same sentences in both orders."""
    texts = view.texts["views"]
    first, second = widened(texts.features)[:, :2].unbind(dim=1)
    distances = (first - second).square().sum(dim=1)
    return masked_mean(distances, texts.mask[:, :2].all(dim=1), view.ranks)


def _mean_of_slots(view: View, losses: list[Tensor], mask: Tensor) -> Tensor:
    """Over the slots (S,) that some row of some rank fills; empty ones have a loss of 0."""
    filled = view.ranks.sum(mask.sum(dim=0)) > 0
    return torch.stack(losses).sum() / filled.sum().clamp(min=1)
