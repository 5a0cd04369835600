"""Loading, saving and encoding against open_clip's own."""

import json
import shutil
import socket

import numpy as np
import open_clip
import pytest
import torch
from huggingface_hub import constants as hub
from PIL import Image
from safetensors.torch import load_file, save_file

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip, save_clip

CAPTIONS = ["a cat", "A black cat sits on a white sofa next to two dogs.", "", "x " * 200]


def noise(size, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@torch.inference_mode()
def test_embeddings_equal_open_clips_own(vit_b_32):
    clip = load_clip("ViT-B-32", vit_b_32, preprocess_of="laion2b_e16", device="cpu")
    module, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", vit_b_32)
    module.eval()
    pixels = torch.stack([preprocess(noise((300, 200))), preprocess(noise((99, 400), 1))])
    assert torch.equal(pixels[0], clip.preprocess(noise((300, 200))))
    theirs = module.encode_image(pixels, normalize=True)
    assert (clip.encode_images(pixels) - theirs).abs().max() < 1e-5
    theirs = module.encode_text(open_clip.get_tokenizer("ViT-B-32")(CAPTIONS), normalize=True)
    assert (clip.encode_captions(CAPTIONS) - theirs).abs().max() < 1e-5


def test_a_saved_folder_loads_with_open_clip_alone(tmp_path):
    clip = load_clip("hnclip-tiny", device="cpu", seed=3)
    save_clip(clip, str(tmp_path / "run"))
    module, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path / 'run'}")
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'run'}")(CAPTIONS)
    pixels = preprocess(noise((80, 100)))[None]
    module.eval()
    with torch.inference_mode():
        assert torch.equal(pixels[0], clip.preprocess(noise((80, 100))))
        images = module.encode_image(pixels, normalize=True)
        texts = module.encode_text(tokens, normalize=True)
        assert (clip.encode_images(pixels) - images).abs().max() < 1e-5
        assert (clip.encode_captions(CAPTIONS) - texts).abs().max() < 1e-5


def test_a_saved_folder_loads_again_by_name_or_schema(tmp_path):
    folder = str(tmp_path / "run")
    first = load_clip("hnclip-tiny", device="cpu", seed=3)
    save_clip(first, folder)
    for name in (folder, folder + "/", f"local-dir:{folder}"):
        again = load_clip(name, device="cpu")
        for ours, theirs in zip(
            first.module.state_dict().values(), again.module.state_dict().values(), strict=True
        ):
            assert torch.equal(ours, theirs)


