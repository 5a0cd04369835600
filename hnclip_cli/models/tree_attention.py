"""Attention in trees of tokens, as Triton kernels: one call for texts of any lengths.

Texts that begin alike form a tree; a node stands for a token with all that is before it, and
attends to itself and its ancestors. Nodes are numbered in preorder, so the nodes below a node n
are those from n up to ``stops[n]``, and m may attend to n where n ≤ m < stops[n]. A text alone is
a tree without branches, and this is causal attention.

Attention kernels for long sequences give each sequence a tile of 64 or 128 positions for itself;
captions fill a tenth of it. Here a tile is 64 nodes of whichever trees.

Shapes: P nodes, H heads of D features.
"""

from typing import Any

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from hnclip_cli.models.kernels import launch

BLOCK = 64  # nodes of a tile
KEYS = 32  # keys at a time
LOG2_E = 1.4426950408889634


@triton.jit
def _shift(top):
    # −inf − −inf would be NaN; where nothing is summed, any finite shift will do.
    return tl.where(top == float("-inf"), 0.0, top)


@triton.jit
def _forward(
    qkv, roots, stops, out, lse, num_nodes, scale,
    H: tl.constexpr, D: tl.constexpr, BLOCK: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """A program computes one head of BLOCK nodes; it reads keys from its first tree on."""
    begin, head = tl.program_id(0) * BLOCK, tl.program_id(1)
    node, feature = begin + tl.arange(0, BLOCK), tl.arange(0, D)
    end = tl.minimum(begin + BLOCK, num_nodes)
    inside = (node < end)[:, None]
    at = node.to(tl.int64)[:, None] * (3 * H * D) + head * D + feature[None, :]
    query = tl.load(qkv + at, mask=inside, other=0.0)

    sums = tl.zeros([BLOCK, D], tl.float32)
    top = tl.full([BLOCK], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK], tl.float32)
    for start in range(tl.load(roots + begin), end, KEYS):
        key_node = start + tl.arange(0, KEYS)
        is_key = (key_node < end)[:, None]
        key_at = key_node.to(tl.int64)[:, None] * (3 * H * D) + head * D + feature[None, :]
        key = tl.load(qkv + key_at + H * D, mask=is_key, other=0.0)
        value = tl.load(qkv + key_at + 2 * H * D, mask=is_key, other=0.0)
        stop = tl.load(stops + key_node, mask=key_node < end, other=0)
        logits = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
        seen = (key_node[None, :] <= node[:, None]) & (node[:, None] < stop[None, :])
        logits = tl.where(seen, logits, float("-inf"))
        new_top = tl.maximum(top, tl.max(logits, axis=1))
        shift = _shift(new_top)
        weight = tl.exp2(logits - shift[:, None])
        shrink = tl.exp2(top - shift)
        total = total * shrink + tl.sum(weight, axis=1)
        product = tl.dot(weight.to(value.dtype), value, input_precision="ieee")
        sums = sums * shrink[:, None] + product
        top = new_top
    total = tl.where(node < end, total, 1.0)
    out_at = node.to(tl.int64)[:, None] * (H * D) + head * D + feature[None, :]
    tl.store(out + out_at, (sums / total[:, None]).to(out.dtype.element_ty), mask=inside)
    tl.store(lse + head * num_nodes + node, _shift(top) + tl.log2(total), mask=node < end)


