"""What is done to the cosines of a chunk of rows, in plain torch.

Shapes: C rows of the chunk, W columns, the first B of them with a softmax over all rows.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from hnclip_cli.models.device import is_gpu
from hnclip_cli.training.objectives.rows import refuse_second_derivative, widened

Implementation = Literal["auto", "dense", "chunked", "triton"]

_LOG = logging.getLogger(__name__)
GPU_COSINES = 620_000_000  # of a chunk: 1.24 GB of half precision
# Triton's kernels are tried on so many rows, texts and columns: more than one tile of each.
BLOCK = (70, 150, 2100)
# How far they may be from plain torch, which rounds nothing to half precision.
BOUNDS = {torch.float16: 2e-3, torch.float32: 1e-4}

# Labels of rows and columns. Of one label they are a true pair or not to be contrasted; FREE is
# contrasted with all, EXCLUDED with none.
FREE, EXCLUDED = -(2**62) - 1, -(2**62)


def uncontrasted(row_labels: Tensor, labels: Tensor) -> Tensor:
    """(C,) and (W,) to (C, W) bool."""
    same = row_labels[:, None] == labels
    return same.logical_or_(labels == EXCLUDED).logical_or_((row_labels == EXCLUDED)[:, None])


class Passes(NamedTuple):
    """What is done to cosines; `TORCH_PASSES` define it.

    The first two work on a chunk, in place. They take the cosines of C rows, the scale (), the
    labels of the rows (C,) and of the first columns; columns without a label are contrasted with
    all rows but excluded ones.
    """

    sum_columns: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    form_gradient: Callable[
        [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor | None]
    ]
    gradient_unit: Callable[[torch.dtype], float]  # by dtype of the cosines
    own_cosines: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def sum_columns(cosines: Tensor, scale: Tensor, row_labels: Tensor, labels: Tensor) -> Tensor:
    """Cosines (C, B) to the columns' lse over these rows, in n parts of the rows: (n, B)."""
    logits = cosines.mul_(scale).masked_fill_(uncontrasted(row_labels, labels), -torch.inf)
    return torch.logsumexp(logits, dim=0, keepdim=True)


def form_gradient(
    cosines: Tensor,
    scale: Tensor,
    row_labels: Tensor,
    labels: Tensor,
    positive: Tensor,
    own_lse: Tensor,
    column_lse: Tensor,
) -> tuple[Tensor, None]:
    """To the lse (C,) of each row's other candidates; the cosines (C, W) become the gradient.

    That is the softmax over their row plus, in the first B columns, that over their column, in
    units of 1 / `Passes.gradient_unit`, and 0 for what is not contrasted. A row whose positive is
    ∞ has no softmax of its own. The second result, if any, is a factor (C,) by which the columns
    behind the first B have yet to be multiplied.
    """
    logits = cosines.mul_(scale)
    logits[:, : len(labels)].masked_fill_(uncontrasted(row_labels, labels), -torch.inf)
    texts = logits[:, : len(column_lse)]
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
    return others, None