def test_saving_is_the_same_bytes_every_time(tmp_path):
    clip = load_clip("hnclip-tiny", device="cpu")
    for name in ("a", "b"):
        save_clip(clip, str(tmp_path / name))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_random_weights_follow_the_seed():
    weights = [
        load_clip("hnclip-tiny", device="cpu", seed=seed).module.text_projection
        for seed in (0, 0, 1)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_tiny_model_is_tiny():
    module = load_clip("hnclip-tiny", device="cpu").module
    beside = sum(p.numel() for p in module.parameters()) - module.token_embedding.weight.numel()
    assert 1e6 < beside < 2e6


def test_a_tag_with_quick_gelu_brings_its_activation(monkeypatch, vit_b_32):
    real = open_clip.create_model_and_transforms
    seen = {}

    def without_download(name, pretrained, **options):
        seen.update(options)
        return real(name, vit_b_32, **options)

    monkeypatch.setattr(open_clip, "create_model_and_transforms", without_download)
    monkeypatch.setattr("hnclip_cli.models.load.check_weights", lambda *_: None)
    clip = load_clip("ViT-B-32", "openai", device="cpu")
    assert seen["force_quick_gelu"] is True
    assert clip.model_config["quick_gelu"] is True  # and so it is saved
    load_clip("ViT-B-32", "laion2b_s34b_b79k", device="cpu")
    assert seen["force_quick_gelu"] is False


@pytest.mark.parametrize(
    ("name", "pretrained", "message"),
    [
        ("no-such-model", None, "no model 'no-such-model' in open_clip 3"),
        ("ViT-B-16-SigLIP2-naflex", None, "open_clip 4 has it, and hnclip works with open_clip 3"),
        ("TULIP-B-16-224", None, "a fork of open_clip, tulip-berkeley/open_clip"),
        ("ViT-B-32", "no-such-tag", "model cannot be loaded .*no-such-tag"),
        ("hf-hub:org/name", "openai", "a model of the hub brings its weights"),
        ("local-dir:/no/such/folder", None, "/no/such/folder: no open_clip_config.json"),
    ],
)
def test_what_cannot_be_loaded_says_why(name, pretrained, message):
    with pytest.raises(HnclipError, match=message):
        load_clip(name, pretrained, device="cpu")


@pytest.mark.parametrize(
    ("name", "repository"),
    [("ViT-B-16-SigLIP", "timm/ViT-B-16-SigLIP"), ("mt5-base-ViT-B-32", "google/mt5-base")],
)
def test_a_name_alone_asks_nobody_for_its_tokenizer(monkeypatch, tmp_path, name, repository):
    def refuse(*address):
        raise AssertionError(f"a way to the network: {address}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(open_clip, "create_model_and_transforms", lambda *a, **b: (None,) * 3)
    said = f"its tokenizer {repository} is not in the cache of .* try hf download {repository} "
    with pytest.raises(HnclipError, match=said) as caught:
        load_clip(name, device="cpu")
    assert len(str(caught.value)) <= 200 and not hub.HF_HUB_OFFLINE


def test_a_file_of_another_size_of_images_is_said_to_be_interpolated(monkeypatch, tmp_path):
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    weights = dict(clip.module.state_dict())
    positions = weights["visual.positional_embedding"]
    weights["visual.positional_embedding"] = torch.cat([positions, positions[:9]])[:26]
    save_file(weights, tmp_path / "x.safetensors")
    notes = []
    load_clip("hnclip-tiny-vit", str(tmp_path / "x.safetensors"), device="cpu", note=notes.append)
    assert notes[1].endswith("positions of images are interpolated, from 26 to 17")
    weights["positional_embedding"] = weights["positional_embedding"][:30].clone()
    save_file(weights, tmp_path / "x.safetensors")
    with pytest.raises(HnclipError, match="got positional_embedding of 30 × 128, expected 40 × "):
        load_clip("hnclip-tiny-vit", str(tmp_path / "x.safetensors"), device="cpu")


def test_weights_that_do_not_fit_are_refused(tmp_path):
    folder = tmp_path / "run"
    save_clip(load_clip("hnclip-tiny", device="cpu"), str(folder))
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 64
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(HnclipError, match="the weights are not of this model; got text_proj"):
        load_clip(str(folder), device="cpu")
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(HnclipError, match=r"no \*\.safetensors weights"):
        load_clip(str(folder), device="cpu")


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_named(tiny_run, tmp_path, value):
    shutil.copytree(tiny_run, tmp_path / "run")
    weights = tmp_path / "run" / "open_clip_model.safetensors"
    tensors = load_file(weights)
    tensors["visual.layer1.0.conv1.weight"][0, 0, 0, 0] = value
    save_file(tensors, weights)
    with pytest.raises(HnclipError, match=r"not finite; got NaN or .* in visual.layer1.0.conv1"):
        load_clip(str(tmp_path / "run"), device="cpu")


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    torch.nn.init.constant_(clip.module.text_projection, float("inf"))
    with pytest.raises(HnclipError, match=r"not finite; got NaN or .* in text_projection; try a l"):
        save_clip(clip, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("device", ["tpu9", "cuda:99"])
def test_devices_that_are_not_there_are_refused(device):
    with pytest.raises(HnclipError, match="device"):
        load_clip("hnclip-tiny", device=device)
