"""What an image's result does not use is left out; values and gradients stay."""

import open_clip
import pytest
import torch

from hnclip_cli.models.vision import encode_image

TEXT = {"context_length": 8, "vocab_size": 30, "width": 16, "heads": 2, "layers": 1}
VISION = {"image_size": 16, "layers": 3, "width": 32, "head_width": 16, "patch_size": 8}
EXACT = {
    "plain": {},
    "norm after pooling": {"final_ln_after_pool": True},
    "no norm before": {"no_ln_pre": True},
    "layer scale": {"ls_init_value": 0.3},
    "one block": {"layers": 1},
}
AS_IT_IS = {
    "mean of the patches": {"pool_type": "avg"},
    "attentional pooling": {"attentional_pool": True, "attn_pooler_heads": 2},
    "custom block": {"block_type": "custom"},
    "ResNet": {"layers": [1, 1, 1, 1], "image_size": 64},
}


def build(**options):
    torch.manual_seed(0)
    module = open_clip.CLIP(16, VISION | options, TEXT)
    for parameter in module.visual.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module.double().eval()


def pixels(module):
    torch.manual_seed(1)
    size = module.visual.image_size
    return torch.randn(3, 3, *(size if isinstance(size, tuple) else (size, size))).double()


def gradients(module, features):
    parameters = list(module.visual.parameters())
    weights = torch.linspace(-1, 2, features.numel(), dtype=features.dtype).view_as(features)
    return torch.autograd.grad((features * weights).sum(), parameters)


def relative(mine, other):
    return (mine - other).norm() / other.norm()


@pytest.mark.parametrize("precision", [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=str)
@pytest.mark.parametrize("options", EXACT.values(), ids=EXACT)
def test_values_and_gradients_are_open_clips(options, precision):
    dtype, bound = precision
    module = build(**options).to(dtype)
    images = pixels(module).to(dtype)
    ours, theirs = encode_image(module, images), module.encode_image(images)
    assert relative(ours, theirs) <= bound
    mine, other = gradients(module, ours), gradients(module, theirs)
    largest = max(gradient.norm() for gradient in other)
    for gradient, expected in zip(mine, other, strict=True):
        assert (gradient - expected).norm() <= bound * max(expected.norm(), 1e-3 * largest)


def test_the_last_block_computes_one_token_an_image():
    module, seen = build(), []
    for block in module.visual.transformer.resblocks:
        block.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    encode_image(module, pixels(module))
    assert seen == [15, 15, 3]


@pytest.mark.parametrize("options", AS_IT_IS.values(), ids=AS_IT_IS)
def test_other_towers_are_run_as_they_are(options):
    module = build(**options)
    images = pixels(module)
    assert torch.equal(encode_image(module, images), module.encode_image(images))


def test_a_hook_still_sees_all_patches():
    module, seen = build(), []
    last = module.visual.transformer.resblocks[-1]
    last.register_forward_hook(lambda _, inputs, output: seen.append(output.shape))
    encode_image(module, pixels(module))
    assert seen == [(3, 5, 32)]


def test_gradient_checkpointing_changes_nothing():
    module = build()
    expected = gradients(module, encode_image(module, pixels(module)))
    module.set_grad_checkpointing()
    for found, other in zip(
        gradients(module, encode_image(module, pixels(module))), expected, strict=True
    ):
        torch.testing.assert_close(found, other, rtol=1e-12, atol=1e-12)
