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
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives.passes import (
    EXCLUDED,
    FREE,
    Passes,
    default_chunk_size,
    uncontrasted,
)
from hnclip_cli.training.objectives.rows import widened, with_gradients
from hnclip_cli.training.objectives.view import Negatives, View

NegativeScope = Literal["batch", "own", "none"]
TILE = 128  # rows


def contrast(
    view: View, negatives: NegativeScope = "none", others: bool = False, both_ways: bool = True
) -> Tensor:
    """½ mean −log softmax(s·A·[all P; N])[its P] + ½ mean −log softmax(s·P·[all A; O])[its A].

    The value is that of all ranks together; gradients are complete for this rank's features and
    the part of this rank's rows for the scale. 0 without any pair.

    Args:
        view: pairs of one group are not contrasted with each other; negatives always are.
        negatives: which N are candidates: those of the whole ``batch``, the pair's ``own``,
            ``none``.
        others: whether the O of the whole batch are candidates.
        both_ways: whether the second mean is there; else the first one counts whole.

    Source: CLIP's loss (Radford et al., ICML 2021), with negatives that of NegCLIP (Yuksekgonul
    et al., ICLR 2023); the gradient is formed in the forward pass as in Liger Kernel's fused
    linear cross-entropy.
    """
    if not any(view.counts):
        return view.scale * 0
    further, further_labels = candidates(view.negatives, negatives == "batch")
    rivals, rival_labels = candidates(view.others, others and both_ways)
    labels, share = view.labels.long(), 0.5 if both_ways else 1.0
    weight: Tensor | float = share / sum(view.counts)
    if view.valid is not None:
        labels = labels.masked_fill(~view.valid, EXCLUDED)
        weight = share / view.ranks.sum(view.valid.sum()).clamp(min=1).to(view.scale.dtype)
    own = view.scale.new_full(labels.shape, -torch.inf)
    if negatives == "own":
        own = masked_logsumexp(view.anchor_negative, view.negatives.mask)
    problem = Problem(view, labels, further_labels, rival_labels, both_ways, weight)
    inputs = [view.anchors, view.positives, further, rivals, view.positive, own]
    if view.implementation == "dense" and view.ranks.size == 1:
        return _dense(inputs, view.scale, problem)
    # With several ranks all must agree, so what requires a gradient on one does not count.
    wanted = torch.is_grad_enabled() and (
        view.ranks.size > 1 or any(x.requires_grad for x in (*inputs, view.scale))
    )
    with torch.no_grad():
        loss, by_features, factor, by_others = _chunked(inputs, view.scale, problem, wanted)
    loss = with_gradients(loss, [*inputs[4:], view.scale], by_others)
    return with_gradients(loss, inputs[:4], by_features, factor)


def masked_logsumexp(logits: Tensor, mask: Tensor, dim: int = 1) -> Tensor:
    """Over what the mask keeps; −inf, without NaN in its gradient, for nothing."""
    nothing = ~mask.any(dim=dim, keepdim=True)
    kept = logits.masked_fill(~mask, -torch.inf).masked_fill(nothing, 0)
    return kept.logsumexp(dim=dim).masked_fill(nothing.squeeze(dim), -torch.inf)


def drops_empty(device: torch.device) -> bool:
    """Whether empty slots are left out, not masked: elsewhere their number would be waited for."""
    return device.type == "cpu"


def candidates(negatives: Negatives, all_of_them: bool) -> tuple[Tensor, Tensor]:
    """Negatives as further candidates (n, D), and their labels (n,), FREE or EXCLUDED."""
    features, mask = negatives.features.flatten(0, 1), negatives.mask.flatten()
    if not all_of_them:
        features, mask = features[:0], mask[:0]
    elif drops_empty(mask.device):
        filled = mask.nonzero().squeeze(1)
        if len(filled) < len(mask):
            features, mask = features.index_select(0, filled), mask[filled]
    return features, torch.full_like(mask, EXCLUDED, dtype=torch.int64).masked_fill(mask, FREE)


class Problem(NamedTuple):
    """What is contrasted with what; an excluded pair has a loss and gradients of 0."""

    view: View
    labels: Tensor  # (b,) of this rank's pairs
    further_labels: Tensor  # (v,) of the anchors' further candidates
    other_labels: Tensor  # (r,) of the positives' further candidates
    both_ways: bool
    weight: Tensor | float  # of each pair and direction in the loss


def _dense(inputs: Sequence[Tensor], scale: Tensor, problem: Problem) -> Tensor:
    """The definition, with all logits at once; any number of derivatives."""
    anchors, positives, further, others, _, own = map(widened, inputs)
    labels = problem.labels

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
    return problem.weight * losses.sum()


