"""Images against bags of captions, of which each may be true of its image in part or not at all."""

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.contrast import masked_logsumexp
from hnclip_cli.training.objectives.parts import labeled
from hnclip_cli.training.objectives.passes import EXCLUDED
from hnclip_cli.training.objectives.rows import sum_over_rows, widened
from hnclip_cli.training.objectives.view import View


def multiple_instance(view: View, name: str = "dense") -> Tensor:
    """mean −log( Σₘ e^(s·I·Dₘ) / (Σₘ e^(s·I·Dₘ) + Σ e^(s·I·D′) + Σₘ e^(s·I′·Dₘ)) ).

    Over the images I with dense captions D₁ …; D′ are all dense captions of other images I′.
    DAC's L_MIL (Doveh et al., NeurIPS 2023), after MIL-NCE (Miech et al., CVPR 2020). What
    belongs to one group is not contrasted.

    Args:
        view: with further texts of this name.
    """
    texts = view.texts[name]
    labels = view.labels.long()
    _, text_labels, _ = labeled(view, texts)

    def rows_of(chunk: list[Tensor], columns: list[Tensor], scale: Tensor) -> Tensor:
        images, bags, own_labels, mask = chunk
        all_images, all_texts, all_labels, all_text_labels = columns
        images, bags = widened(images), widened(bags)
        to_texts = scale * torch.einsum("cd,tsd->cts", images, all_texts)
        is_false = (all_text_labels != own_labels[:, None, None]) & (all_text_labels != EXCLUDED)
        to_images = scale * torch.einsum("csd,bd->csb", bags, all_images)
        is_other = mask[..., None] & (all_labels != own_labels[:, None])[:, None]
        logits = torch.cat([to_texts.flatten(1), to_images.flatten(1)], dim=1)
        others = masked_logsumexp(logits, torch.cat([is_false.flatten(1), is_other.flatten(1)], 1))
        own = masked_logsumexp(scale * torch.einsum("cd,csd->cs", images, bags), mask)
        is_there = mask.any(dim=1)
        margin = torch.where(is_there, own, 0) - torch.where(is_there, others, 0)
        return -F.logsigmoid(margin).masked_fill(~is_there, 0).sum()

    total = sum_over_rows(
        rows_of,
        [view.anchors, texts.features, labels, texts.mask],
        [view.anchors, texts.features, labels, text_labels],
        view.scale, view.ranks,
        numbers_per_row=8 * sum(view.counts) * texts.mask.shape[1], chunk_size=view.chunk_size,
    )  # fmt: skip
    return total / view.ranks.sum(texts.mask.any(dim=1).sum()).clamp(min=1)
