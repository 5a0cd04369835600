"""Image towers, without computing what their result does not use."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer
from torch import Tensor

from hnclip_cli.models.blocks import Packing, can_run, has_hooks, run_blocks
from hnclip_cli.models.device import autocast_dtype, is_gpu
from hnclip_cli.models.packed import attend_whole
from hnclip_cli.models.towers import averages_cells, project


def encode_image(module: Any, pixels: Tensor) -> Tensor:
    """open_clip's ``encode_image``, the last block for the class token only.

    In a ViT that is pooled at its class token, nothing reads the patches that come out of the
    last block. Other towers (ResNets, timm's, pooled otherwise) are run as they are.

    Args:
        module: an open_clip model.
        pixels: (n, 3, height, width), on the module's device.

    Returns:
        (n, D) features, not normalised.
    """
    visual = module.visual
    if not _pools_class_token(visual):
        # All that follows a convolution is laid out as its input. A CPU trains faster with it, too;
        # without training its features stay open_clip's to the last bit.
        if pixels.is_cuda or module.training:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        features: Tensor = module.encode_image(pixels, normalize=False)
        return features
    x = _embed_patches(visual, pixels) if is_gpu(pixels.device) else visual._embeds(pixels)
    n, length, width = x.shape
    class_tokens = torch.arange(0, n * length, length, device=x.device)
    packing = Packing(partial(attend_whole, length=length), None, class_tokens, length)
    x = run_blocks(visual.transformer, x.reshape(n * length, width), packing)
    pooled, _ = visual._pool(x[:, None])
    return project(pooled, visual.proj)


def encode_image_local(module: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Pooled features and those of the patches.

    A patch of a vision transformer goes through the final norm and the projection. In a
    ModifiedResNet the cells of the last feature map are the patches; each goes through the value
    and output projections of the attention pool, which is what the pool would give if it looked
    at nothing else (MaskCLIP: Zhou, Loy, Dai, ECCV 2022, section 3.2). In a convolutional tower of
    timm that averages its cells each goes through the head, as an average of one cell.

    Args:
        module: an open_clip model that `check_local` accepts.
        pixels: (n, 3, height, width).

    Returns:
        (n, D) equal to `encode_image`'s, and of P patches (n, P, D); neither is normalized.
    """
    visual = module.visual
    if averages_cells(visual):
        grid = visual.trunk.forward_features(pixels.contiguous(memory_format=torch.channels_last))
        pooled: Tensor = visual.head(visual.trunk.forward_head(grid))
        n, channels, height, width = grid.shape
        each = grid.permute(0, 2, 3, 1).reshape(n * height * width, channels, 1, 1)
        cells = visual.head(visual.trunk.forward_head(each))
        return pooled, cells.view(n, height * width, -1)
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


def _embed_patches(visual: Any, pixels: Tensor) -> Tensor:
    """``visual._embeds`` with the patches multiplied as one matrix.

    For so large a stride cuDNN's convolutions take ten times as long, forward and backward.
    """
    conv = visual.conv1
    if conv.kernel_size != conv.stride or any(conv.padding):
        embedded: Tensor = visual._embeds(pixels)
        return embedded
    pixels = pixels.to(autocast_dtype(pixels.device) or pixels.dtype)  # before they are copied
    height, width = conv.kernel_size
    patches = pixels.unfold(2, height, height).unfold(3, width, width)
    patches = patches.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    x = F.linear(patches, conv.weight.flatten(1), conv.bias)
    first = visual.class_embedding.to(x.dtype).expand(len(x), 1, -1)
    x = torch.cat([first, x], dim=1) + visual.positional_embedding.to(x.dtype)
    normed: Tensor = visual.ln_pre(visual.patch_dropout(x))
    return normed


def _pools_class_token(visual: Any) -> bool:
    return (
        type(visual) is VisionTransformer
        and hasattr(visual, "_embeds")  # private, so another version may lack it
        and hasattr(visual, "_pool")
        and visual.pool_type == "tok"
        and visual.attn_pool is None
        and visual.transformer.batch_first
        and can_run(visual.transformer)
        and not has_hooks(visual)
    )
