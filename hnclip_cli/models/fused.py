"""open_clip's transformer blocks under CUDA's autocast, in few kernels.

Autocast runs a block as 66 kernels, forward and backward, and most of them read and
write whole activations only to convert or to add them. Here a sum, a norm and a conversion are one
kernel, the gradient of a bias is summed where the activations are read anyway, and the gradients
of matrices come out in float32.

The values are autocast's: products of half precision, all else in float32, and the sum of the
blocks as wide as it comes in. A block hands on that sum without its last product, for the next
norm to add.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from open_clip.transformer import LayerNorm, LayerNormFp32, QuickGELU, ResidualAttentionBlock
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from hnclip_cli.models.blocks import Packing, call_once, gather, has_hooks, run_block
from hnclip_cli.models.fused_kernels import (
    Activation,
    activate,
    activate_backward,
    add_norm,
    add_norm_backward,
    stack_heads,
)
from hnclip_cli.models.packed import attend_groups

CAN_WIDEN = hasattr(torch.ops.aten.mm, "dtype")  # from torch 2.8 on
ACTIVATIONS: dict[type, Activation] = {nn.GELU: "gelu", QuickGELU: "quick_gelu"}
NORMS = (LayerNorm, LayerNormFp32, nn.LayerNorm)


class Matrices(NamedTuple):
    """A block's matrices, and the bias that a product adds itself."""

    in_proj: Tensor
    in_bias: Tensor
    out_proj: Tensor
    c_fc: Tensor
    c_proj: Tensor


class Pending(NamedTuple):
    """What is still to be added to the sum of the blocks: a product (P, width) and its bias."""

    product: Tensor
    bias: Tensor


def run_blocks(
    blocks: Sequence[Any], x: Tensor, packing: Packing, dtype: torch.dtype, call: Callable[..., Any]
) -> Tensor:
    """`hnclip_cli.models.blocks.run_blocks` for blocks that `is_known` accepts.

    Args:
        blocks: open_clip's.
        x: (P, width) packed rows.
        packing: how they make up sequences.
        dtype: of the products.
        call: calls a function with its arguments, such as `torch.utils.checkpoint.checkpoint`.

    Returns:
        (n, width), the rows that are wanted of the last block.
    """
    matrices = [_matrices(block) for block in blocks]
    halves = _converted(matrices, dtype)
    pending: Pending | None = None
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]  # where Triton launches
        for block, full, half in zip(blocks, matrices, halves, strict=True):
            keep = packing.last if block is blocks[-1] else None
            x, product = call(_run_block, block, full, half, x, pending, packing, keep)
            pending = Pending(product, block.mlp.c_proj.bias)
    assert pending
    return (x + pending.product + pending.bias).to(x.dtype)


def _matrices(block: Any) -> Matrices:
    attention, mlp = block.attn, block.mlp
    return Matrices(
        attention.in_proj_weight, attention.in_proj_bias, attention.out_proj.weight,
        mlp.c_fc.weight, mlp.c_proj.weight,
    )  # fmt: skip


@torch.no_grad()
def _converted(matrices: Sequence[Matrices], dtype: torch.dtype) -> list[Matrices]:
    """All in one call: a launch for each would take longer than the copies do."""
    full = [tensor for of_block in matrices for tensor in of_block]
    halves = [torch.empty_like(tensor, dtype=dtype) for tensor in full]
    torch._foreach_copy_(halves, full)
    size = len(Matrices._fields)
    return [Matrices(*halves[start : start + size]) for start in range(0, len(halves), size)]


