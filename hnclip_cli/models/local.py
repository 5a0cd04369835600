"""Features of patches and of words, from the pass that gives the pooled ones.

Shapes: n inputs, P patches, L tokens, D features.
"""

from typing import Any

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer
from torch import Tensor

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.towers import causal_tower, project


def check_local(module: Any) -> None:
    """Refuse a model whose towers have no features of patches or of words.

    Raises:
        HnclipError: it names the tower.
    """
    visual = module.visual
    has_patches = isinstance(visual, ModifiedResNet) or (
        isinstance(visual, VisionTransformer)
        and visual.attn_pool is None
        and visual.pool_type in ("tok", "avg")
    )
    if not has_patches:
        raise HnclipError(
            "the image tower of this model has no features of patches",
            got=_describe(visual),
            expected="open_clip's VisionTransformer without attentional pooling, or ModifiedResNet",
            hint="--model ViT-B-32, or an --objective without a local term",
        )
    tower = causal_tower(module)
    if tower is None or tower.pool not in ("argmax", "eos"):
        raise HnclipError(
            "the text tower of this model has no features of words",
            got=_describe(getattr(module, "text", module)),
            expected="a causal tower that pools at the end token, as CLIP's",
            hint="--model ViT-B-32, or an --objective without a local term",
        )


def encode_image_local(module: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Pooled features and those of the patches.

    A patch of a vision transformer goes through the final norm and the projection, as the class
    token does. In a ModifiedResNet the cells of the last feature map are the patches; each goes
    through the value and output projections of the attention pool, which is what the pool would
    give if it looked at nothing else (MaskCLIP: Zhou, Loy, Dai, ECCV 2022, section 3.2).

    Args:
        module: an open_clip model that `check_local` accepts.
        pixels: (n, 3, height, width).

    Returns:
        (n, D) equal to ``encode_image``, and (n, P, D); neither is normalized.
    """
    visual = module.visual
    if isinstance(visual, ModifiedResNet):
        output = visual.forward_intermediates(pixels, indices=1)
        pool = visual.attnpool
        cells = output["image_intermediates"][0].flatten(2).transpose(1, 2)
        cells = cells + pool.positional_embedding[1:].to(cells.dtype)
        return output["image_features"], pool.c_proj(pool.v_proj(cells))
    output = visual.forward_intermediates(
        pixels, indices=1, normalize_intermediates=True, output_fmt="NLC"
    )
    return output["image_features"], project(output["image_intermediates"][0], visual.proj)


def encode_text_local(module: Any, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pooled features and those of the words, each through the final norm and the projection.

    The end token counts as a word, the start token and the padding do not. The padding behind
    the longest text is not computed: the tower is causal, so nothing behind a token changes it.

    Args:
        module: an open_clip model that `check_local` accepts.
        tokens: (n, context length) token ids, padded with zeros.

    Returns:
        (n, D) equal to ``encode_text``, (n, L, D), and which of these are words, (n, L) bool. L
        is that of the longest text. Features are not normalized.
    """
    tower = causal_tower(module)
    assert tower is not None
    holder = tower.module
    ends = tower.pool_positions(tokens)
    length = int(ends.max()) + 1 if len(ends) else 1
    tokens = tokens[:, :length]
    x = holder.token_embedding(tokens).to(tower.cast_dtype)
    x = x + holder.positional_embedding[:length].to(x.dtype)
    x = tower.project(holder.transformer(x, attn_mask=holder.attn_mask[:length, :length]))
    pooled = x[torch.arange(len(x), device=x.device), ends]
    positions = torch.arange(1, length, device=x.device)
    return pooled, x[:, 1:], positions <= ends[:, None]


def _describe(tower: Any) -> str:
    trunk = getattr(tower, "trunk", None)  # of a timm model
    return type(tower).__name__ + (f" of {type(trunk).__name__}" if trunk is not None else "")
