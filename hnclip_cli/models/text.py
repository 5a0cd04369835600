"""Text towers without the padding that open_clip computes."""

from typing import Any

import torch
from torch import Tensor, nn


def encode_text(module: Any, tokens: Tensor) -> Tensor:
    """open_clip's ``encode_text``, with the padding behind the longest caption cut off.

    In a causal tower that pools at the end token nothing behind that token can change the
    result, so the cut is exact. Other towers (bidirectional, or pooled at the last position)
    are run as they are.

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
    length = int(tokens.argmax(dim=1).max()) + 1
    tokens = tokens[:, :length]
    dtype = module.transformer.get_cast_dtype()
    x = module.token_embedding(tokens).to(dtype)
    x = x + module.positional_embedding[:length].to(dtype)
    x = module.transformer(x, attn_mask=module.attn_mask[:length, :length])
    x = module.ln_final(x)
    x = x[torch.arange(len(x), device=x.device), tokens.argmax(dim=1)]
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
