"""The softmaxes of a batch over itself: each pair against all others, in bounded memory.

Shapes: b pairs on this process, B on all; v further candidates of the anchors here, V on all;
r further anchors here; D features; C rows a chunk, W columns.

Rows are anchors, columns are positives and further candidates: a row's softmax runs over all
columns, a positive's over all rows. `_dense` writes that out. `_chunked` keeps no logits. A first
pass over the rows finds the normalizers of the columns, which need every row. A second takes C
rows at a time: their logits become, in place, the gradient of the loss by these logits, which
matrix products turn into the gradients of the features. Backward only scales what forward found.

The true pair is kept apart from the others. With x = lse(others) − positive, its cross-entropy
is softplus(x) and its gradient −sigmoid(x), which is −(1 − p) without the cancellation of p − 1
near p = 1.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives.passes import (
    EXCLUDED,
    FREE,
    Passes,
    choose_passes,
    default_chunk_size,
    uncontrasted,
)
from hnclip_cli.training.objectives.rows import with_gradients
from hnclip_cli.training.objectives.view import Negatives, View

NegativeScope = Literal["batch", "own", "none"]


def contrast(
    view: View, negatives: NegativeScope = "none", others: bool = False, both_ways: bool = True
) -> Tensor:
    """Mean over pairs of −log softmax(s·anchor·[positives; negatives])[its positive].

    With ``both_ways``, half of it, and half of −log softmax(s·positive·[anchors; others])[its
    anchor]. The value is that of all ranks together; gradients are complete for this rank's
    features and the part of this rank's rows for the scale. 0 without any pair.

    Args:
        view: pairs of one group are not contrasted with each other; negatives always are.
        negatives: which are candidates: those of the whole ``batch``, the pair's ``own``, ``none``.
        others: whether those of the whole batch are candidates.
        both_ways: whether positives are contrasted, too.

    Source: CLIP's loss (Radford et al., ICML 2021), with negatives that of NegCLIP (Yuksekgonul
    et al., ICLR 2023); the gradient is formed in the forward pass as in Liger Kernel's fused
    linear cross-entropy.
    """
    if not any(view.counts):
        return view.scale * 0
    further, further_mask = _taking_part(view.negatives, negatives == "batch")
    rivals, rival_mask = _taking_part(view.others, others and both_ways)
    labels = view.labels.long()
    if view.valid is not None:
        labels = labels.masked_fill(~view.valid, EXCLUDED)
    own = view.scale.new_full(labels.shape, -torch.inf)
    if negatives == "own":
        own = masked_logsumexp(view.anchor_negative, view.negatives.mask)
    problem = Problem(view, labels, _labels_of(further_mask), _labels_of(rival_mask), both_ways)
    inputs = [view.anchors, view.positives, further, rivals, own]
    if view.implementation == "dense" and view.ranks.size == 1:
        return _dense(inputs, view.scale, problem)
    # With several ranks all must agree, so what requires a gradient on one does not count.
    wanted = torch.is_grad_enabled() and (
        view.ranks.size > 1 or any(x.requires_grad for x in (*inputs, view.scale))
    )
    with torch.no_grad():
        loss, gradients = _chunked(inputs, view.scale, problem, wanted)
    return with_gradients(loss, [*inputs, view.scale], gradients)


def masked_logsumexp(logits: Tensor, mask: Tensor) -> Tensor:
    """(B, K) to (B,): over what the mask keeps; −inf, without NaN in its gradient, for nothing."""
    nothing = ~mask.any(dim=1)
    kept = logits.masked_fill(~mask & ~nothing[:, None], -torch.inf)
    return torch.logsumexp(kept, dim=1).masked_fill(nothing, -torch.inf)


def drops_empty(device: torch.device) -> bool:
    """Whether empty slots are left out, not masked: elsewhere their number would be waited for."""
    return device.type == "cpu"


def _taking_part(negatives: Negatives, all_of_them: bool) -> tuple[Tensor, Tensor]:
    """Negatives as candidates (n, D), and which of these take part (n,)."""
    features, mask = negatives.features.flatten(0, 1), negatives.mask.flatten()
    if not all_of_them:
        return features[:0], mask[:0]
    if drops_empty(mask.device):
        filled = mask.nonzero().squeeze(1)
        if len(filled) < len(mask):
            return features.index_select(0, filled), mask[filled]
    return features, mask


def _labels_of(mask: Tensor) -> Tensor:
    return torch.full_like(mask, EXCLUDED, dtype=torch.int64).masked_fill(mask, FREE)


@dataclass(frozen=True)
class Problem:
    """What is contrasted with what.

    Attributes:
        view: the pairs.
        labels: (b,) of this rank's pairs.
        further_labels: (v,) of the anchors' further candidates, FREE or EXCLUDED.
        other_labels: (r,) of the positives' further candidates, FREE or EXCLUDED.
        both_ways: as in `contrast`.
    """

    view: View
    labels: Tensor
    further_labels: Tensor
    other_labels: Tensor
    both_ways: bool

    def mean(self, losses: Tensor) -> Tensor:
        """This rank's part of the mean over all pairs of (b,) summed losses."""
        return self.weight() * self.kept(losses).sum()

    def kept(self, values: Tensor) -> Tensor:
        """(b,) with 0 for pairs that are not there."""
        valid = self.view.valid
        return values if valid is None else values.masked_fill(~valid, 0)

    def weight(self) -> Tensor | float:
        """Of each pair and direction in the loss."""
        valid, share = self.view.valid, 0.5 if self.both_ways else 1.0
        if valid is None:
            return share / sum(self.view.counts)
        return share / self.view.ranks.sum(valid.sum()).clamp(min=1).to(self.view.scale.dtype)


