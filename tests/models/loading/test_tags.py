"""A weights file gets the preprocessing and activation that its name's tags agree on, or asks."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from click.testing import CliRunner
from open_clip import factory
from open_clip.pretrained import list_pretrained_tags_by_model
from PIL import Image
from safetensors.torch import save_file

from hnclip_cli.cli import cli
from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import found_model, load_clip, save_clip
from hnclip_cli.models.loading.tags import find_settings

OPENAI = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
# What the papers' own code does to an image, and whether it trained with QuickGELU.
KNOWN = {
    "ViT-B-16-SigLIP": (*HALF, "bicubic", "squash", False),
    "ViT-SO400M-14-SigLIP2": (*HALF, "bicubic", "squash", False),
    "PE-Core-B-16": (*HALF, "bilinear", "squash", False),
    "MobileCLIP-S1": (*NONE, "bilinear", "shortest", False),
    "ViT-H-14-CLIPA": (*IMAGENET, "bilinear", "squash", False),
    "ViT-H-14-378-quickgelu": (*OPENAI, "bicubic", "squash", True),
    "RN50": (*OPENAI, "bicubic", "shortest", True),
    "ViT-L-14-336": (*OPENAI, "bicubic", "shortest", True),
    "ViT-B-32-quickgelu": (*OPENAI, "bicubic", "shortest", True),
    "ViT-B-32-256": (*OPENAI, "bicubic", "shortest", False),
    "roberta-ViT-B-32": (*OPENAI, "bicubic", "shortest", True),  # of its configuration
    "convnext_tiny": (*OPENAI, "bicubic", "shortest", False),  # without tags
}
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A weights file for a name of open_clip, whose towers are made tiny."""

    def make(name):
        with found_model("hnclip-tiny"):  # else open_clip reads its configurations again
            monkeypatch.setitem(factory._MODEL_CONFIGS, name, TINY)
        torch.manual_seed(0)
        path = tmp_path / "w.safetensors"
        save_file(open_clip.create_model(name).state_dict(), path)
        return str(path)

    return make


def settings_of(name, path="w.pt", like=None):
    found, line = find_settings(name, open_clip.get_model_config(name), path, like)
    return (found.mean, found.std, found.interpolation, found.resize_mode, found.quick_gelu), line


@pytest.fixture
def some_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pt").touch()


@pytest.mark.parametrize("name", KNOWN)
def test_a_file_gets_what_all_tags_of_its_name_have(some_file, name):
    found, line = settings_of(name)
    assert found == KNOWN[name]
    assert len(line) <= 200 and line.startswith("w.pt: mean ")
    assert ("QuickGELU" in line) == found[-1] and f", {found[3]}, " in line
    assert line.endswith("has no tags)") == (name == "convnext_tiny")


@pytest.mark.parametrize("name", [*KNOWN, "ViT-B-32", "ViT-H-14"])
def test_a_file_may_have_those_of_any_tag_of_its_name(some_file, name):
    config = open_clip.get_model_config(name)
    for tag in list_pretrained_tags_by_model(name):
        assert settings_of(name, "w.pt", tag)[0] == settings_of(name, tag)[0], tag
    found, line = settings_of(name, "w.pt", "default")
    assert found == (*OPENAI, "bicubic", "shortest", bool(config.get("quick_gelu")))
    assert line.endswith("(as default)")


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("ViT-B-32", "openai (QuickGELU), laion2b_e16 (GELU)"),
        ("ViT-H-14-quickgelu", "metaclip_fullcc (shortest), dfn5b (squash)"),
        ("ViT-H-14", "laion2b_s32b_b79k (shortest, GELU), metaclip_fullcc (shortest, QuickGELU)"),
        ("ViT-L-14", "laion400m_e31 (mean 0.4815, GELU), laion2b_s32b_b82k (mean 0.5, GELU)"),
    ],
)
def test_where_they_differ_a_file_is_refused_with_the_choices(some_file, name, choices):
    with pytest.raises(HnclipError, match=r"^w.pt: tags of .* differ in") as caught:
        settings_of(name)
    assert choices in str(caught.value) and "; try --preprocess-of" in str(caught.value)
    assert len(str(caught.value)) <= 200


