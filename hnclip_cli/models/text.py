"""Text towers without the padding that open_clip computes."""

import sys
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hnclip_cli.models.packed import Group, Packing, can_pack, run_packed
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
    prefixes = distinct_prefixes(tokens.numpy(), lengths.numpy())
    rows, positions = torch.from_numpy(prefixes.sources).unbind(1)
    ids = tokens[rows, positions]
    if tower.pool == "class":
        is_class = (ids == holder.vocab_size).to(device)
        ids = ids.where(ids != holder.vocab_size, 0)
        positions = positions.where(positions + 1 != lengths[rows], holder.num_pos - 1)
    x = holder.token_embedding(ids.to(device)).to(tower.cast_dtype)
    if tower.pool == "class":
        x = torch.where(is_class[:, None], holder.cls_emb.to(x.dtype), x)
    x = x + holder.positional_embedding.index_select(0, positions.to(device)).to(x.dtype)
    packing = _pack(prefixes, keys, device)
    return tower.project(run_packed(holder.transformer, x, packing))


def max_groups(device: torch.device) -> int:
    """In how many groups of sequences attention runs.

    On a CPU each length is a group of its own. On a GPU a kernel launch costs more than some
    padding in the attention alone, the small part of a block.
    """
    return sys.maxsize if device.type == "cpu" else 4


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


def _pack(prefixes: Prefixes, keys: Tensor | None, device: torch.device) -> Packing:
    """Lay the sequences out in groups of (nearly) equal length."""
    order = np.argsort(prefixes.lengths, kind="stable")
    lengths = prefixes.lengths[order]
    starts = np.flatnonzero(np.diff(lengths, prepend=0))
    limit = max_groups(device)
    if len(starts) > limit:
        starts = np.arange(limit) * len(lengths) // limit
    groups, rows = [], []
    for start, stop in pairwise([*starts.tolist(), len(lengths)]):
        texts, longest = order[start:stop], int(lengths[stop - 1])
        mask = None
        if keys is not None:
            causal = torch.ones(longest, longest, dtype=torch.bool).tril()
            mask = (causal & keys[texts, None, None, :longest]).to(device)
        groups.append(Group((len(texts), longest), mask))
        rows.append(prefixes.nodes[texts, :longest].ravel())
    flat = np.concatenate(rows)
    # Any position that holds a row will do; a GPU group's padding (-1) holds none.
    sources = np.empty(len(prefixes.sources), np.int64)
    sources[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
    rows_, sources_, ends = (
        torch.from_numpy(index).to(device, non_blocking=True)
        for index in (flat.clip(0), sources, prefixes.ends)
    )
    return Packing(groups, rows_, sources_, ends)


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