def _dense(inputs: Sequence[Tensor], scale: Tensor, problem: Problem) -> Tensor:
    """The definition, with all logits at once; any number of derivatives."""
    (anchors, positives, further, others, own), labels = inputs, problem.labels

    def logits(rows: Tensor, row_labels: Tensor, columns: Tensor, column_labels: Tensor) -> Tensor:
        apart = uncontrasted(row_labels, column_labels)
        if rows is anchors and columns is positives:
            apart.fill_diagonal_(False)
        return (scale * rows @ columns.T).masked_fill(apart, -torch.inf)

    pairs = logits(anchors, labels, positives, labels)
    by_anchor = [pairs, logits(anchors, labels, further, problem.further_labels), own[:, None]]
    losses = torch.cat(by_anchor, dim=1).logsumexp(dim=1) - pairs.diagonal()
    if problem.both_ways:
        by_positive = [pairs, logits(others, problem.other_labels, positives, labels)]
        losses = losses + torch.cat(by_positive).logsumexp(dim=0) - pairs.diagonal()
    return problem.mean(losses)


@dataclass
class _Rows:
    """Rows of this process, in the precision of the matrix products, and what is found of them.

    Attributes:
        features: (n, D).
        labels: (n,).
        columns: what they meet, (B, D) and perhaps (V, D).
        positive: (n,) logit of each row's own positive; ∞ where it has none.
        own: (n,) lse of candidates that only its own row meets.
        others: (n,) lse of all of a row's candidates but its positive.
        gradient: (n, D) by the features.
    """

    features: Tensor
    labels: Tensor
    columns: list[Tensor]
    positive: Tensor
    own: Tensor
    others: Tensor
    gradient: Tensor


@dataclass
class _Table:
    """All rows of this process against the columns of all.

    Attributes:
        rows: the anchors, and the further candidates of the positives.
        columns: the positives (B, D), and the further candidates of the anchors (V, D).
        labels: of all columns, or of the positives where all others are FREE.
        counts: how many of each kind of column each rank holds.
        totals: the gradients by the columns.
        workspace: what the cosines of all chunks are written to.
    """

    rows: list[_Rows]
    columns: list[Tensor]
    labels: Tensor
    counts: list[list[int]]
    totals: list[Tensor]
    chunk_size: int
    workspace: Tensor

    @classmethod
    def gather(
        cls, inputs: Sequence[Tensor], positive: Tensor, problem: Problem, dtype: torch.dtype
    ) -> "_Table":
        anchors, positives, further, others, own = inputs
        ranks, device = problem.view.ranks, anchors.device
        counts = [problem.view.counts, ranks.counts(len(further))]
        # Apart, so that a positive's column is its row whatever the negatives.
        columns = [
            ranks.gather(block.to(dtype), count)
            for block, count in zip((positives, further), counts, strict=True)
        ]
        labels = ranks.gather(problem.labels, counts[0])
        if not drops_empty(device):
            labels = torch.cat([labels, ranks.gather(problem.further_labels, counts[1])])
        none = positive.new_full(others.shape[:1], -torch.inf)
        rows = [
            _Rows(features.to(dtype), labels, seen, positive, own, positive, features)
            for features, labels, seen, positive, own in (
                (anchors, problem.labels, columns, positive, own),
                (others, problem.other_labels, columns[:1], -none, none),
            )
        ]
        width = sum(len(block) for block in columns)
        chunk_size = problem.view.chunk_size or default_chunk_size(width, device)
        chunk_size = min(chunk_size, max(1, *(len(block.features) for block in rows)))
        workspace = columns[0].new_empty(chunk_size * width)
        return cls(rows, columns, labels, counts, [], chunk_size, workspace)

    def chunks(self, rows: _Rows, columns: list[Tensor]) -> Iterator[tuple[slice, Tensor]]:
        """Rows, and their cosines (C, W), written over those of the chunk before."""
        count, width = len(rows.features), sum(len(block) for block in columns)
        # Of about the same size each.
        size = math.ceil(count / max(1, math.ceil(count / self.chunk_size)))
        for start in range(0, count, max(1, size)):
            part = slice(start, min(start + size, count))
            shape = part.stop - start, width
            cosines = self.workspace[: math.prod(shape)].view(shape)
            for block, out in zip(columns, _split(cosines, columns), strict=True):
                torch.mm(rows.features[part], block.T, out=out)
            yield part, cosines


