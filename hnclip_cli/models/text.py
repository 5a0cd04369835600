"""Text towers without the padding that open_clip computes."""

import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hnclip_cli.models.blocks import Packing, can_run, run_blocks
from hnclip_cli.models.device import autocast_dtype, is_gpu
from hnclip_cli.models.packed import (
    Group,
    Prefixes,
    attend_groups,
    distinct_prefixes,
    trees_work,
)
from hnclip_cli.models.towers import CausalTower, causal_tower

# A tower that takes only whole sequences gets them in buckets of similar length. Fewer sequences
# than this keep the cores of a CPU less busy than their padding would.
BUCKET_SIZE = 32
MAX_BUCKETS = 4


class Layout(NamedTuple):
    """How sequences are laid out for attention; nothing here changes more than the rounding."""

    # Padded, a call for each group of similar length; or our kernel for any lengths.
    attention: Literal["groups", "trees"]
    tree_size: int | None = None  # how many texts may share beginnings; None for all
    max_groups: int = sys.maxsize


# On a CPU each length is a group of its own. On a GPU a kernel launch costs more than some
# padding in the attention alone, the small part of a block.
CPU_LAYOUT = Layout("groups")
GROUPS_LAYOUT = Layout("groups", max_groups=4)
# Larger trees save little more, and a tile of attention would read further back.
TREES_LAYOUT = Layout("trees", tree_size=16)


def encode_text(module: Any, tokens: Tensor, layout: Layout | None = None) -> Tensor:
    """open_clip's ``encode_text`` without the padding, and without computing a prefix twice.

    In a causal tower that pools at the end token nothing behind that token can change the
    result, and the output at a position depends on the tokens up to it. So the rows that need
    computing are the distinct prefixes of the texts, and the linear layers run on just these.
    Where a tower's blocks are not open_clip's plain ones, the padding is cut in buckets of similar
    length. Where padding may change the result, open_clip computes it all.

    Args:
        module: an open_clip model.
        tokens: (n, context length) token ids, padded; better on the CPU, whichever device
            the module is on, as their lengths are looked at there.
        layout: of packed texts; by default what was fastest where it was measured.

    Returns:
        (n, D) features on the module's device, not normalised.
    """
    tower = causal_tower(module)
    device = module.logit_scale.device
    if tower and len(tokens):
        if can_run(tower.module.transformer):
            return _encode_packed(tower, tokens.cpu(), device, layout)
        if tower.pool != "class":
            return _encode_buckets(tower, tokens.cpu(), device)
    features: Tensor = module.encode_text(tokens.to(device), normalize=False)
    return features


