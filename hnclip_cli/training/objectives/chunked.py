"""The contrastive term in bounded memory: a chunk of rows at a time, its gradient with it.

Shapes: b rows on this process, B on all; V valid negatives on all; D features; C rows a chunk.
Texts and negatives together are the W = B + V candidates of a row.

No logits are kept. A first pass over the images and texts finds the normalizers of the text to
image direction, which need every row. A second pass takes C rows at a time: their logits become,
in place, the gradient of the loss by these logits, which two matrix products turn into the
gradients of the features. Backward only scales what forward has found.

The true pair is kept apart from the others. With x = lse(others) − positive, its cross-entropy
is softplus(x) and its gradient −sigmoid(x), which is −(1 − p) without the cancellation of p − 1
near p = 1.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.distributed import Ranks


class Passes(NamedTuple):
    """What is done to a chunk's cosines, in place; `TORCH_PASSES` define it.

    Both take the cosines of C rows, the scale (), the labels of the C rows and of the B texts.
    A row and a text of one label are a true pair, or not to be contrasted.

    Attributes:
        merge_columns: (cosines (C, B), scale, row_labels, labels, lse (B,)) to the lse (B,) with
            these rows taken in.
        form_gradient: (cosines (C, W), scale, row_labels, labels, positive (C,), own_lse (C,),
            column_lse (B,)) to the lse (C,) of each row's other candidates. The cosines become
            the softmax over their row plus, for texts, that over their column, both in units
            of 1 / `gradient_unit`, and 0 for candidates of the row's label.
        gradient_unit: by dtype of the cosines.
    """

    merge_columns: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
    form_gradient: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
    gradient_unit: Callable[[torch.dtype], float]


def merge_columns(
    cosines: Tensor, scale: Tensor, row_labels: Tensor, labels: Tensor, lse: Tensor
) -> Tensor:
    """`Passes.merge_columns` in plain torch."""
    logits = cosines.mul_(scale).masked_fill_(row_labels[:, None] == labels, -torch.inf)
    return torch.logaddexp(lse, torch.logsumexp(logits, dim=0))


def form_gradient(
    cosines: Tensor,
    scale: Tensor,
    row_labels: Tensor,
    labels: Tensor,
    positive: Tensor,
    own_lse: Tensor,
    column_lse: Tensor,
) -> Tensor:
    """`Passes.form_gradient` in plain torch."""
    logits = cosines.mul_(scale)
    texts = logits[:, : len(labels)]
    texts.masked_fill_(row_labels[:, None] == labels, -torch.inf)
    by_column = (texts - column_lse).exp_()
    # A row without others is −inf throughout; it becomes 0 with any finite shift.
    top = logits.amax(dim=1)
    top.masked_fill_(top == -torch.inf, 0)
    total = logits.sub_(top[:, None]).exp_().sum(dim=1)
    others = torch.logaddexp(top + total.log(), own_lse)
    lse = torch.logaddexp(others, positive)
    # At most 0, but where the shift was made up; there e^… could overflow, and inf · 0 is NaN.
    logits.mul_((top - lse).clamp_(max=0).exp_()[:, None])
    texts.add_(by_column)
    return others


TORCH_PASSES = Passes(merge_columns, form_gradient, lambda _: 1.0)


@dataclass(frozen=True)
class Plan:
    """How the contrastive term is computed; nothing here changes what it is.

    Attributes:
        groups: (b,) integers or None, as in `hard_negative_objective`.
        passes: what works on a chunk.
        dtype: that of the features and cosines inside; sums are in that of the arguments.
        chunk_size: rows at a time, or None for `default_chunk_size`.
        ranks: the processes.
        counts: how many rows each holds.
        with_gradient: form it. All ranks must agree.
    """

    groups: Tensor | None
    passes: Passes
    dtype: torch.dtype
    chunk_size: int | None
    ranks: Ranks
    counts: list[int]
    with_gradient: bool


def default_chunk_size(num_candidates: int, device: torch.device) -> int:
    """Rows of a chunk: enough for efficient matrix products, few enough to need little memory."""
    if device.type == "cuda":
        return max(1024, min(8192, 2**28 // num_candidates))
    return max(64, min(1024, 2**22 // num_candidates))


def chunked_contrastive(
    images: Tensor, texts: Tensor, negatives: Tensor, own_lse: Tensor, scale: Tensor, plan: Plan
) -> Tensor:
    """½ (image to text + text to image), the mean over the rows of all ranks.

    The value is that of all ranks together; gradients are complete for this rank's features and
    the part of this rank's rows for the scale. Differentiable once.

    Args:
        images: (b, D) float32 or float64, as all that follow.
        texts: (b, D).
        negatives: (v, D), this rank's negatives that every row of every rank shall be
            contrasted with.
        own_lse: (b,), log of the summed exponentials of further logits of each image, which
            only its own row contains; −inf where there are none.
        scale: ().
        plan: how.

    Source: the contrastive term of NegCLIP (Yuksekgonul et al., ICLR 2023), with the
    gradient formed in the forward pass as in Liger Kernel's fused linear cross-entropy.
    """
    loss: Tensor = _Contrastive.apply(images, texts, negatives, own_lse, scale, plan)
    return loss


class _Contrastive(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        texts: Tensor,
        negatives: Tensor,
        own_lse: Tensor,
        scale: Tensor,
        plan: Plan,
    ) -> Tensor:
        loss, gradients = _solve(images, texts, negatives, own_lse, scale, plan)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        # once_differentiable would let a second derivative pass, as 0, where upstream is constant.
        if torch.is_grad_enabled():
            raise RuntimeError("got create_graph, expected implementation dense with it")
        return (*(gradient * upstream for gradient in ctx.saved_tensors), None)


def _solve(
    images: Tensor, texts: Tensor, negatives: Tensor, own_lse: Tensor, scale: Tensor, plan: Plan
) -> tuple[Tensor, list[Tensor]]:
    """The loss, and its gradients by images, texts, negatives, own_lse and scale."""
    ranks, passes = plan.ranks, plan.passes
    batch = _Batch.gather(images, texts, negatives, plan)
    positive = scale * (images * texts).sum(dim=1)

    column_others = _column_lse(batch, scale, plan)
    column_lse = torch.logaddexp(column_others, ranks.gather(positive, batch.counts))

    # ---- image to text, and what the other candidates add to the gradients
    row_others = torch.empty_like(positive)
    candidates = [batch.texts, batch.negatives]
    sizes = [len(block) for block in candidates]
    image_gradient = images.new_zeros(images.shape)
    gradients = [images.new_zeros(block.shape if plan.with_gradient else 0) for block in candidates]
    for part in batch.parts():
        cosines = batch.cosines(part, candidates)
        row_others[part] = passes.form_gradient(
            cosines,
            scale,
            batch.row_labels[part],
            batch.labels,
            positive[part],
            own_lse[part],
            column_lse,
        )
        if not plan.with_gradient:
            continue
        for block, gradient, total in zip(
            candidates, cosines.split_with_sizes(sizes, dim=1), gradients, strict=True
        ):
            _add_product(image_gradient[part], gradient, block)
            _add_product(total, gradient.T, batch.rows[part])

    row_excess = row_others - positive
    column_excess = ranks.own(column_others, batch.counts) - positive
    weight = 0.5 / len(batch.labels)
    loss = -weight * ranks.sum((F.logsigmoid(-row_excess) + F.logsigmoid(-column_excess)).sum())
    if not plan.with_gradient:
        return loss, []

    # ---- the true pairs, and the units
    pull = (row_excess.sigmoid() + column_excess.sigmoid())[:, None]
    unit = 1 / passes.gradient_unit(plan.dtype)
    image_gradient.mul_(unit).addcmul_(pull, texts, value=-1)
    scale_gradient = weight * torch.dot(images.flatten(), image_gradient.flatten())
    text_gradient = ranks.scatter_sum(gradients[0], batch.counts)
    text_gradient.mul_(unit).addcmul_(pull, images, value=-1)
    negative_gradient = ranks.scatter_sum(gradients[1], batch.negative_counts)
    own_gradient = weight * (own_lse - torch.logaddexp(row_others, positive)).exp()
    return loss, [
        image_gradient.mul_(weight * scale),
        text_gradient.mul_(weight * scale),
        negative_gradient.mul_(weight * scale * unit),
        own_gradient,
        scale_gradient,
    ]


@dataclass(frozen=True)
class _Batch:
    """This rank's rows and all ranks' candidates, in the precision of the matrix products.

    Attributes:
        rows: (b, D), this rank's images.
        texts, negatives: (B, D) and (V, D), of all ranks.
        row_labels, labels: (b,) and (B,), see `Passes`.
        counts, negative_counts: how many texts and negatives each rank holds.
        chunk_size: rows at a time.
        workspace: (chunk_size · W,), what the cosines of all chunks are written to.
    """

    rows: Tensor
    texts: Tensor
    negatives: Tensor
    row_labels: Tensor
    labels: Tensor
    counts: list[int]
    negative_counts: list[int]
    chunk_size: int
    workspace: Tensor

    @classmethod
    def gather(cls, images: Tensor, texts: Tensor, negatives: Tensor, plan: Plan) -> "_Batch":
        ranks, device = plan.ranks, images.device
        counts = plan.counts
        negative_counts = ranks.counts(len(negatives), device)
        num_texts, num_candidates = sum(counts), sum(counts) + sum(negative_counts)
        if plan.groups is None:
            labels = torch.arange(num_texts, device=device)
        else:
            labels = ranks.gather(plan.groups, counts)
        rows = images.to(plan.dtype)
        chunk_size = plan.chunk_size or default_chunk_size(num_candidates, device)
        chunk_size = min(chunk_size, max(1, len(rows)))
        return cls(
            rows,
            # Apart, so that a text's column is its row whatever the negatives.
            ranks.gather(texts.to(plan.dtype), counts),
            ranks.gather(negatives.to(plan.dtype), negative_counts),
            ranks.own(labels, counts),
            labels,
            counts,
            negative_counts,
            chunk_size,
            rows.new_empty(chunk_size * num_candidates),
        )

    def parts(self) -> Iterator[slice]:
        """The rows of each chunk."""
        for start in range(0, len(self.rows), self.chunk_size):
            yield slice(start, min(start + self.chunk_size, len(self.rows)))

    def cosines(self, part: slice, candidates: list[Tensor]) -> Tensor:
        """(C, number of candidates), written over those of the chunk before."""
        sizes = [len(block) for block in candidates]
        shape = part.stop - part.start, sum(sizes)
        cosines = self.workspace[: math.prod(shape)].view(shape)
        for block, columns in zip(candidates, cosines.split_with_sizes(sizes, dim=1), strict=True):
            torch.mm(self.rows[part], block.T, out=columns)
        return cosines


def _column_lse(batch: _Batch, scale: Tensor, plan: Plan) -> Tensor:
    """(B,): of each text, over the wrong images of all ranks."""
    lse = scale.new_full((len(batch.labels),), -torch.inf)
    for part in batch.parts():
        cosines = batch.cosines(part, [batch.texts])
        lse = plan.passes.merge_columns(cosines, scale, batch.row_labels[part], batch.labels, lse)
    return _merge_ranks(lse, plan.ranks)


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
