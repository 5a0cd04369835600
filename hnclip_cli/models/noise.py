"""Texts with noise among the embeddings of their tokens."""

import random
from typing import Any

import torch
from torch import Tensor

from hnclip_cli.models.clip import Clip

NOISE_TOKENS, NOISE_STD = 4, 0.02


def encode_with_noise(clip: Clip, tokens: Tensor, seed: str) -> Tensor:
    """Features of texts with four noise tokens in each: embeddings drawn from N(0, 0.02²).

    They stand in front, behind, or two at each end; which, and the noise, is drawn once for all
    texts. CLAP's augmentation (Cai et al., ECCV 2024). Towers of transformers get the plain texts.

    Args:
        tokens: (n, context length) ids, padded with zeros.
        seed: of what is drawn.

    Returns:
        (n, D), not normalized.
    """
    holder = getattr(clip.module, "text", clip.module)
    embedding = getattr(holder, "token_embedding", None)
    if embedding is None:
        return clip.encode_tokens_raw(tokens)
    front = random.Random(seed).choice([0, NOISE_TOKENS // 2, NOISE_TOKENS])
    generator = torch.Generator().manual_seed(random.Random(seed).getrandbits(63))
    shape = NOISE_TOKENS, embedding.weight.shape[1]
    noise = torch.normal(0.0, NOISE_STD, shape, generator=generator).to(clip.device)
    longer, places = torch.zeros_like(tokens), torch.zeros_like(tokens, dtype=torch.bool)
    for row, (text, count) in enumerate(
        zip(tokens, (tokens != 0).sum(dim=1).tolist(), strict=True)
    ):
        first, inner, last = text[:1], text[1 : count - 1], text[count - 1 : count]
        inner = inner[: tokens.shape[1] - NOISE_TOKENS - 2]
        zeros = inner.new_zeros(NOISE_TOKENS)
        ids = torch.cat([first, zeros[:front], inner, zeros[front:], last])
        longer[row, : len(ids)] = ids
        places[row, 1 : 1 + front] = True
        places[row, 1 + front + len(inner) : len(ids) - 1] = True
    places = places.to(clip.device)

    def replace(_module: Any, _inputs: Any, output: Tensor) -> Tensor:
        output = output.clone()
        output[places] = noise.to(output.dtype).repeat(len(tokens), 1)
        return output

    hook = embedding.register_forward_hook(replace)
    try:
        features: Tensor = clip.module.encode_text(longer.to(clip.device), normalize=False)
    finally:
        hook.remove()
    return features.float()