def _split(cosines: Tensor, columns: list[Tensor]) -> Sequence[Tensor]:
    return cosines.split_with_sizes([len(block) for block in columns], dim=1)


def _chunked(
    inputs: Sequence[Tensor], scale: Tensor, problem: Problem, with_gradient: bool
) -> tuple[Tensor, list[Tensor | None]]:
    """The loss, and its gradients by the inputs and the scale."""
    ranks, (anchors, positives, _, others, own) = problem.view.ranks, inputs
    passes, dtype = choose_passes(problem.view)
    positive = scale * (anchors * positives).sum(dim=1)
    table = _Table.gather(inputs, positive, problem, dtype)
    counts, further_counts = table.counts

    every = ranks.gather(positive, counts)
    column_others = torch.full_like(every, -torch.inf)
    column_lse = -column_others  # e^(logit − ∞) is 0: no softmax over columns
    if problem.both_ways:
        column_others = _merge_ranks(_column_pass(table, scale, passes, column_others), ranks)
        column_lse = torch.logaddexp(column_others, every)
    _row_pass(table, scale, passes, column_lse, with_gradient)

    row_others = table.rows[0].others
    row_excess, column_excess = row_others - positive, ranks.own(column_others, counts) - positive
    losses = -F.logsigmoid(-row_excess)
    if problem.both_ways:
        losses = losses - F.logsigmoid(-column_excess)
    loss = ranks.sum(problem.mean(losses))
    if not with_gradient:
        return loss, [None] * 6

    # ---- the true pairs, and the units
    weight, unit = problem.weight(), 1 / passes.gradient_unit(dtype)
    pull = problem.kept(row_excess.sigmoid() + column_excess.sigmoid())[:, None]
    anchor_gradient, other_gradient = (rows.gradient.mul_(unit) for rows in table.rows)
    anchor_gradient.addcmul_(pull, positives, value=-1)
    scale_gradient = torch.dot(anchors.flatten(), anchor_gradient.flatten())
    scale_gradient += torch.dot(others.flatten(), other_gradient.flatten())
    positive_gradient = ranks.scatter_sum(table.totals[0], counts).mul_(unit)
    positive_gradient.addcmul_(pull, anchors, value=-1)
    further_gradient = ranks.scatter_sum(table.totals[1], further_counts).mul_(unit)
    own_gradient = problem.kept(weight * (own - torch.logaddexp(row_others, positive)).exp())
    found = (anchor_gradient, positive_gradient, further_gradient, other_gradient)
    features_gradients = [gradient.mul_(weight * scale) for gradient in found]
    return loss, [*features_gradients, own_gradient, weight * scale_gradient]


def _column_pass(table: _Table, scale: Tensor, passes: Passes, lse: Tensor) -> Tensor:
    """(B,): of each positive, over the wrong rows of this rank."""
    positives, labels = table.columns[:1], table.labels[: len(lse)]
    for rows in table.rows:
        for part, cosines in table.chunks(rows, positives):
            lse = passes.merge_columns(cosines, scale, rows.labels[part], labels, lse)
    return lse


def _row_pass(
    table: _Table, scale: Tensor, passes: Passes, column_lse: Tensor, with_gradient: bool
) -> None:
    """Find `_Rows.others` and, summed over wrong pairs, the gradients of rows and columns."""

    def zeros(features: Tensor) -> Tensor:
        shape = features.shape if with_gradient else (0, 0)
        return scale.new_zeros(shape)

    table.totals = [zeros(block) for block in table.columns]
    for rows in table.rows:
        rows.others, rows.gradient = torch.empty_like(rows.positive), zeros(rows.features)
        labels = table.labels[: sum(len(block) for block in rows.columns)]
        for part, cosines in table.chunks(rows, rows.columns):
            rows.others[part] = passes.form_gradient(
                cosines, scale, rows.labels[part], labels,
                rows.positive[part], rows.own[part], column_lse,
            )  # fmt: skip
            if with_gradient:
                pieces = _split(cosines, rows.columns)
                for block, piece, total in zip(rows.columns, pieces, table.totals, strict=False):
                    _add_product(rows.gradient[part], piece, block)
                    _add_product(total, piece.T, rows.features[part])


def _merge_ranks(lse: Tensor, ranks: Ranks) -> Tensor:
    """The log-sum-exp over the ranks of what each has summed."""
    if ranks.size == 1:
        return lse
    top = ranks.max(lse)
    shift = top.masked_fill(top == -torch.inf, 0)
    return ranks.sum((lse - shift).exp()).log() + shift


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """``total += left @ right``, summed in the precision of ``total``."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    elif total.is_cuda:
        torch.addmm(total, left, right, out_dtype=total.dtype, out=total)
    else:
        total.addmm_(left.to(total.dtype), right.to(total.dtype))
