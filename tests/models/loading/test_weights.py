"""Files of weights as people have them: each loads as its plain form, or says why not."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip, save_clip
from hnclip_cli.models.loading.weights import readable_weights

NAME = "hnclip-tiny-vit"


@pytest.fixture(scope="module")
def weights():
    return dict(load_clip(NAME, device="cpu", seed=5).module.state_dict())


def loaded(path):
    return load_clip(NAME, str(path), device="cpu").module.state_dict()


def training_checkpoint(weights):
    """As open_clip writes it: numbers of numpy among the settings of the optimizer."""
    optimizer = {"param_groups": [{"lr": np.float64(1e-3), "step": np.int64(3), "betas": (0.9, 1)}]}
    return {
        "epoch": 3, "name": "run", "optimizer": optimizer,
        "state_dict": {f"module.{name}": value for name, value in weights.items()},
    }  # fmt: skip


FORMS = {
    "plain": lambda weights: weights,
    "parallel": lambda weights: {f"module.{name}": value for name, value in weights.items()},
    "compiled": lambda weights: {f"_orig_mod.{name}": value for name, value in weights.items()},
    "both": lambda weights: {f"module._orig_mod.{name}": v for name, v in weights.items()},
    "part of another": lambda weights: {f"net.clip.{name}": v for name, v in weights.items()},
    "fully sharded": lambda weights: {
        f"_fsdp_wrapped_module.{name}".replace(
            "blocks.0.", "blocks.0._checkpoint_wrapped_module."
        ): v
        for name, v in weights.items()
    },
    "compiled tower": lambda weights: {
        name.replace("visual.", "visual._orig_mod."): value for name, value in weights.items()
    },
}
PICKLES = FORMS | {
    "training checkpoint": training_checkpoint,
    "model": lambda weights: {"model": weights, "args": {"lr": 1}},
    "archive numbers": lambda weights: weights | {"context_length": torch.tensor(77)},
}


@pytest.mark.parametrize(
    ("form", "suffix"),
    [*((form, ".safetensors") for form in FORMS), *((f, ".pt") for f in PICKLES)],
)
def test_wrapped_weights_load_as_the_plain_ones(weights, tmp_path, form, suffix):
    path = tmp_path / f"weights{suffix}"
    found = PICKLES[form](weights)
    save_file(found, path) if suffix == ".safetensors" else torch.save(found, path)
    for name, value in loaded(path).items():
        assert torch.equal(value, weights[name]), name


def test_weights_are_told_by_what_they_hold(weights, tmp_path):
    save_file(weights, tmp_path / "a.safetensors")
    torch.save(weights, tmp_path / "b.pt")
    for given, name in (("a.safetensors", "x.pt"), ("a.safetensors", "x"), ("b.pt", "y.tar")):
        (tmp_path / name).write_bytes((tmp_path / given).read_bytes())
        assert torch.equal(loaded(tmp_path / name)["logit_scale"], weights["logit_scale"])


def test_a_checkpoint_of_the_old_format_loads(weights, tmp_path):
    torch.save(
        training_checkpoint(weights), tmp_path / "x.pt", _use_new_zipfile_serialization=False
    )
    assert torch.equal(loaded(tmp_path / "x.pt")["logit_scale"], weights["logit_scale"])


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("canary"),)


REFUSED = {
    "model.gguf": (b"GGUF" + bytes(99), "not a file of weights; expected safetensors"),
    "empty.safetensors": (b"", "is empty"),
    "empty.pt": (b"", "is empty"),
    "lfs.safetensors": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
    "lfs.bin": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
    "page.safetensors": (b"<!DOCTYPE html>" + b" " * 99, "not a safetensors file"),
    "page.pt": (b"<!DOCTYPE html>", "not a file of weights|a pickle of more"),
    "cut.pt": (b"PK\x03\x04" + b"\0" * 99, "not a file of weights"),
    "number.pt": (pickle.dumps(5), "no weights|not a file of weights|a pickle of more"),
    "evil.pt": (pickle.dumps({"state_dict": Evil()}), "a pickle of more than tensors"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_no_weights_says_so_in_one_short_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    data, message = REFUSED[name]
    Path(name).write_bytes(data)
    with pytest.raises(HnclipError, match=message) as caught:
        loaded(name)
    assert str(caught.value).startswith(f"{name}: ") and len(str(caught.value)) <= 200
    assert not Path("canary").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {"x": torch.ones(1)},
        lambda weights: weights | {"positional_embedding": torch.ones(9, 3)},
        lambda weights: {name: x for name, x in weights.items() if "resblocks" not in name},
    ],
)
def test_weights_of_another_model_are_one_short_line(weights, tmp_path, monkeypatch, change):
    monkeypatch.chdir(tmp_path)
    save_file(change(weights), "other.safetensors")
    with pytest.raises(HnclipError, match=r"the weights are not of this|that of the wei") as caught:
        loaded("other.safetensors")
    assert len(str(caught.value)) <= 200


def test_torchscript_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), "model.pt")
    with pytest.raises(HnclipError, match=r"^model.pt: a TorchScript archive") as caught:
        loaded("model.pt")
    assert len(str(caught.value)) <= 200


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "x.pt"])
def test_a_folder_may_hold_a_pickle_of_tensors(weights, tmp_path, name):
    save_clip(load_clip(NAME, device="cpu", seed=5), str(tmp_path))
    (tmp_path / "open_clip_model.safetensors").unlink()
    torch.save(training_checkpoint(weights), tmp_path / name)
    (tmp_path / "training_args.bin").write_bytes(pickle.dumps(Evil()))
    again = load_clip(str(tmp_path), device="cpu").module.state_dict()
    assert all(torch.equal(again[key], value) for key, value in weights.items())


CLIP = {
    "projection_dim": 24,
    "text_config": {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 77, "vocab_size": 49408,
        "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 0,
    },
    "vision_config": {
        "hidden_size": 48, "intermediate_size": 100, "num_hidden_layers": 2,
        "num_attention_heads": 4, "patch_size": 16, "image_size": 32,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def theirs():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    return transformers.CLIPModel(transformers.CLIPConfig(**CLIP)).eval()


@pytest.mark.parametrize("form", ["model.safetensors", "pytorch_model.bin"])
@torch.inference_mode()
def test_a_clip_of_transformers_gives_the_same_features(theirs, tmp_path, form):
    theirs.save_pretrained(tmp_path)
    if form.endswith(".bin"):
        (tmp_path / "model.safetensors").unlink()
        torch.save(theirs.state_dict(), tmp_path / form)
    clip = load_clip(str(tmp_path), device="cpu")
    pixels = torch.rand(3, 3, 32, 32)
    tokens = clip.tokenize(["a cat", "two dogs on a mat"])
    expected = theirs(input_ids=tokens, attention_mask=(tokens != 0).long(), pixel_values=pixels)
    assert (clip.encode_images(pixels) - expected.image_embeds).abs().max() < 1e-5
    assert (clip.encode_tokens(tokens) - expected.text_embeds).abs().max() < 1e-5
    save_clip(clip, str(tmp_path / "ours"))
    ours = load_clip(str(tmp_path / "ours"), device="cpu")
    assert torch.equal(ours.encode_images(pixels), clip.encode_images(pixels))


def test_another_model_of_transformers_is_named(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "blip"}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(HnclipError, match="not a CLIP of transformers; got model_type 'blip'"):
        load_clip(str(tmp_path), device="cpu")


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
@pytest.mark.parametrize("kind", [torch.int8, torch.bool, torch.complex64])
def test_weights_that_are_no_floating_point_are_refused(tmp_path, kind, suffix):
    path = str(tmp_path / f"a.{suffix}")
    tensors = {"visual.proj.weight": torch.ones(2, dtype=kind), "steps": torch.tensor(1)}
    (save_file if suffix == "safetensors" else torch.save)(tensors, path)
    message = rf"a\.{suffix}: visual\.proj\.weight is .*floating point"
    with pytest.raises(HnclipError, match=message), readable_weights(path):
        pass