def test_what_is_no_tag_and_what_needs_none_are_refused(some_file):
    with pytest.raises(HnclipError, match=r"no tag 'x' of RN50; expected one of openai, .*default"):
        settings_of("RN50", "w.pt", "x")
    for pretrained in ("openai", "no-such-file.pt", None):
        with pytest.raises(HnclipError, match="--preprocess-of is for a file"):
            settings_of("RN50", pretrained, "openai")
    with pytest.raises(HnclipError, match="--preprocess-of is for a file"):
        load_clip("hnclip-tiny", preprocess_of="openai", device="cpu")


def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("name", "tag"),
    [("MobileCLIP-S1", "datacompdr"), ("PE-Core-B-16", "meta"), ("ViT-L-14-336", "openai")],
)
@torch.inference_mode()
def test_a_file_of_weights_embeds_as_open_clip_with_the_tag(tiny, monkeypatch, name, tag, tmp_path):
    path, lines = tiny(name), []
    ours = load_clip(name, path, device="cpu", note=lines.append)
    monkeypatch.setattr(factory, "download_pretrained", lambda *_, **__: path)
    is_quick = open_clip.get_pretrained_cfg(name, tag).get("quick_gelu", False)
    theirs, _, preprocess = open_clip.create_model_and_transforms(
        name, tag, force_quick_gelu=is_quick
    )
    pixels = preprocess(picture())[None]
    assert torch.equal(ours.preprocess(picture())[None], pixels)
    expected = theirs.eval().encode_image(pixels, normalize=True)
    assert (ours.encode_images(pixels) - expected).abs().max() < 1e-6
    expected = theirs.encode_text(ours.tokenize(["a cat"]), normalize=True)
    assert (ours.encode_captions(["a cat"]) - expected).abs().max() < 1e-6
    assert len(lines) == 1 and lines[0].endswith(f"(as all tags of {name})")

    save_clip(ours, str(tmp_path / "run"))
    again = load_clip(str(tmp_path / "run"), device="cpu", note=lines.append)
    assert torch.equal(again.preprocess(picture())[None], pixels)
    assert torch.equal(again.encode_images(pixels), ours.encode_images(pixels))
    said = json.loads((tmp_path / "run" / "open_clip_config.json").read_text())
    assert said["model_cfg"].get("quick_gelu", False) == is_quick
    assert len(lines) == 1  # a folder says it itself


def test_a_tag_keeps_its_own(tiny, monkeypatch):
    path, lines = tiny("ViT-H-14"), []
    monkeypatch.setattr(factory, "download_pretrained", lambda *_, **__: path)
    monkeypatch.setattr("hnclip_cli.models.load.check_weights", lambda *_: None)
    clip = load_clip("ViT-H-14", "dfn5b", device="cpu", note=lines.append)
    assert clip.model_config["quick_gelu"] and not lines
    assert clip.module.visual.preprocess_cfg["resize_mode"] == "squash"


@pytest.mark.parametrize("of", ["embed", "score", "train"])
def test_commands_say_what_a_file_got(tiny, monkeypatch, tmp_path, of):
    monkeypatch.chdir(tmp_path)
    picture().save("a.png")
    Path("r.jsonl").write_text('{"image": "a.png", "caption": "a cat", "negatives": []}\n')
    tiny("ViT-B-32")
    command = [of, "r.jsonl", "--model", "ViT-B-32", "--pretrained", "w.safetensors"]
    train = ["--steps", "1", "--batch-size", "1", "--objective", "clip"]
    own = {"embed": ["--of", "image"], "train": train, "score": []}
    command += [*own[of], "-o", "x"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 1 and "tags of ViT-B-32 differ in" in result.stderr
    result = CliRunner().invoke(cli, [*command, "--preprocess-of", "openai"])
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("bicubic, shortest, QuickGELU (as openai)") == 1
    if of == "train":
        assert load_clip("x", device="cpu").model_config["quick_gelu"] is True
