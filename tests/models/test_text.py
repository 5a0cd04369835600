"""Cutting the padding is exact, in values and gradients, or not done."""

import open_clip
import pytest
import torch

from hnclip_cli.models.text import encode_text

TEXTS = ["a cat", "a black cat on a white sofa, and two dogs", "x"]


def small(**text):
    torch.manual_seed(0)
    config = {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    vision = {"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    return open_clip.CLIP(16, vision, config | text).double().eval()


@pytest.mark.parametrize("bucket_size", [1, 2, 32])
def test_values_and_gradients_equal_the_padded_ones(monkeypatch, bucket_size):
    monkeypatch.setattr("hnclip_cli.models.text.BUCKET_SIZE", bucket_size)
    module = small()
    tokens = open_clip.get_tokenizer("ViT-B-32")(TEXTS)[:, :20]
    ours, theirs = encode_text(module, tokens), module.encode_text(tokens)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    parameters = [p for name, p in module.named_parameters() if "visual" not in name]
    parameters = [p for p in parameters if p.ndim]  # logit_scale takes no part
    for mine, other in zip(
        torch.autograd.grad(ours.square().sum(), parameters),
        torch.autograd.grad(theirs.square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_the_padding_is_really_cut():
    module = small()
    seen = []
    module.transformer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    encode_text(module, open_clip.get_tokenizer("ViT-B-32")(["a cat", "x"])[:, :20])
    assert seen == [(2, 4, 32)]  # start, a, cat, end


def test_no_texts_give_no_rows():
    module = small()
    assert encode_text(module, torch.zeros(0, 20, dtype=torch.long)).shape == (0, 16)


@pytest.mark.parametrize("text", [{"no_causal_mask": True}, {"pool_type": "last"}])
def test_towers_for_which_it_is_not_exact_are_run_as_they_are(text):
    module = small(**text)
    tokens = open_clip.get_tokenizer("ViT-B-32")(TEXTS)[:, :20]
    assert torch.equal(encode_text(module, tokens), module.encode_text(tokens))