@dataclass
class _Rows:
    """Rows of this process, in the precision of the matrix products, and what is found of them."""

    features: Tensor  # (n, D)
    labels: Tensor  # (n,)
    columns: list[Tensor]  # what they meet, (B, D) and perhaps (V, D)
    positive: Tensor  # (n,) logit of each row's own positive; ∞ where it has none
    own: Tensor  # (n,) lse of candidates that only its own row meets
    others: Tensor = field(init=False)  # (n,) lse of all of a row's candidates but its positive
    gradient: Tensor = field(init=False)  # (n, D) by the features


@dataclass
class _Table:
    """All rows of this process against the columns of all."""

    rows: list[_Rows]  # the anchors, and the further candidates of the positives
    columns: list[Tensor]  # the positives (B, D), and the further candidates of the anchors (V, D)
    labels: Tensor  # of all columns, or of the positives where all others are FREE
    counts: list[list[int]]  # how many of each kind of column each rank holds
    workspace: Tensor  # what the cosines of all chunks are written to
    totals: list[Tensor] = field(init=False)  # the gradients by the columns

    @classmethod
    def gather(cls, inputs: Sequence[Tensor], problem: Problem, dtype: torch.dtype) -> "_Table":
        anchors, positives, further, others, positive, own = inputs
        ranks, device = problem.view.ranks, anchors.device
        counts = [problem.view.counts, ranks.counts(len(further))]
        # Apart, so that a positive's column is its row whatever the negatives.
        columns = [
            ranks.gather(_rounded(block, dtype), count)
            for block, count in zip((positives, further), counts, strict=True)
        ]
        labels = ranks.gather(problem.labels, counts[0])
        if not drops_empty(device):
            labels = torch.cat([labels, ranks.gather(problem.further_labels, counts[1])])
        none = positive.new_full(others.shape[:1], -torch.inf)
        rows = [
            _Rows(_rounded(anchors, dtype), problem.labels, columns, positive, own),
            _Rows(_rounded(others, dtype), problem.other_labels, columns[:1], -none, none),
        ]
        width = sum(len(block) for block in columns)
        chunk_size = problem.view.chunk_size or default_chunk_size(width, device)
        chunk_size = min(chunk_size, max(1, *(len(block.features) for block in rows)))
        workspace = columns[0].new_empty(chunk_size * width)
        return cls(rows, columns, labels, counts, workspace)

    def chunks(self, rows: _Rows, columns: list[Tensor]) -> Iterator[tuple[slice, Tensor]]:
        """Rows, and their cosines (C, W), written over those of the chunk before."""
        count, width = len(rows.features), sum(len(block) for block in columns)
        most = len(self.workspace) // width
        # Of about the same size each, in whole tiles of the products.
        size = math.ceil(count / max(1, math.ceil(count / most)))
        size = min(most, math.ceil(size / TILE) * TILE)
        for start in range(0, count, max(1, size)):
            part = slice(start, min(start + size, count))
            shape = part.stop - start, width
            cosines = self.workspace[: math.prod(shape)].view(shape)
            pieces = cosines.split_with_sizes([len(block) for block in columns], dim=1)
            for block, out in zip(columns, pieces, strict=True):
                torch.mm(rows.features[part], block.T, out=out)
            yield part, cosines


def _rounded(features: Tensor, dtype: torch.dtype) -> Tensor:
    """As they are multiplied; empty slots may hold numbers that are infinite in half precision."""
    rounded = features.to(dtype)
    return rounded if rounded is features else rounded.clamp_(-2, 2)


def _chunked(
    inputs: Sequence[Tensor], scale: Tensor, problem: Problem, with_gradient: bool
) -> tuple[Tensor, Sequence[Tensor | None], Tensor | None, Sequence[Tensor | None]]:
    """The loss, its gradients by four features, their common factor, and the other gradients."""
    ranks, (anchors, _, _, others, positive, own) = problem.view.ranks, inputs
    passes, dtype = problem.view.passes
    table = _Table.gather(inputs, problem, dtype)
    counts, further_counts = table.counts

    every = ranks.gather(positive, counts)
    column_others = torch.full_like(every, -torch.inf)
    column_lse = -column_others  # e^(logit − ∞) is 0: no softmax over columns
    if problem.both_ways:
        column_others = _merge_ranks(_column_pass(table, scale, passes, len(every)), ranks)
        column_lse = torch.logaddexp(column_others, every)
    _row_pass(table, scale, passes, column_lse, with_gradient)

    row_others = table.rows[0].others
    row_excess, column_excess = row_others - positive, ranks.own(column_others, counts) - positive
    losses = -F.logsigmoid(-row_excess) - F.logsigmoid(-column_excess)
    loss = ranks.sum(problem.weight * losses.sum())
    if not with_gradient:
        return loss, [None] * 4, None, [None] * 3
    del table.workspace  # before anything else is allocated

    found = (
        table.rows[0].gradient,
        ranks.scatter_sum(table.totals[0], counts),
        ranks.scatter_sum(table.totals[1], further_counts),
        table.rows[1].gradient,
    )
    weight = problem.weight / passes.gradient_unit(dtype)
    by_scale = weight * (_dot(anchors, found[0]) + _dot(others, found[3]))
    # ---- the true pairs
    by_positive = -problem.weight * (row_excess.sigmoid() + column_excess.sigmoid())
    by_own = problem.weight * (own - torch.logaddexp(row_others, positive)).exp()
    return loss, found, weight * scale, [by_positive, by_own, by_scale]