def _run_block(
    block: Any,
    full: Matrices,
    half: Matrices,
    x: Tensor,
    pending: Pending | None,
    packing: Packing,
    keep: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The sum of the blocks without this one's last product, and that product."""
    num_heads = block.attn.num_heads
    shape = (packing.length, num_heads) if packing.length else None
    x, *projected = _Project.apply(
        x, *(pending or (None, None)), block.ln_1.weight, block.ln_1.bias, block.ln_1.eps,
        full.in_proj, full.in_bias, half.in_proj, half.in_bias, shape,
    )  # fmt: skip
    if shape:
        context = (
            F.scaled_dot_product_attention(*projected).transpose(1, 2).flatten(2).flatten(0, 1)
        )
    else:
        context = packing.attend(*projected, num_heads=num_heads)
    if keep is not None:
        x = x.index_select(0, keep)
    context = gather(context, packing, keep)
    finished: tuple[Tensor, Tensor] = _Finish.apply(
        x, context, block.attn.out_proj.bias, block.ln_2.weight, block.ln_2.bias, block.ln_2.eps,
        block.mlp.c_fc.bias, ACTIVATIONS[type(block.mlp.gelu)],
        full.out_proj, full.c_fc, full.c_proj, half.out_proj, half.c_fc, half.c_proj,
    )  # fmt: skip
    return finished


class _Project(torch.autograd.Function):
    """What comes before attention: the sum, its norm, and queries, keys and values of it."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, product: Tensor | None, bias: Tensor | None, gain: Tensor,
        offset: Tensor, eps: float, weight: Tensor, in_bias: Tensor, half: Tensor,
        half_bias: Tensor, shape: tuple[int, int] | None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        total, normed, mean, rstd = add_norm(x, product, bias, gain, offset, eps, half.dtype)
        qkv = torch.addmm(half_bias, normed, half.t())
        ctx.save_for_backward(total, gain, mean, rstd, normed, half)
        ctx.adds, ctx.shape = product is not None, shape
        if not shape:
            return total, qkv
        length, num_heads = shape
        heads = qkv.view(-1, length, 3, num_heads, qkv.shape[1] // 3 // num_heads)
        return total, *heads.permute(2, 0, 3, 1, 4).unbind()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_total: Tensor, *of_projected: Tensor) -> tuple[Tensor | None, ...]:
        total, gain, mean, rstd, normed, half = ctx.saved_tensors
        if ctx.shape:
            upstream, of_in_bias = stack_heads(*of_projected)
        else:
            (upstream,) = of_projected
            of_in_bias = upstream.sum(0, dtype=torch.float32)
        of_weight = _outer(upstream, normed) if ctx.needs_input_grad[6] else None
        of_x, of_product, (of_gain, of_offset, of_bias) = add_norm_backward(
            total, gain, mean, rstd, of_total, upstream @ half, half.dtype
        )
        added = (of_product, of_bias) if ctx.adds else (None, None)
        return of_x, *added, of_gain, of_offset, None, of_weight, of_in_bias, None, None, None


class _Finish(torch.autograd.Function):
    """What comes behind attention: its projection, the sum, its norm and the MLP."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, context: Tensor, bias: Tensor, gain: Tensor, offset: Tensor,
        eps: float, hidden_bias: Tensor, activation: Activation, out_proj: Tensor, c_fc: Tensor,
        c_proj: Tensor, *halves: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        half_out, half_fc, half_proj = halves
        product = context @ half_out.t()
        total, normed, mean, rstd = add_norm(x, product, bias, gain, offset, eps, context.dtype)
        hidden = normed @ half_fc.t()
        active = activate(hidden, hidden_bias, activation)
        ctx.save_for_backward(
            context, total, gain, mean, rstd, normed, hidden, hidden_bias, active, *halves
        )
        ctx.activation = activation
        return total, active @ half_proj.t()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_total: Tensor, upstream: Tensor) -> tuple[Tensor | None, ...]:
        context, total, gain, mean, rstd, normed, hidden, hidden_bias, active, *halves = (
            ctx.saved_tensors
        )
        half_out, half_fc, half_proj = halves
        needs_out, needs_fc, needs_proj = ctx.needs_input_grad[8:11]
        of_proj = _outer(upstream, active) if needs_proj else None
        of_hidden, of_hidden_bias = activate_backward(
            hidden, hidden_bias, upstream @ half_proj, ctx.activation
        )
        of_fc = _outer(of_hidden, normed) if needs_fc else None
        of_x, of_product, (of_gain, of_offset, of_bias) = add_norm_backward(
            total, gain, mean, rstd, of_total, of_hidden @ half_fc, context.dtype
        )
        of_out = _outer(of_product, context) if needs_out else None
        return (
            of_x, of_product @ half_out, of_bias, of_gain, of_offset, None, of_hidden_bias, None,
            of_out, of_fc, of_proj, None, None, None,
        )  # fmt: skip


def _outer(upstream: Tensor, x: Tensor) -> Tensor:
    """The gradient of a matrix, float32 as the matrix: (P, M) and (P, N) to (M, N)."""
    if CAN_WIDEN and not x.is_cpu:  # not rounded to half precision on the way
        return torch.mm(upstream.t(), x, out_dtype=torch.float32)
    return (upstream.t() @ x).float()


def is_known(block: Any) -> bool:
    """Whether `run_blocks` computes a plain block (`hnclip_cli.models.blocks.can_run`)."""
    if [*block.mlp._modules] != ["c_fc", "gelu", "c_proj"]:
        return False
    attention, norms, mlp = block.attn, (block.ln_1, block.ln_2), [*block.mlp]
    return (
        all(type(norm) in NORMS and norm.bias is not None for norm in norms)
        and all(isinstance(part, nn.Linear) and part.bias is not None for part in mlp[::2])
        and all(isinstance(scale, nn.Identity) for scale in (block.ls_1, block.ls_2))
        and type(mlp[1]) in ACTIVATIONS
        and getattr(mlp[1], "approximate", "none") == "none"
        and attention.in_proj_bias is not None
        and attention.in_proj_bias.dtype == torch.float32
        and not any(map(has_hooks, (*norms, block.mlp, *mlp, attention.out_proj)))
    )


@torch.inference_mode(False)
@torch.enable_grad()
def error_of(device: torch.device, dtype: torch.dtype = torch.bfloat16) -> float:
    """Largest relative error of the output and the gradients of two small random blocks."""
    if device.type == "meta":  # there are no numbers to compare
        return 0.0
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    with torch.random.fork_rng(devices=[]):
        blocks = nn.ModuleList(ResidualAttentionBlock(64, 2) for _ in range(2)).to(device)
    for parameter in blocks.parameters():
        parameter.data = 0.1 * random(*parameter.shape)
    x, upstream = random(40, 64).requires_grad_(), random(3, 64)
    rows = torch.arange(40, device=device)
    attention = partial(attend_groups, rows=rows, groups=[((2, 20), None)])
    packing = Packing(attention, None, rows[::15])

    def results(out: Tensor) -> list[Tensor]:
        """Output, gradients of the input, of all vectors and of all matrices."""
        of_x, *found = torch.autograd.grad((out * upstream).sum(), [x, *blocks.parameters()])
        by_shape = [[g.flatten() for g in found if g.ndim == ndim] for ndim in (1, 2)]
        return [out.detach().float(), of_x, *map(torch.cat, by_shape)]

    plain = x
    for block in blocks:
        plain = run_block(block, plain, packing, packing.last if block is blocks[-1] else None)
    found = run_blocks(list(blocks), x, packing, dtype, call_once)
    pairs = zip(results(found), results(plain), strict=True)
    return max(float((mine - exact).norm() / exact.norm()) for mine, exact in pairs)
