"""A model folder that others made reaches no code, no network and no file outside of it."""

import json
import os
import shutil
import socket
import struct
from pathlib import Path

import open_clip
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from hnclip_cli.cli import cli
from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip, save_clip
from hnclip_cli.models.loading.folder import CONFIG_NAME, WEIGHTS_NAME, open_folder

CODE = "import pathlib; pathlib.Path(r'{canary}').touch()\n"
HF_TEXT = {"hf_tokenizer_name": "roberta-base"}


@pytest.fixture
def folder(tiny_run, tmp_path):
    """A model folder that works."""
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(Path(tiny_run, CONFIG_NAME), folder)
    os.link(Path(tiny_run, WEIGHTS_NAME), folder / WEIGHTS_NAME)
    return folder


@pytest.fixture(autouse=True)
def canary(tmp_path, monkeypatch):
    """A file that code from a folder would make; and no way to the network."""

    def refuse(*address):
        raise AssertionError(f"a way to the network: {address}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    canary = tmp_path / "canary"
    yield canary
    assert not canary.exists(), "code from the folder ran"


@pytest.fixture
def never_built(monkeypatch):
    """No module is made of what is refused."""

    def refuse(*args, **kwargs):
        raise AssertionError("a model was built")

    for kind in ("CLIP", "CustomTextCLIP", "CoCa"):
        monkeypatch.setattr(f"hnclip_cli.models.loading.shapes.{kind}", refuse)
    monkeypatch.setattr(open_clip, "create_model_and_transforms", refuse)


def edit(folder, **changes):
    """Change the configuration; ``text_cfg__width`` is a key inside."""
    path = folder / CONFIG_NAME
    config = json.loads(path.read_text())
    for key, value in changes.items():
        *sections, last = key.split("__")
        target = config["model_cfg"]
        for section in sections:
            target = target[section]
        target[last] = value
    path.write_text(json.dumps(config))


def refusal(folder):
    with pytest.raises(HnclipError) as caught:
        load_clip(str(folder), device="cpu")
    assert str(folder) in str(caught.value) and len(str(caught.value)) < 500
    return str(caught.value)


def test_an_honest_folder_loads(folder):
    assert load_clip(str(folder), device="cpu").embed_dim == 128


UNKNOWN = f"a key that open_clip {open_clip.__version__} does not know"
BAD = "bad model configuration; got"
NAME, TIMM = "the name of a model", "a model of the timm installed"
CONFIGS = {
    "code": ({"text_cfg__tokenizer_kwargs": {"trust_remote_code": True}}, UNKNOWN),
    "another vocabulary": ({"text_cfg__tokenizer_kwargs": {"bpe_path": "/etc/passwd"}}, UNKNOWN),
    "a mask that needs a download": (
        {"text_cfg__tokenizer_kwargs": {"reduction_mask": "syntax"}}, UNKNOWN
    ),
    "another revision": ({"text_cfg__tokenizer_kwargs": {"revision": "refs/pr/1"}}, UNKNOWN),
    "another cache": ({"text_cfg__tokenizer_kwargs": {"cache_dir": "/tmp"}}, UNKNOWN),
    "kwargs that are a list": ({"text_cfg__tokenizer_kwargs": ["trust_remote_code"]}, BAD),
    "kwargs of an activation": ({"vision_cfg__act_kwargs": {"inplace": True}}, UNKNOWN),
    "kwargs of a norm": ({"text_cfg__norm_kwargs": {"device": "cuda:7"}}, UNKNOWN),
    "timm from the hub": ({"vision_cfg__timm_model_name": "hf-hub:evil/model"}, TIMM),
    "timm from a folder": ({"vision_cfg__timm_model_name": "local-dir:."}, TIMM),
    "timm from a path": ({"vision_cfg__timm_model_name": "/etc/passwd"}, TIMM),
    "timm that is not there": ({"vision_cfg__timm_model_name": "resnet5000"}, TIMM),
    "timm that is a number": ({"vision_cfg__timm_model_name": 5}, BAD),
    "an absolute text tower": ({"text_cfg__hf_model_name": "/etc"}, NAME),
    "a text tower outside": ({"text_cfg__hf_model_name": "../evil"}, NAME),
    "a text tower by URL": ({"text_cfg__hf_model_name": "https://evil/x"}, NAME),
    "a text tower of the hub": ({"text_cfg__hf_model_name": "evil/model"}, "no config.json"),
    "a tokenizer outside": ({"text_cfg__hf_tokenizer_name": "../../etc"}, NAME),
    "a tokenizer by URL": ({"text_cfg__hf_tokenizer_name": "http://evil/x"}, NAME),
    "a tokenizer of the hub": ({"text_cfg__hf_tokenizer_name": "evil/model"}, "no files of"),
    "an unknown key": ({"weights": "/etc/passwd"}, UNKNOWN),
    "an unknown key inside": ({"vision_cfg__checkpoint_path": "/etc/passwd"}, UNKNOWN),
    "a key of the constructor": ({"cast_dtype": "float16"}, UNKNOWN),
    "null for a tower": ({"text_cfg": None}, "text_cfg = None, expected an object"),
    "a list for a tower": ({"vision_cfg": [1]}, BAD),
    "null for a width": ({"text_cfg__width": None}, "text_cfg.width = None, expected a"),
    "text for a width": ({"text_cfg__width": "128"}, BAD),
    "true for a width": ({"text_cfg__width": True}, BAD),
    "a fraction of a layer": ({"text_cfg__layers": 2.5}, BAD),
    "fewer layers than none": ({"text_cfg__layers": -1}, "expected a whole number from 1 to 1000"),
    "layers without end": ({"text_cfg__layers": 10**9}, BAD),
    "more digits than Python reads": ({"text_cfg__vocab_size": 10**4000}, BAD),
    "a vocabulary without end": ({"text_cfg__vocab_size": 10**15}, BAD),
    "a context without end": ({"text_cfg__context_length": 10**6}, BAD),
    "no heads": ({"vision_cfg__head_width": 60_000}, "a head no wider than the tower"),
    "another pooling": ({"text_cfg__pool_type": "evil"}, "expected one of tok, avg"),
    "a width of nothing": ({"vision_cfg__width": 0}, BAD),
    "images without end": ({"vision_cfg__image_size": [4096, 10**9]}, BAD),
    "patches without end": ({"vision_cfg": {"image_size": 4096, "patch_size": 1}}, "patches"),
    "a number that is none": ({"init_logit_scale": float("nan")}, BAD),
    "infinity": ({"text_cfg__mlp_ratio": float("inf")}, BAD),
    "a name without end": ({"vision_cfg__pool_type": "x" * 10**6}, BAD),
    "escape sequences": ({"\x1b]0;x\x07": 1}, UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize("case", CONFIGS)
@pytest.mark.usefixtures("never_built")
def test_a_configuration_says_what_is_allowed_and_no_more(folder, canary, case):
    for name in ("tokenization_evil.py", "configuration_evil.py", "modeling_evil.py"):
        (folder / name).write_text(CODE.format(canary=canary))
    changes, message = CONFIGS[case]
    edit(folder, **changes)
    said = refusal(folder)
    assert message in said and "\x1b" not in said


FILES = {
    "no JSON": (b"{", "bad model configuration"),
    "nothing": (b"", "bad model configuration"),
    "null": (b"null", "expected an object"),
    "a list": (b"[]", "expected an object"),
    "brackets in brackets": (b"[" * 100_000, "bad model configuration"),
    "without end": (b" " * (5 << 20), "too large a configuration"),
    "no UTF-8": (b"\xff\xfe\x00", "bad model configuration"),
    "a number of 5,000 digits": (b'{"model_cfg": ' + b"1" * 5000 + b"}", "bad model configuration"),
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.usefixtures("never_built")
def test_a_configuration_that_is_none_is_one_line(folder, case):
    data, message = FILES[case]
    (folder / CONFIG_NAME).write_bytes(data)
    assert message in refusal(folder)


@pytest.mark.parametrize("name", [CONFIG_NAME, WEIGHTS_NAME])
@pytest.mark.parametrize("kind", ["outside", "loop", "nothing", "pipe", "folder"])
@pytest.mark.usefixtures("never_built")
def test_files_of_a_folder_are_files_inside_of_it(folder, tmp_path, name, kind):
    path = folder / name
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    if kind == "outside":
        path.symlink_to("../elsewhere")
    elif kind in ("loop", "nothing"):
        path.symlink_to(path if kind == "loop" else folder / "none")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert any(
        word in refusal(folder) for word in ("link", "not a file", "no *.safetensors", "loop")
    )


def test_the_cache_of_the_hub_is_a_folder_of_links(folder, tmp_path):
    blobs = tmp_path / "models--a--b" / "blobs"
    snapshot = blobs.parent / "snapshots" / "main"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, path in enumerate(list(folder.iterdir())):
        path.rename(blobs / str(number))
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    with open_folder(snapshot) as opened:
        assert opened.config["embed_dim"] == 128


def header(text):
    return struct.pack("<Q", len(text)) + text


def tensor(size):
    return header(b'{"x":{"dtype":"F32","shape":[%d],"data_offsets":[0,4]}}' % size)


WEIGHTS = {
    "a header without end": struct.pack("<Q", 1 << 60) + b"{}",
    "a tensor of 2^60": tensor(1 << 60),
    "a negative shape": tensor(-1) + b"1234",
    "offsets outside": tensor(1),
    "brackets in brackets": header(b'{"x":' + b"[" * 50_000),
    "a pickle": b"\x80\x04cos\nsystem\n(S'touch canary'\ntR.",
    "a zip": b"PK\x03\x04" + b"\0" * 100,
}  # fmt: skip


@pytest.mark.parametrize("case", WEIGHTS)
@pytest.mark.usefixtures("never_built")
def test_weights_are_safetensors(folder, case):
    (folder / WEIGHTS_NAME).unlink()
    (folder / WEIGHTS_NAME).write_bytes(WEIGHTS[case])
    (folder / "pytorch_model.bin").write_bytes(WEIGHTS["a pickle"])
    assert "not a safetensors file" in refusal(folder)


def test_weights_in_several_files_are_refused_by_name(folder):
    (folder / WEIGHTS_NAME).rename(folder / "model-00001-of-00002.safetensors")
    assert "in several files, and only one is read; got model-00001-of-" in refusal(folder)


def test_a_small_file_of_weights_does_not_make_a_large_model(folder, monkeypatch):
    monkeypatch.setattr(open_clip, "create_model_and_transforms", None)
    edit(folder, text_cfg__width=32_768, text_cfg__layers=1_000)
    assert "a model of 1" in refusal(folder)


SIZES = {
    "text_cfg__context_length": (1, "positional_embedding of 40 × 128, expected 1 × 128"),
    "text_cfg__vocab_size": (49000, "token_embedding.weight of 49408 × 128, expected 49000 × 128"),
    "text_cfg__width": (64, "of 128, expected 64"),
    "text_cfg__layers": (1, "got transformer.resblocks.1.attn.in_proj_bias besides what it has"),
    "vision_cfg__image_size": (128, "visual.positional_embedding of 17 × 64, expected 65 × 64"),
    "vision_cfg__patch_size": (32, "visual.conv1.weight of 64 × 3 × 16 × 16, expected 64 × 3 × 32"),
    "vision_cfg__width": (32, "of 64, expected 32"),
    "vision_cfg__layers": (3, "got no visual.transformer.resblocks.2.attn.in_proj_bias"),
    "embed_dim": (64, "text_projection of 128 × 128, expected 128 × 64"),
}


@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_those_of_the_weights(tmp_path, size):
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    save_clip(clip, str(tmp_path / "model"))
    value, message = SIZES[size]
    edit(tmp_path / "model", **{size: value})
    said = refusal(tmp_path / "model")
    assert "the weights are not of this model" in said and message in said
    assert len(said) - len(str(tmp_path)) < 200


def test_a_bias_that_the_model_has_not_is_named(folder):
    tensors = load_file(folder / WEIGHTS_NAME) | {"logit_bias": torch.tensor(-10.0)}
    (folder / WEIGHTS_NAME).unlink()
    save_file(tensors, folder / WEIGHTS_NAME)
    assert "got logit_bias besides what it has" in refusal(folder)


@pytest.mark.parametrize("name", ["positional_embedding", "visual.conv1.weight"])
@pytest.mark.parametrize("shape", [(-1,), ()])
def test_tensors_of_too_few_sides_are_named(folder, name, shape):
    tensors = load_file(folder / WEIGHTS_NAME)
    tensors[name] = tensors[name].reshape(shape) if shape else torch.tensor(1.0)
    (folder / WEIGHTS_NAME).unlink()
    save_file(tensors, folder / WEIGHTS_NAME)
    assert f"got {name} of" in refusal(folder)


def test_what_cannot_be_built_is_one_line(folder):
    edit(folder, text_cfg__heads=7)
    assert "model cannot be loaded" in refusal(folder)


SETTINGS = {
    "code": (
        {"auto_map": {"AutoTokenizer": ["tokenization_evil.Evil", None]}},
        "that is not known",
    ),
    "another class": ({"tokenizer_class": "MyT5Tokenizer"}, "a tokenizer that is not known"),
    "a class by path": ({"tokenizer_class": "os.system"}, "a tokenizer that is not known"),
    "a list": ([], "expected an object"),
}


@pytest.mark.parametrize("case", SETTINGS)
@pytest.mark.usefixtures("never_built")
def test_settings_of_a_tokenizer_are_known_ones(folder, canary, case):
    edit(folder, text_cfg__hf_tokenizer_name="roberta-base")
    (folder / "tokenization_evil.py").write_text(CODE.format(canary=canary))
    (folder / "tokenizer.json").write_text("{}")
    settings, message = SETTINGS[case]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    assert message in refusal(folder)


@pytest.mark.usefixtures("never_built")
def test_files_of_a_tokenizer_are_inside_too(folder, tmp_path):
    edit(folder, text_cfg__hf_tokenizer_name="roberta-base")
    (tmp_path / "secret").write_text("x")
    (folder / "merges.txt").symlink_to(tmp_path / "secret")
    assert "a link that leads out" in refusal(folder)


TOWERS = {
    "code": {"model_type": "evil", "auto_map": {"AutoConfig": "configuration_evil.Evil"}},
    "layers without end": {"model_type": "roberta", "num_hidden_layers": 10**9},
    "a list": {"model_type": "roberta", "hidden_size": [1]},
    "nothing": {},
}


@pytest.mark.parametrize("case", TOWERS)
@pytest.mark.usefixtures("never_built")
def test_a_text_tower_of_transformers_is_a_known_one(folder, canary, case):
    edit(folder, text_cfg__hf_model_name="roberta-base")
    (folder / "configuration_evil.py").write_text(CODE.format(canary=canary))
    (folder / "config.json").write_text(json.dumps(TOWERS[case]))
    assert "bad model configuration" in refusal(folder)


@pytest.mark.usefixtures("never_built")
def test_what_transformers_would_follow_does_not_reach_it(folder):
    edit(folder, text_cfg__hf_model_name="roberta-base", text_cfg__hf_tokenizer_name="roberta-base")
    tower = {"model_type": "roberta", "attn_implementation": "evil/kernel", "auto_map": {}}
    (folder / "config.json").write_text(json.dumps(tower))
    settings = {"tokenizer_class": "RobertaTokenizer", "vocab_file": "/etc/passwd"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    for name in ("tokenizer.json", "adapter_config.json", "evil.py", "pytorch_model.bin"):
        (folder / name).write_text("{}")
    with open_folder(folder) as opened:
        private = Path(opened.private)
        seen = {path.name: path for path in private.iterdir()}
        assert set(seen) == {
            "config.json", "open_clip_config.json", WEIGHTS_NAME, "tokenizer.json",
            "tokenizer_config.json",
        }  # fmt: skip
        assert json.loads(seen["config.json"].read_text()) == {"model_type": "roberta"}
        assert json.loads(seen["tokenizer_config.json"].read_text()) == {
            "tokenizer_class": "RobertaTokenizer"
        }
        text = json.loads(seen[CONFIG_NAME].read_text())["model_cfg"]["text_cfg"]
        assert text["tokenizer_kwargs"] == {"trust_remote_code": False}
        assert text["hf_model_name"] == str(private) and not text["hf_model_pretrained"]
        assert opened.config["text_cfg"]["hf_model_name"] == "roberta-base"
    assert not private.exists()


@pytest.mark.parametrize("command", ["embed", "score", "train", "dry run"])
def test_every_command_refuses_it_in_one_line(folder, tmp_path, command):
    edit(folder, text_cfg__tokenizer_kwargs={"trust_remote_code": True})
    (tmp_path / "c.jsonl").write_text('{"caption": "a cat", "image": "x.png"}\n')
    (tmp_path / "x.png").touch()
    clip = ["--objective", "clip", "--batch-size", 1]
    arguments = {
        "embed": ["embed", "--of", "caption", "-o", tmp_path / "out"],
        "score": ["score", "-o", tmp_path / "out"],
        "train": ["train", "--steps", 1, "-o", tmp_path / "out", *clip],
        "dry run": ["train", "--steps", 1, "-o", tmp_path / "out", "--dry-run"],
    }[command]
    more = ["--model", folder, tmp_path / "c.jsonl"]
    result = CliRunner().invoke(cli, [*map(str, [*arguments, *more])])
    assert result.exit_code == 1
    assert "trust_remote_code" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("case", ["code", "timm from the hub", "a text tower outside"])
@pytest.mark.usefixtures("never_built")
def test_the_hub_is_trusted_no_more(folder, monkeypatch, case):
    changes, message = CONFIGS[case]
    edit(folder, **changes)
    config = json.loads((folder / CONFIG_NAME).read_text())["model_cfg"]
    monkeypatch.setattr(open_clip, "get_model_config", lambda name: config)
    with pytest.raises(HnclipError, match=message):
        load_clip("hf-hub:evil/model", device="cpu")