def encode_text_local(module: Any, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pooled features and those of the words, each through the final norm and the projection.

    The end token counts as a word, the start token and the padding do not. The padding behind
    the longest text is not computed: the tower is causal, so nothing behind a token changes it.

    Args:
        module: an open_clip model that `check_local` accepts.
        tokens: (n, context length) token ids, padded with zeros; better on the CPU.

    Returns:
        (n, D) equal to `encode_text`'s, those at L positions (n, L, D), and which of these are
        words, (n, L) bool. L is that of the longest text. Features are not normalized.
    """
    tower, device = causal_tower(module), module.logit_scale.device
    assert tower is not None
    ends = tower.pool_positions(tokens)
    length = int(ends.max()) + 1 if len(ends) else 1
    tokens, ends = tokens[:, :length].to(device), ends.to(device)
    x = tower.project(tower.run(tokens))
    pooled = x[torch.arange(len(x), device=device), ends]
    positions = torch.arange(1, length, device=x.device)
    return pooled, x[:, 1:], positions <= ends[:, None]


def fastest_layout(module: Any, tokens: Tensor) -> Layout:
    """The layout in which these texts take the least time, forward and backward, on this device.

    Each that works is tried twice; where only one does, nothing is measured.

    Args:
        module: an open_clip model.
        tokens: (n, context length) token ids.
    """
    tower = causal_tower(module)
    if not tower or not can_run(tower.module.transformer) or not len(tokens):
        return CPU_LAYOUT  # which is not looked at
    device = module.logit_scale.device
    usual = _usual_layout(tower, device)
    if usual.attention == "groups" or device.type == "meta":
        return usual
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]

    def seconds(layout: Layout) -> float:
        def run() -> None:
            features = encode_text(module, tokens, layout)
            if features.requires_grad:
                torch.autograd.grad(features.sum(), trained, allow_unused=True)

        return seconds_of(run, device)

    return min([usual, GROUPS_LAYOUT], key=seconds)


def seconds_of(run: Callable[[], None], device: torch.device) -> float:
    """How long the second of two calls takes; kernels are compiled in the first."""
    for _ in range(2):
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return time.perf_counter() - started


def _usual_layout(tower: CausalTower, device: torch.device) -> Layout:
    attention = tower.module.transformer.resblocks[0].attn
    head_width = attention.embed_dim // attention.num_heads
    has_mask = tower.pool == "class"
    return layout_for(device, tower.cast_dtype, head_width=head_width, has_mask=has_mask)


def _encode_packed(
    tower: CausalTower, tokens: Tensor, device: torch.device, layout: Layout | None
) -> Tensor:
    holder = tower.module
    if tower.pool == "class":
        tokens, lengths, keys = _append_class(holder, tokens)
    else:
        lengths, keys = tower.pool_positions(tokens) + 1, None
    layout = layout or _usual_layout(tower, device)
    prefixes = distinct_prefixes(tokens.numpy(), lengths.numpy(), layout.tree_size)
    texts, positions = prefixes.sources.T
    ids = tokens.numpy()[texts, positions]
    is_class = ids == holder.vocab_size
    if keys is not None:
        ids = np.where(is_class, 0, ids)
        positions = np.where(is_class, holder.num_pos - 1, positions)
    packing, (ids, positions) = _pack(prefixes, keys, layout, device, ids, positions)
    x = holder.token_embedding(ids).to(tower.cast_dtype)
    if keys is not None:
        at_class = torch.from_numpy(is_class).to(device)[:, None]
        x = torch.where(at_class, holder.cls_emb.to(x.dtype), x)
    x = x + holder.positional_embedding.index_select(0, positions).to(x.dtype)
    return tower.project(run_blocks(holder.transformer, x, packing))


def layout_for(
    device: torch.device, dtype: torch.dtype, *, head_width: int, has_mask: bool
) -> Layout:
    """The layout that was fastest on such a device and in such a precision."""
    if device.type == "cpu":
        return CPU_LAYOUT
    is_half = (autocast_dtype(device) or dtype) in (torch.float16, torch.bfloat16)
    can_use_trees = is_gpu(device) and is_half and not has_mask
    return TREES_LAYOUT if can_use_trees and trees_work(device, head_width) else GROUPS_LAYOUT


def _append_class(holder: Any, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Put CoCa's class right behind the last position that it can see.

    Released CoCa weights were trained with a mask shifted by one position (``correct_cls_mask``
    off), so the padding token behind a text takes part.

    Returns:
        tokens (n, L + 1) with the size of the vocabulary as the class's id, lengths with it (n,),
        and which positions may be attended to, (n, L + 1).
    """
    real = tokens != holder.pad_id
    always = real.new_ones(len(tokens), 1)
    keys = torch.cat([real, always] if holder.correct_cls_mask else [always, real], dim=1)
    context = tokens.shape[1]
    seen = keys[:, :context] * torch.arange(1, context + 1)
    last = seen.amax(dim=1, keepdim=True)  # the class's place
    moved = torch.nn.functional.pad(tokens, (0, 1)).scatter(1, last, holder.vocab_size)
    return moved, last.squeeze(1) + 1, keys.scatter(1, last, keys[:, -1:])


def _pack(
    prefixes: Prefixes,
    keys: Tensor | None,
    layout: Layout,
    device: torch.device,
    *of_rows: np.ndarray,
) -> tuple[Packing, list[Tensor]]:
    """Lay the sequences out, and bring all indices to the device in one copy.

    ``keys`` (n, L) bool says which positions may be attended to; None: those up to each. Of
    ``of_rows``, further integers (P,) each, the copies on the device are returned.
    """
    if layout.attention == "trees":
        from hnclip_cli.models.tree_attention import tree_attention

        last, roots, stops, *others = _to_device(
            device, prefixes.ends, prefixes.roots, prefixes.stops, *of_rows
        )
        return Packing(partial(tree_attention, roots=roots, stops=stops), None, last), others
    groups, flat = _group(prefixes, keys, layout.max_groups, device)
    # Any position that holds a row will do; a GPU group's padding (-1) holds none.
    places = np.empty(len(prefixes.sources), np.int64)
    places[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
    last, rows, sources, *others = _to_device(device, prefixes.ends, flat.clip(0), places, *of_rows)
    return Packing(partial(attend_groups, rows=rows, groups=groups), sources, last), others


def _group(
    prefixes: Prefixes, keys: Tensor | None, limit: int, device: torch.device
) -> tuple[list[Group], np.ndarray]:
    """Groups of sequences of (nearly) equal length, and the row at each position, -1 in padding."""
    order = np.argsort(prefixes.lengths, kind="stable")
    lengths = prefixes.lengths[order]
    starts = np.flatnonzero(np.diff(lengths, prepend=0))
    if len(starts) > limit:
        starts = np.arange(limit) * len(lengths) // limit
    groups: list[Group] = []
    rows = []
    for start, stop in pairwise([*starts.tolist(), len(lengths)]):
        texts, longest = order[start:stop], int(lengths[stop - 1])
        mask = None
        if keys is not None:
            causal = torch.ones(longest, longest, dtype=torch.bool).tril()
            mask = (causal & keys[texts, None, None, :longest]).to(device)
        groups.append(((len(texts), longest), mask))
        rows.append(prefixes.nodes[texts, :longest].ravel())
    return groups, np.concatenate(rows)


def _to_device(device: torch.device, *arrays: np.ndarray) -> list[Tensor]:
    """Integers as int32 tensors, all in one copy that the host does not wait for."""
    joined = torch.from_numpy(np.concatenate(arrays).astype(np.int32))
    is_cuda = device.type == "cuda"
    joined = (joined.pin_memory() if is_cuda else joined).to(device, non_blocking=is_cuda)
    return list(torch.split(joined, [len(array) for array in arrays]))


def _encode_buckets(tower: CausalTower, tokens: Tensor, device: torch.device) -> Tensor:
    ends = tower.pool_positions(tokens)
    size = max(BUCKET_SIZE, -(-len(tokens) // MAX_BUCKETS))
    order = ends.argsort(stable=True)
    buckets = []
    for rows in torch.split(order, size):
        length = int(ends[rows[-1]]) + 1  # they are sorted
        outputs = tower.run(tokens[rows, :length].to(device))
        each = torch.arange(len(rows), device=device)
        buckets.append(tower.project(outputs[each, ends[rows].to(device)]))
    return torch.cat(buckets)[order.argsort().to(device)]