@triton.jit
def _backward_queries(
    qkv, roots, stops, out, upstream, lse, delta, gradient, num_nodes, scale, unit,
    H: tl.constexpr, D: tl.constexpr, BLOCK: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """The gradient of BLOCK queries; on the way Σ out · upstream of each, for the keys."""
    begin, head = tl.program_id(0) * BLOCK, tl.program_id(1)
    node, feature = begin + tl.arange(0, BLOCK), tl.arange(0, D)
    end = tl.minimum(begin + BLOCK, num_nodes)
    inside = (node < end)[:, None]
    at = node.to(tl.int64)[:, None] * (3 * H * D) + head * D + feature[None, :]
    out_at = node.to(tl.int64)[:, None] * (H * D) + head * D + feature[None, :]
    query = tl.load(qkv + at, mask=inside, other=0.0)
    up = tl.load(upstream + out_at, mask=inside, other=0.0)
    own = tl.load(out + out_at, mask=inside, other=0.0)
    product = tl.sum(own.to(tl.float32) * up.to(tl.float32), axis=1)
    tl.store(delta + head * num_nodes + node, product, mask=node < end)
    own_lse = tl.load(lse + head * num_nodes + node, mask=node < end, other=0.0)

    sums = tl.zeros([BLOCK, D], tl.float32)
    for start in range(tl.load(roots + begin), end, KEYS):
        key_node = start + tl.arange(0, KEYS)
        is_key = (key_node < end)[:, None]
        key_at = key_node.to(tl.int64)[:, None] * (3 * H * D) + head * D + feature[None, :]
        key = tl.load(qkv + key_at + H * D, mask=is_key, other=0.0)
        value = tl.load(qkv + key_at + 2 * H * D, mask=is_key, other=0.0)
        stop = tl.load(stops + key_node, mask=key_node < end, other=0)
        logits = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
        seen = (key_node[None, :] <= node[:, None]) & (node[:, None] < stop[None, :])
        weight = tl.where(seen, tl.exp2(logits - own_lse[:, None]), 0.0)
        change = tl.dot(up, tl.trans(value), input_precision="ieee") - product[:, None]
        change = (weight * change).to(key.dtype)
        sums += tl.dot(change, key, input_precision="ieee")
    tl.store(gradient + at, (sums * unit).to(gradient.dtype.element_ty), mask=inside)


@triton.jit
def _backward_keys(
    qkv, stops, upstream, lse, delta, gradient, num_nodes, scale, unit,
    H: tl.constexpr, D: tl.constexpr, BLOCK: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """The gradients of BLOCK keys and values; it reads queries up to the last node below them."""
    begin, head = tl.program_id(0) * BLOCK, tl.program_id(1)
    node, feature = begin + tl.arange(0, BLOCK), tl.arange(0, D)
    inside = (node < num_nodes)[:, None]
    at = node.to(tl.int64)[:, None] * (3 * H * D) + head * D + feature[None, :]
    key = tl.load(qkv + at + H * D, mask=inside, other=0.0)
    value = tl.load(qkv + at + 2 * H * D, mask=inside, other=0.0)
    stop = tl.load(stops + node, mask=node < num_nodes, other=0)

    of_key = tl.zeros([BLOCK, D], tl.float32)
    of_value = tl.zeros([BLOCK, D], tl.float32)
    end = tl.max(stop)
    for start in range(begin, end, KEYS):
        reader = start + tl.arange(0, KEYS)
        reads = reader < end
        row = reader.to(tl.int64)[:, None]
        query_at = row * (3 * H * D) + head * D + feature[None, :]
        query = tl.load(qkv + query_at, mask=reads[:, None], other=0.0)
        up_at = row * (H * D) + head * D + feature[None, :]
        up = tl.load(upstream + up_at, mask=reads[:, None], other=0.0)
        their_lse = tl.load(lse + head * num_nodes + reader, mask=reads, other=0.0)
        product = tl.load(delta + head * num_nodes + reader, mask=reads, other=0.0)
        logits = tl.dot(key, tl.trans(query), input_precision="ieee") * scale
        seen = (node[:, None] <= reader[None, :]) & (reader[None, :] < stop[:, None])
        weight = tl.where(seen, tl.exp2(logits - their_lse[None, :]), 0.0)
        of_value += tl.dot(weight.to(up.dtype), up, input_precision="ieee")
        change = tl.dot(value, tl.trans(up), input_precision="ieee") - product[None, :]
        change = (weight * change).to(query.dtype)
        of_key += tl.dot(change, query, input_precision="ieee")
    dtype = gradient.dtype.element_ty
    tl.store(gradient + at + H * D, (of_key * unit).to(dtype), mask=inside)
    tl.store(gradient + at + 2 * H * D, of_value.to(dtype), mask=inside)


def _sizes(qkv: Tensor, num_heads: int) -> dict[str, Any]:
    width = qkv.shape[1] // 3 // num_heads
    scale = width**-0.5 * LOG2_E  # of the dot products: exponents are of two
    return dict(num_nodes=len(qkv), scale=scale, H=num_heads, D=width, BLOCK=BLOCK, KEYS=KEYS)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, roots: Tensor, stops: Tensor, num_heads: int) -> Tensor:
        out = qkv.new_empty(qkv.shape[0], qkv.shape[1] // 3)
        lse = qkv.new_empty(num_heads, qkv.shape[0], dtype=torch.float32)
        grid, sizes = (-(-len(qkv) // BLOCK), num_heads), _sizes(qkv, num_heads)
        with torch.cuda.device_of(qkv):
            launch(_forward, grid, qkv, roots, stops, out, lse, **sizes)
        ctx.save_for_backward(qkv, roots, stops, out, lse)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        qkv, roots, stops, out, lse = ctx.saved_tensors
        gradient, delta = torch.empty_like(qkv), torch.empty_like(lse)
        grid, sizes = (-(-len(qkv) // BLOCK), len(lse)), _sizes(qkv, len(lse))
        sizes["unit"] = sizes["scale"] / LOG2_E
        upstream = upstream.contiguous()
        launch(
            _backward_queries, grid, qkv, roots, stops, out, upstream, lse, delta, gradient,
            **sizes,
        )  # fmt: skip
        launch(_backward_keys, grid, qkv, stops, upstream, lse, delta, gradient, **sizes)
        return gradient, None, None, None


def tree_attention(qkv: Tensor, roots: Tensor, stops: Tensor, num_heads: int) -> Tensor:
    """Attention of every node to itself and its ancestors.

    Args:
        qkv: (P, 3·H·D) queries, keys and values, as one projection makes them; contiguous.
        roots: (P,) int32, the first node of each node's tree; it does not decrease.
        stops: (P,) int32, behind the last node below each node.
        num_heads: H.

    Returns:
        (P, H·D).
    """
    out: Tensor = _Attention.apply(qkv, roots, stops, num_heads)
    return out


def plain_attention(qkv: Tensor, roots: Tensor, stops: Tensor, num_heads: int) -> Tensor:
    """`tree_attention` in plain torch, with all P × P logits."""
    query, key, value = qkv.view(len(qkv), 3, num_heads, -1).permute(1, 2, 0, 3)
    node = torch.arange(len(qkv), device=qkv.device)
    seen = (node[None, :] <= node[:, None]) & (node[:, None] < stops[None, :])
    return F.scaled_dot_product_attention(query, key, value, seen).transpose(0, 1).flatten(1)


@torch.inference_mode(False)
@torch.enable_grad()
def error_of(device: torch.device, head_width: int, dtype: torch.dtype = torch.bfloat16) -> float:
    """Largest relative error of the kernels' output and gradient on a small random forest."""
    if device.type == "meta":  # there are no numbers to compare
        return 0.0
    lengths = torch.tensor([3, 40, 1, 77, 9, 30] * 4)
    ends = lengths.cumsum(0)
    roots = (ends - lengths).repeat_interleave(lengths)
    stops = ends.repeat_interleave(lengths)
    stops[roots == roots[50]] -= 1  # the last node of a text branches off
    stops = torch.maximum(stops, torch.arange(1, len(roots) + 1))
    roots, stops = (nodes.to(device, torch.int32) for nodes in (roots, stops))
    generator = torch.Generator().manual_seed(0)
    qkv = torch.randn(len(roots), 6 * head_width, generator=generator).to(device, dtype)
    upstream = torch.randn(len(roots), 2 * head_width, generator=generator).to(device, dtype)

    def run(attend: Any, wide: torch.dtype) -> list[Tensor]:
        leaf = qkv.to(wide).clone().requires_grad_()
        out = attend(leaf, roots, stops, 2)
        (gradient,) = torch.autograd.grad(out, leaf, upstream.to(wide))
        return [out.detach().float(), gradient.float()]

    pairs = zip(run(tree_attention, dtype), run(plain_attention, torch.float32), strict=True)
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)