def _column_pass(table: _Table, scale: Tensor, passes: Passes, num_columns: int) -> Tensor:
    """(B,): the lse of each positive over the wrong rows of this rank."""
    positives, labels = table.columns[:1], table.labels[:num_columns]
    parts = [
        passes.sum_columns(cosines, scale, rows.labels[part], labels)
        for rows in table.rows
        for part, cosines in table.chunks(rows, positives)
    ]
    sums = torch.cat(parts) if parts else scale.new_full((1, num_columns), -torch.inf)
    return torch.logsumexp(sums, dim=0) if len(sums) > 1 else sums[0]


def _row_pass(
    table: _Table, scale: Tensor, passes: Passes, column_lse: Tensor, with_gradient: bool
) -> None:
    """Find `_Rows.others` and, summed over wrong pairs, the gradients of rows and columns."""

    def empty(features: Tensor) -> Tensor:
        return scale.new_empty(features.shape if with_gradient else (0, 0))

    is_first = len(table.rows[0].features) > 0  # so the first product overwrites what is there
    table.totals = [empty(x) if is_first else empty(x).zero_() for x in table.columns]
    for rows in table.rows:
        rows.others, rows.gradient = torch.empty_like(rows.positive), empty(rows.features)
        labels = table.labels[: sum(len(block) for block in rows.columns)]
        for part, cosines in table.chunks(rows, rows.columns):
            rows.others[part], factor = passes.form_gradient(
                cosines, scale, rows.labels[part], labels,
                rows.positive[part], rows.own[part], column_lse,
            )  # fmt: skip
            if with_gradient:
                _add_gradients(table, rows, part, cosines, factor, overwrite=is_first)
                is_first = False


def _add_gradients(
    table: _Table, rows: _Rows, part: slice, gradient: Tensor, factor: Tensor | None, *,
    overwrite: bool,
) -> None:  # fmt: skip
    """From the gradient of a chunk's cosines to those of its rows and of all columns."""
    pieces = gradient.split_with_sizes([len(block) for block in rows.columns], dim=1)
    features, found = rows.features[part], rows.gradient[part]
    for number in reversed(range(len(pieces))):  # the factor is not that of the first piece
        piece, is_last = pieces[number], number == len(pieces) - 1
        _add_product(found, piece, rows.columns[number], overwrite=is_last)
        weighted = features
        if number and factor is not None:
            found *= factor[:, None]
            weighted = (features * factor[:, None]).to(features.dtype)
        _add_product(table.totals[number], piece.T, weighted, overwrite=overwrite)


def _merge_ranks(lse: Tensor, ranks: Ranks) -> Tensor:
    """The log-sum-exp over the ranks of what each has summed."""
    if ranks.size == 1:
        return lse
    top = ranks.max(lse)
    shift = top.masked_fill(top == -torch.inf, 0)
    return ranks.sum((lse - shift).exp()).log() + shift


def _add_product(total: Tensor, left: Tensor, right: Tensor, *, overwrite: bool) -> None:
    """``total (+)= left @ right``, summed in the precision of ``total``."""
    beta = 0 if overwrite else 1
    if left.dtype == total.dtype:
        total.addmm_(left, right, beta=beta)
    elif total.is_cuda:
        torch.addmm(total, left, right, beta=beta, out_dtype=total.dtype, out=total)
    elif total.is_meta:  # only counted; there torch 2.11 knows no dtype but that of the factors
        torch.mm(left, right, out=total.view(left.dtype)[:, : total.shape[1]])
    else:
        total.addmm_(left.to(total.dtype), right.to(total.dtype), beta=beta)


def _dot(features: Tensor, gradient: Tensor) -> Tensor:
    return torch.dot(features.to(gradient.dtype).flatten(), gradient.flatten())
