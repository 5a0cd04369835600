"""open_clip's transformer blocks on packed tokens: no row for padding, none twice."""

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

# Of attention in bfloat16, relative; rounding alone gives 0.005.
MAX_ERROR = 0.02


@dataclass(frozen=True)
class Group:
    """Sequences that attend side by side.

    Attributes:
        shape: (sequences, length of the longest).
        mask: (sequences, 1, length, length) bool, what each position may attend to; None is
            causal.
    """

    shape: tuple[int, int]
    mask: Tensor | None = None


@dataclass(frozen=True)
class Ends:
    """Causal sequences that lie one behind the other, without padding between them.

    Attributes:
        offsets: (n + 1,) int32, where each sequence begins, and the end of the last.
        longest: length of the longest.
    """

    offsets: Tensor
    longest: int


@dataclass(frozen=True)
class Forest:
    """Sequences with common beginnings as trees; see `tree_attention`.

    Attributes:
        roots: (P,) int32, the first row of each row's tree.
        stops: (P,) int32, behind the last row below each row.
    """

    roots: Tensor
    stops: Tensor


@dataclass(frozen=True)
class Packing:
    """How packed rows make up sequences.

    A row may stand in several sequences, where all that it attends to is the same.

    Attributes:
        sequences: T positions in all. Groups are padded, and one call of attention serves each.
            Of the other two one call serves all: `Ends` have no padding, and in a `Forest` each
            row stands at one position.
        rows: (T,) the packed row at each position; None where each row stands at its own.
        sources: (P,) for each packed row a position of the T where its attention is read; None
            as ``rows``.
        last: (n,) the packed rows that are wanted of the last block.
    """

    sequences: Sequence[Group] | Ends | Forest
    rows: Tensor | None
    sources: Tensor | None
    last: Tensor


def can_pack(transformer: Any) -> bool:
    """Whether `run_packed` computes what the transformer's own forward does.

    It knows open_clip's plain block. Custom blocks, attention that was replaced (by an adapter,
    say), dropout, and hooks, which expect whole sequences, are left to the transformer itself.
    """
    return not has_hooks(transformer) and all(map(is_plain_block, transformer.resblocks))


def is_plain_block(block: nn.Module) -> bool:
    """Whether a block is open_clip's plain one, with nothing replaced or hooked into it."""
    attention = getattr(block, "attn", None)
    return (
        type(block) is ResidualAttentionBlock
        and isinstance(attention, nn.MultiheadAttention)
        and attention.in_proj_weight is not None
        and isinstance(attention.out_proj, nn.Linear)
        and attention.bias_k is None
        and not attention.add_zero_attn
        and not (attention.training and attention.dropout)
        and not has_hooks(block)
        and not has_hooks(attention)
    )


def has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


@cache
def varlen_attention() -> Callable[..., Tensor] | None:
    """torch's causal attention over sequences of any lengths without padding (2.10), or None."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    # torch 2.10 says is_causal, later versions say it by the window.
    takes_window = "window_size" in inspect.signature(varlen_attn).parameters
    causal: dict[str, Any] = {"window_size": (-1, 0)} if takes_window else {"is_causal": True}
    return cast(Callable[..., Tensor], partial(varlen_attn, **causal))


@cache
def trees_work(device: torch.device, head_width: int) -> bool:
    """Whether `tree_attention` runs on this device, and computes what plain attention does.

    Asked once for each device. Where Triton is missing, cannot compile, or gives other numbers, a
    warning says so.
    """
    try:
        from hnclip_cli.models.tree_attention import can_attend, error_of

        if not can_attend(head_width):
            return False
        error = error_of(device, head_width)
        if error <= MAX_ERROR:
            return True
        reason = f"its relative error is {error:.2g}"
    except Exception as problem:  # Triton's compiler, the driver and the import each have their own
        reason = f"{type(problem).__name__}: {problem}".partition("\n")[0][:120]
    warnings.warn(f"attention by Triton is not used ({reason})", stacklevel=2)
    return False


def run_packed(transformer: Any, x: Tensor, packing: Packing) -> Tensor:
    """Run the blocks on packed rows, (P, width), down to the rows that are wanted, (n, width).

    Norms, projections and MLPs see every row once; attention alone sees sequences. In the last
    block only the wanted rows go on behind the attention.
    """
    blocks = list(transformer.resblocks)
    for block in blocks:
        keep = packing.last if block is blocks[-1] else None
        if transformer.grad_checkpointing and torch.is_grad_enabled():
            x = checkpoint(_run_block, block, x, packing, keep, use_reentrant=False)
        else:
            x = _run_block(block, x, packing, keep)
    return x


def _run_block(block: Any, x: Tensor, packing: Packing, keep: Tensor | None) -> Tensor:
    attention = block.attn
    qkv = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
    sources = packing.sources
    if keep is not None:
        x = x.index_select(0, keep)
        sources = keep if sources is None else sources[keep]
    context = _attend(qkv, attention.num_heads, packing)
    if sources is not None:
        context = context.index_select(0, sources)
    x = x + block.ls_1(attention.out_proj(context))
    return cast(Tensor, x + block.ls_2(block.mlp(block.ln_2(x))))


def _attend(qkv: Tensor, num_heads: int, packing: Packing) -> Tensor:
    """Attention within sequences: packed (P, 3·width) to (T, width)."""
    if isinstance(packing.sequences, Forest):
        from hnclip_cli.models.tree_attention import tree_attention

        return tree_attention(qkv, packing.sequences.roots, packing.sequences.stops, num_heads)
    spread = qkv if packing.rows is None else qkv.index_select(0, packing.rows)
    if isinstance(packing.sequences, Ends):
        query, key, value = spread.view(len(spread), 3, num_heads, -1).unbind(1)
        return _attend_varlen(query, key, value, packing.sequences).flatten(1)
    outputs = []
    sizes = [count * length for count, length in (group.shape for group in packing.sequences)]
    for group, part in zip(packing.sequences, torch.split(spread, sizes), strict=True):
        heads = part.view(*group.shape, 3, num_heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind()
        output = F.scaled_dot_product_attention(
            query, key, value, attn_mask=group.mask, is_causal=group.mask is None
        )
        outputs.append(output.transpose(1, 2).reshape(len(part), -1))
    return torch.cat(outputs)


def _attend_varlen(query: Tensor, key: Tensor, value: Tensor, ends: Ends) -> Tensor:
    """Causal attention, (T, heads, width of a head) each, in one kernel."""
    attend = varlen_attention()
    assert attend is not None  # else nothing is laid out so
    offsets, longest = ends.offsets, ends.longest
    return attend(query, key, value, offsets, offsets, longest, longest)
