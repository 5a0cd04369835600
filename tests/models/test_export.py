"""What is written for transformers gives there what it gives here, and comes back the same."""

from dataclasses import replace

import open_clip
import pytest
import torch

import hnclip_cli as hnclip
from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip

transformers = pytest.importorskip("transformers")
CAPTIONS = ["a cat", "Two dogs, it's raining!", "x " * 200]


@pytest.fixture(scope="module", params=[False, True], ids=["gelu", "quick gelu"])
def clip(request):
    """A small model of CLIP's architecture, once with another ε of its norms."""
    base = load_clip("hnclip-tiny-vit", device="cpu")
    config = {
        "embed_dim": 24, "quick_gelu": request.param,
        "vision_cfg": {
            "image_size": 32, "layers": 2, "width": 48, "head_width": 12, "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 40, "width": 32, "heads": 4, "layers": 2, "vocab_size": 49408,
        },
    }  # fmt: skip
    if request.param:
        for side in ("vision_cfg", "text_cfg"):
            config[side]["norm_kwargs"] = {"eps": 1e-2}
    torch.manual_seed(0)
    module = open_clip.CLIP(**config).eval()
    preprocess = {"size": 32, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.2)}
    open_clip.model.set_model_preprocess_cfg(
        module,
        open_clip.transform.merge_preprocess_dict(open_clip.transform.PreprocessCfg(), preprocess),
    )
    return replace(base, module=module, model_config=config)


@torch.inference_mode()
def test_there_and_back(clip, tmp_path):
    hnclip.export(clip, str(tmp_path))
    theirs = transformers.CLIPModel.from_pretrained(tmp_path).eval()
    tokens = clip.tokenize(CAPTIONS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    encoded = tokenizer(CAPTIONS, padding="max_length", truncation=True, return_tensors="pt")
    for ours, ids, mask in zip(tokens, encoded.input_ids, encoded.attention_mask, strict=True):
        assert ours[ours != 0].tolist() == ids[mask.bool()].tolist()
    pixels = torch.rand(2, 3, 32, 32)
    found = theirs(input_ids=tokens, attention_mask=(tokens != 0).long(), pixel_values=pixels)
    assert (found.image_embeds - clip.encode_images(pixels)).abs().max() < 1e-5
    assert (found.text_embeds - clip.encode_tokens(tokens)).abs().max() < 1e-5
    again = load_clip(str(tmp_path), device="cpu")
    for name, value in clip.module.state_dict().items():
        assert torch.equal(again.module.state_dict()[name], value), name
    sides = (again.module.visual.preprocess_cfg, clip.module.visual.preprocess_cfg)
    for name in ("mean", "std", "interpolation", "resize_mode"):
        assert [*sides[0][name]] == [*sides[1][name]]


def test_other_architectures_are_refused(tmp_path):
    with pytest.raises(HnclipError, match="not that of transformers' CLIPModel"):
        hnclip.export(load_clip("hnclip-tiny", device="cpu"), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
