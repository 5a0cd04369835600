"""Features of patches and words come with the pooled ones, which stay what they are."""

import open_clip
import pytest
import torch
import torch.nn.functional as F

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip
from hnclip_cli.models.text import encode_text_local
from hnclip_cli.models.towers import check_local
from hnclip_cli.models.vision import encode_image_local

TEXTS = ["a cat", "a black cat on a white sofa, and two dogs", "x"]
TEXT = {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VISION = {"image_size": 16, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8}
TIMM = {
    "image_size": 64,
    "timm_model_name": "test_efficientnet_gn",
    "timm_pool": "avg",
    "timm_proj": "linear",
}
TOWERS = {
    "class token": {},
    "average": {"pool_type": "avg"},
    "norm after pooling": {"final_ln_after_pool": True},
    "ModifiedResNet": RESNET,
    "timm": TIMM,
}


def small(vision=None, text=None, kind=open_clip.CLIP):
    torch.manual_seed(0)
    vision = vision if vision in (RESNET, TIMM) else VISION | (vision or {})
    return kind(16, vision, TEXT | (text or {})).double().eval()


def tokens():
    return open_clip.get_tokenizer("ViT-B-32")(TEXTS)[:, :20]


@pytest.mark.parametrize("tower", TOWERS)
def test_pooled_image_features_and_their_gradients_are_those_of_encode_image(tower):
    module = small(TOWERS[tower])
    size = module.visual.image_size
    pixels = torch.randn(3, 3, *(size if isinstance(size, tuple) else (size, size))).double()
    pooled, patches = encode_image_local(module, pixels)
    expected = module.encode_image(pixels)
    torch.testing.assert_close(pooled, expected, rtol=1e-12, atol=1e-12)
    assert patches.shape == (3, 4, 16)
    parameters = list(module.visual.parameters())
    for mine, other in zip(
        torch.autograd.grad(pooled.square().sum(), parameters, materialize_grads=True),
        torch.autograd.grad(expected.square().sum(), parameters, materialize_grads=True),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_patches_go_through_the_norm_and_the_projection_of_the_pooled_ones():
    module = small({"pool_type": "avg"})
    pooled, patches = encode_image_local(module, torch.randn(2, 3, 16, 16).double())
    torch.testing.assert_close(patches.mean(dim=1), pooled)  # both steps are linear after the norm


def test_a_pool_that_looks_at_one_cell_only_gives_that_cells_feature():
    module = small(RESNET)
    pool = module.visual.attnpool
    with torch.no_grad():
        pool.q_proj.bias.zero_()
        pool.q_proj.weight.zero_()  # attends to all positions alike
        pool.positional_embedding.zero_()
    pooled, patches = encode_image_local(module, torch.randn(2, 3, 64, 64).double())
    torch.testing.assert_close(patches.mean(dim=1), pooled)  # the mean token is their mean too


@pytest.mark.parametrize("kind", [open_clip.CLIP, open_clip.CustomTextCLIP])
@pytest.mark.parametrize("text", [{}, {"proj_bias": True}])
def test_pooled_text_features_and_their_gradients_are_those_of_encode_text(kind, text):
    module = small(text=text, kind=kind)
    pooled, words, mask = encode_text_local(module, tokens())
    expected = module.encode_text(tokens())
    torch.testing.assert_close(pooled, expected, rtol=1e-12, atol=1e-12)
    ends = tokens().argmax(dim=1)
    assert words.shape == (3, int(ends.max()), 16)
    assert mask.sum(dim=1).tolist() == ends.tolist()  # all but the start token
    torch.testing.assert_close(words[torch.arange(3), ends - 1], pooled)
    parameters = [p for name, p in module.named_parameters() if "visual" not in name and p.ndim]
    for mine, other in zip(
        torch.autograd.grad(pooled.square().sum(), parameters),
        torch.autograd.grad(expected.square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_a_word_has_the_same_feature_whatever_follows():
    module = small()
    tokenize = open_clip.get_tokenizer("ViT-B-32")
    _, short, _ = encode_text_local(module, tokenize(["a black"])[:, :20])
    _, long, _ = encode_text_local(module, tokenize(["a black cat on a sofa"])[:, :20])
    torch.testing.assert_close(short[0, :2], long[0, :2])
    assert F.cosine_similarity(short[0, 2], long[0, 2], dim=0) < 0.999  # the end, and cat


def test_no_texts_give_no_rows():
    pooled, words, mask = encode_text_local(small(), torch.zeros(0, 20, dtype=torch.long))
    assert pooled.shape == (0, 16) and words.shape[::2] == (0, 16) and mask.shape[0] == 0


def test_the_models_that_we_name_have_local_features():
    check_local(small())
    check_local(small(RESNET))
    check_local(small(text={"pool_type": "eos", "eos_id": 49407}))
    check_local(load_clip("hnclip-tiny", device="cpu").module)


@pytest.mark.parametrize(
    ("vision", "text", "message"),
    [
        ({"attentional_pool": True}, {}, "got VisionTransformer"),
        ({}, {"no_causal_mask": True}, "text tower"),
        ({}, {"pool_type": "last"}, "text tower"),
        ({}, {"embed_cls": True}, "text tower"),
    ],
)
def test_other_towers_are_refused_by_name(vision, text, message):
    module = small(vision, text, kind=open_clip.CustomTextCLIP)
    with pytest.raises(HnclipError, match=message):
        check_local(module)
