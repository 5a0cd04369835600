"""Text towers without the padding that open_clip computes."""

from typing import Any

import torch
from torch import Tensor, nn

# Fewer sequences than this keep the cores of a CPU less busy than their padding would.
BUCKET_SIZE = 32
MAX_BUCKETS = 4


def encode_text(module: Any, tokens: Tensor) -> Tensor:
    """open_clip's ``encode_text`` without most of the padding, in buckets of similar length.

    In a causal tower that pools at the end token nothing behind that token can change the
    result, so cutting the padding is exact. Other towers (bidirectional, or pooled at the last
    position) are run as they are.

    Args:
        module: an open_clip model.
        tokens: (n, context length) token ids, padded with zeros.

    Returns:
        (n, D) features, not normalised.
    """
    if not _is_causal_clip(module):
        features: Tensor = module.encode_text(tokens)
        return features
    # The end token has the highest id, so its position is that of the maximum.
    ends = tokens.argmax(dim=1)
    size = max(BUCKET_SIZE, -(-len(tokens) // MAX_BUCKETS))
    order = ends.argsort(stable=True)
    buckets = [
        _encode_bucket(module, tokens[rows], ends[rows])
        for rows in torch.split(order, size)
        if len(rows)
    ]
    return torch.cat(buckets)[order.argsort()] if buckets else module.encode_text(tokens)


def _encode_bucket(module: Any, tokens: Tensor, ends: Tensor) -> Tensor:
    length = int(ends[-1]) + 1  # they are sorted
    tokens = tokens[:, :length]
    dtype = module.transformer.get_cast_dtype()
    x = module.token_embedding(tokens).to(dtype)
    x = x + module.positional_embedding[:length].to(dtype)
    x = module.transformer(x, attn_mask=module.attn_mask[:length, :length])
    x = module.ln_final(x)
    x = x[torch.arange(len(x), device=x.device), ends]
    projection = module.text_projection
    if isinstance(projection, nn.Linear):
        x = projection(x)
    elif projection is not None:
        x = x @ projection
    pooled: Tensor = x
    return pooled


def _is_causal_clip(module: Any) -> bool:
    return (
        getattr(module, "text_pool_type", None) == "argmax"
        and getattr(module, "attn_mask", None) is not None
        and hasattr(module, "token_embedding")
    )
