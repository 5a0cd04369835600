"""Each image with each text for itself: true or false, by a sigmoid with a bias."""

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.contrast import candidates
from hnclip_cli.training.objectives.passes import EXCLUDED, uncontrasted
from hnclip_cli.training.objectives.rows import masked_mean, sum_over_rows, widened
from hnclip_cli.training.objectives.view import View


def sigmoid(view: View, negatives: bool = False) -> Tensor:
    """Mean over pairs of −log σ(s·A·P + b), and of −Σ log σ(−s·A·P′ − b) over all other P′.

    SigLIP's loss (Zhai et al., ICCV 2023, algorithm 1). Pairs of one group are left out of the
    sum.

    Args:
        view: with a ``bias`` b.
        negatives: whether the negatives and others of the whole batch are in the sum, too:
            −Σ log σ(−s·A·N − b) over all N, and −Σ log σ(−s·O·P − b) over all O.

    Raises:
        ValueError: there is no bias.
    """
    if view.bias is None:
        raise ValueError("got no logit_bias, which a sigmoid term needs")
    labels = view.labels.long()
    valid = torch.ones_like(labels, dtype=torch.bool) if view.valid is None else view.valid
    labels = labels.masked_fill(~valid, EXCLUDED)
    anchors, positives = (view.anchors, labels), (view.positives, labels)
    false_pairs = [(anchors, positives)]
    if negatives:
        false_pairs += [
            (candidates(view.negatives, True), anchors),
            (candidates(view.others, True), positives),
        ]
    total = torch.stack([_repulsion(view, *sides) for sides in false_pairs]).sum()
    count = view.ranks.sum(valid.sum()).clamp(min=1)
    return masked_mean(-F.logsigmoid(view.positive + view.bias), valid, view.ranks) + total / count


def _repulsion(view: View, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]) -> Tensor:
    """−Σ log σ(−s·row·column − b) over what is contrasted; each side with its labels."""

    def rows_of(chunk: list[Tensor], columns: list[Tensor], shared: Tensor) -> Tensor:
        (features, row_labels), (others, labels), (scale, bias) = chunk, columns, shared
        logits = scale * widened(features) @ others.T + bias
        return F.softplus(logits).masked_fill(uncontrasted(row_labels, labels), 0).sum()

    assert view.bias is not None
    return sum_over_rows(
        rows_of, rows, columns, torch.stack([view.scale, view.bias]), view.ranks,
        numbers_per_row=4 * sum(view.counts), chunk_size=view.chunk_size,
    )  # fmt: skip
