"""Text towers without the padding that open_clip computes."""

import sys
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hnclip_cli.models.packed import (
    Ends,
    Forest,
    Group,
    Packing,
    can_pack,
    run_packed,
    trees_work,
    varlen_attention,
)
from hnclip_cli.models.prefixes import Prefixes, distinct_prefixes
from hnclip_cli.models.towers import CausalTower, causal_tower

# A tower that takes only whole sequences gets them in buckets of similar length. Fewer sequences
# than this keep the cores of a CPU less busy than their padding would.
BUCKET_SIZE = 32
MAX_BUCKETS = 4


def encode_text(module: Any, tokens: Tensor) -> Tensor:
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

    Returns:
        (n, D) features on the module's device, not normalised.
    """
    tower = causal_tower(module)
    device = module.logit_scale.device
    if tower is None or not len(tokens):
        features: Tensor = module.encode_text(tokens.to(device), normalize=False)
        return features
    if can_pack(tower.module.transformer):
        return _encode_packed(tower, tokens.cpu(), device)
    if tower.pool == "class":
        return _encode_as_is(tower, tokens.to(device))
    return _encode_buckets(tower, tokens.to(device))


def _encode_packed(tower: CausalTower, tokens: Tensor, device: torch.device) -> Tensor:
    holder = tower.module
    keys = None
    if tower.pool == "class":
        keys = tower.key_mask(tokens)
        tokens, lengths, keys = _append_class(tokens, keys, class_id=holder.vocab_size)
    else:
        lengths = tower.pool_positions(tokens) + 1
    layout = layout_for(
        device, tower.cast_dtype, head_width=_head_width(holder), has_mask=keys is not None
    )
    prefixes = distinct_prefixes(tokens.numpy(), lengths.numpy(), layout.tree_size)
    texts, positions = prefixes.sources.T
    ids = tokens.numpy()[texts, positions]
    is_class = None
    if tower.pool == "class":
        is_class = torch.from_numpy(ids == holder.vocab_size).to(device)
        ids = np.where(ids == holder.vocab_size, 0, ids)
        positions = np.where(positions + 1 == lengths.numpy()[texts], holder.num_pos - 1, positions)
    packing, (ids, positions) = _pack(
        prefixes, keys, layout, device, tokens.shape[1], ids, positions
    )
    x = holder.token_embedding(ids).to(tower.cast_dtype)
    if is_class is not None:
        x = torch.where(is_class[:, None], holder.cls_emb.to(x.dtype), x)
    x = x + holder.positional_embedding.index_select(0, positions).to(x.dtype)
    return tower.project(run_packed(holder.transformer, x, packing))


class Layout(NamedTuple):
    """How sequences are laid out for attention; nothing here changes the result.

    Attributes:
        attention: ``groups``: padded, a call for each group of similar length; ``varlen``: torch's
            kernel for sequences of any lengths; ``trees``: ours, for such with common beginnings.
        tree_size: how many texts may share beginnings: 1 for ``varlen``, None for all.
        max_groups: in how many groups attention runs.
    """

    attention: Literal["groups", "varlen", "trees"]
    tree_size: int | None = None
    max_groups: int = sys.maxsize


# On a CPU each length is a group of its own. On a GPU a kernel launch costs more than some
# padding in the attention alone, the small part of a block.
CPU_LAYOUT = Layout("groups")
GROUPS_LAYOUT = Layout("groups", max_groups=4)
VARLEN_LAYOUT = Layout("varlen", tree_size=1)
# Larger trees save little more, and a tile of attention would read further back.
TREES_LAYOUT = Layout("trees", tree_size=16)


def layout_for(
    device: torch.device, dtype: torch.dtype, *, head_width: int, has_mask: bool
) -> Layout:
    """The fastest layout that this device and precision have."""
    if device.type == "cpu":
        return CPU_LAYOUT
    if torch.is_autocast_enabled(device.type):
        dtype = torch.get_autocast_dtype(device.type)
    is_half = dtype in (torch.float16, torch.bfloat16)
    if device.type != "cuda" or not is_half or has_mask:
        return GROUPS_LAYOUT
    if trees_work(device, head_width):
        return TREES_LAYOUT
    return VARLEN_LAYOUT if varlen_attention() else GROUPS_LAYOUT


def _head_width(holder: Any) -> int:
    attention = holder.transformer.resblocks[0].attn
    return int(attention.embed_dim // attention.num_heads)


def _append_class(tokens: Tensor, keys: Tensor, class_id: int) -> tuple[Tensor, Tensor, Tensor]:
    """Put the class right behind the last position that it can see.

    Returns:
        tokens (n, L + 1) with the class's id, lengths with it (n,), and which positions may be
        attended to, (n, L + 1).
    """
    context = tokens.shape[1]
    seen = keys[:, :context] * torch.arange(1, context + 1)
    last = seen.amax(dim=1, keepdim=True)  # the class's place
    moved = torch.nn.functional.pad(tokens, (0, 1)).scatter(1, last, class_id)
    return moved, last.squeeze(1) + 1, keys.scatter(1, last, keys[:, -1:])


def _pack(
    prefixes: Prefixes,
    keys: Tensor | None,
    layout: Layout,
    device: torch.device,
    longest: int,
    *of_rows: np.ndarray,
) -> tuple[Packing, list[Tensor]]:
    """Lay the sequences out, and bring all indices to the device in one copy.

    Args:
        prefixes: the sequences.
        keys: (n, L) bool, which positions may be attended to, or None.
        layout: with or without groups.
        device: where the packing goes.
        longest: no sequence is longer; the same for every batch, so that nothing is compiled
            twice.
        of_rows: further integers, (P,) each.

    Returns:
        The packing, and the further integers on the device.
    """
    if layout.attention == "varlen":
        offsets = np.append(np.unique(prefixes.roots), len(prefixes.roots))
        ends, offsets_, *others = _to_device(device, prefixes.ends, offsets, *of_rows)
        return Packing(Ends(offsets_, longest), None, None, ends), others
    if layout.attention == "trees":
        ends, roots, stops, *others = _to_device(
            device, prefixes.ends, prefixes.roots, prefixes.stops, *of_rows
        )
        return Packing(Forest(roots, stops), None, None, ends), others
    shapes, masks, flat = _group(prefixes, keys, layout.max_groups)
    # Any position that holds a row will do; a GPU group's padding (-1) holds none.
    sources = np.empty(len(prefixes.sources), np.int64)
    sources[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
    rows, sources_, ends, *others = _to_device(
        device, flat.clip(0), sources, prefixes.ends, *of_rows
    )
    groups = [
        Group(shape, None if mask is None else mask.to(device))
        for shape, mask in zip(shapes, masks, strict=True)
    ]
    return Packing(groups, rows, sources_, ends), others


def _group(
    prefixes: Prefixes, keys: Tensor | None, limit: int
) -> tuple[list[tuple[int, int]], list[Tensor | None], np.ndarray]:
    """Groups of sequences of (nearly) equal length.

    Returns:
        Their shapes, their masks, and the row at each position, -1 where there is padding.
    """
    order = np.argsort(prefixes.lengths, kind="stable")
    lengths = prefixes.lengths[order]
    starts = np.flatnonzero(np.diff(lengths, prepend=0))
    if len(starts) > limit:
        starts = np.arange(limit) * len(lengths) // limit
    shapes: list[tuple[int, int]] = []
    masks: list[Tensor | None] = []
    rows = []
    for start, stop in pairwise([*starts.tolist(), len(lengths)]):
        texts, longest = order[start:stop], int(lengths[stop - 1])
        shapes.append((len(texts), longest))
        mask = None
        if keys is not None:
            causal = torch.ones(longest, longest, dtype=torch.bool).tril()
            mask = causal & keys[texts, None, None, :longest]
        masks.append(mask)
        rows.append(prefixes.nodes[texts, :longest].ravel())
    return shapes, masks, np.concatenate(rows)


def _to_device(device: torch.device, *arrays: np.ndarray) -> list[Tensor]:
    """Integers as int32 tensors, all in one copy that the host does not wait for."""
    joined = torch.from_numpy(np.concatenate(arrays).astype(np.int32))
    if device.type == "cuda":
        joined = joined.pin_memory().to(device, non_blocking=True)
    else:
        joined = joined.to(device)
    return list(torch.split(joined, [len(array) for array in arrays]))


def _encode_as_is(tower: CausalTower, tokens: Tensor) -> Tensor:
    features = tower.module(tokens)
    pooled: Tensor = features[0] if isinstance(features, tuple) else features
    return pooled


def _encode_buckets(tower: CausalTower, tokens: Tensor) -> Tensor:
    ends = tower.pool_positions(tokens)
    size = max(BUCKET_SIZE, -(-len(tokens) // MAX_BUCKETS))
    order = ends.argsort(stable=True)
    buckets = [_encode_bucket(tower, tokens[rows], ends[rows]) for rows in torch.split(order, size)]
    return torch.cat(buckets)[order.argsort()]


def _encode_bucket(tower: CausalTower, tokens: Tensor, ends: Tensor) -> Tensor:
    holder = tower.module
    length = int(ends[-1]) + 1  # they are sorted
    x = holder.token_embedding(tokens[:, :length]).to(tower.cast_dtype)
    x = x + holder.positional_embedding[:length].to(x.dtype)
    x = holder.transformer(x, attn_mask=holder.attn_mask[:length, :length])
    return tower.project(x[torch.arange(len(x), device=x.device), ends])