def own_cosines(anchors: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
    """(B, D) twice and (B, K, D) to anchor·positive (B,) and both by negative (B, 2, K).

    In float32 or wider, and differentiable.
    """
    anchors, positives, negatives = widened(anchors), widened(positives), widened(negatives)
    pairs = torch.stack([anchors, positives], dim=1)
    return (anchors * positives).sum(dim=1), pairs @ negatives.mT


def own_cosines_by(
    find: Callable[..., None], find_gradients: Callable[..., None],
    anchors: Tensor, positives: Tensor, negatives: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`own_cosines` by kernels, which fill what they are given last; differentiable once.

    Args:
        find: takes features, and both kinds of cosines.
        find_gradients: takes features, gradients by the cosines, and gradients by the features.
    """
    found: tuple[Tensor, Tensor] = _OwnCosines.apply(
        find, find_gradients, anchors, positives, negatives
    )
    return found


class _OwnCosines(torch.autograd.Function):
    """Keeps nothing but its inputs."""

    @staticmethod
    def forward(ctx: Any, find: Any, find_gradients: Any, *features: Tensor) -> tuple[Tensor, ...]:
        features = tuple(x.contiguous() for x in features)
        ctx.find_gradients = find_gradients
        ctx.save_for_backward(*features)
        (size, _), num_slots = features[0].shape, features[2].shape[1]
        dtype = torch.promote_types(features[0].dtype, torch.float32)
        cosines = tuple(
            features[0].new_empty(shape, dtype=dtype) for shape in ((size,), (size, 2, num_slots))
        )
        if size:
            find(features, cosines)
        return cosines

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative()
        features = ctx.saved_tensors
        found = tuple(torch.empty_like(x) for x in features)
        if len(found[0]):
            ctx.find_gradients(features, [x.contiguous() for x in given], found)
        return None, None, *found


TORCH_PASSES = Passes(sum_columns, form_gradient, lambda _: 1.0, own_cosines)
# Shapes alone, which is all that kernels leave behind them besides numbers.
META_PASSES = Passes(
    lambda cosines, scale, row_labels, labels: scale.new_empty(1, len(labels)),
    lambda cosines, scale, row_labels, labels, positive, *lse: (torch.empty_like(positive), None),
    lambda _: 1.0,
    functools.partial(own_cosines_by, lambda *_: None, lambda *_: None),
)


def choose_passes(
    implementation: Implementation, dtype: torch.dtype, device: torch.device, *, is_half: bool
) -> tuple[Passes, torch.dtype]:
    """What works on cosines, and the dtype in it; `ValueError` if Triton is asked for in vain.

    Args:
        dtype: of the results, float32 or wider.
        is_half: whether the features have no more than the precision of half.
    """
    # Unit vectors and cosines are at most 1: fp16 has 3 more bits for them than bf16. Sums of
    # the products must stay in float32, which older torch cannot ask of half precision.
    sums_wide = is_gpu(device) and hasattr(torch.ops.aten.addmm, "dtype_out")
    inner = torch.float16 if is_half and sums_wide else dtype
    if implementation == "triton":
        return _triton_passes(device), inner
    if implementation == "auto" and takes_triton(device) and dtype == torch.float32:
        passes = META_PASSES if device.type == "meta" else checked_triton(device, inner)
        if passes:
            return passes, inner
    return TORCH_PASSES, dtype


def takes_triton(device: torch.device) -> bool:
    """Whether ``auto`` tries Triton's kernels here."""
    return is_gpu(device)


def _triton_passes(device: torch.device) -> Passes:
    try:
        from hnclip_cli.training.objectives import triton_passes
    except ImportError as error:
        raise ValueError("got implementation triton, but Triton is not installed") from error
    triton_passes.check_device(device)
    return triton_passes.TRITON_PASSES


@functools.cache
def checked_triton(device: torch.device, dtype: torch.dtype) -> Passes | None:
    """Triton's passes if they find on a small block what plain torch finds; else a note, once."""
    try:
        passes = _triton_passes(device)
        error = _difference(passes, device, dtype)
        if error <= BOUNDS[dtype]:
            return passes
        reason = f"they differ by {error:.1g}"
    except Exception as failure:  # whatever a compiler may raise
        reason = (str(failure) or type(failure).__name__).splitlines()[0]
    _LOG.warning("hnclip: not using the Triton kernels on %s (%s)", device, reason)
    return None


def _difference(passes: Passes, device: torch.device, dtype: torch.dtype) -> float:
    """Largest difference to `TORCH_PASSES` on a random block."""
    generator = torch.Generator().manual_seed(0)
    rows, texts, width = BLOCK

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator).mul_(2).sub_(1).to(device)

    cosines, features = uniform(rows, width).to(dtype), uniform(rows, 5, 48).to(dtype)
    scale, labels = torch.full((), 10.0, device=device), torch.arange(width, device=device) // 2
    labels[::7] = EXCLUDED
    row_labels, lse = labels[:rows], 10 * uniform(texts)
    given = (scale, row_labels, labels, 10 * uniform(rows), 10 * uniform(rows), 10 + lse.abs())
    found = []
    for one, kind in ((passes, dtype), (TORCH_PASSES, torch.float32)):
        gradient, square = cosines.to(kind, copy=True), cosines[:, :texts].to(kind).clone()
        sums = one.sum_columns(square, scale, row_labels, labels[:texts])
        others, factors = one.form_gradient(gradient, *given)
        if factors is not None:
            gradient = gradient.float()
            gradient[:, texts:] *= factors[:, None]
        own = _own_cosines_and_gradient(one, features.to(kind))
        merged = torch.logsumexp(torch.cat([sums, lse[None]]), dim=0)
        found.append((merged, others, gradient.float() / one.gradient_unit(kind), *own))
    return max(
        float(((mine - other).abs() / other.abs().clamp(min=1)).nan_to_num(nan=torch.inf).max())
        for mine, other in zip(*found, strict=True)
    )


def _own_cosines_and_gradient(passes: Passes, features: Tensor) -> tuple[Tensor, ...]:
    with torch.enable_grad():
        leaf = features.detach().requires_grad_()
        positive, negative = passes.own_cosines(leaf[:, 0], leaf[:, 1], leaf[:, 2:])
        (gradient,) = torch.autograd.grad(positive.sum() + negative.square().sum(), leaf)
    return positive.detach(), negative.detach(), gradient.float()


def default_chunk_size(num_candidates: int, device: torch.device) -> int:
    """Rows of a chunk: enough for efficient matrix products, few enough to need little memory."""
    if is_gpu(device):  # in whole tiles of the products
        return max(2048, min(8192, GPU_COSINES // num_candidates // 128 * 128))
    return max(64, min(1024, 2**22 // num_candidates))
