"""Text towers and tokenizers of transformers: a folder holds all that they need."""

import json
import sys

import open_clip
import pytest
import torch
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip, save_clip
from hnclip_cli.models.loading.folder import CONFIG_NAME, WEIGHTS_NAME

transformers = pytest.importorskip("transformers")
WORDS = ["<s>", "<pad>", "</s>", "<unk>", "a", "cat", "dog", "."]
TOWER = {
    "model_type": "roberta", "vocab_size": 16, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 40,
    "pad_token_id": 1,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model with a tiny RoBERTa, as a folder; the hub cannot be asked."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(TOWER))
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    config = (
        open_clip.get_model_config("hnclip-tiny-vit")
        or load_clip("hnclip-tiny-vit", device="cpu").model_config
    )
    config["text_cfg"] = {
        "hf_model_name": "org/tiny", "hf_tokenizer_name": "org/tiny", "context_length": 12,
        "hf_proj_type": "linear", "hf_pooler_type": "mean_pooler",
    }  # fmt: skip
    built = config | {"text_cfg": config["text_cfg"] | {"hf_model_pretrained": False}}
    built["text_cfg"]["hf_model_name"] = str(folder)
    torch.manual_seed(0)
    save_file(CustomTextCLIP(**built).state_dict(), folder / WEIGHTS_NAME)
    (folder / CONFIG_NAME).write_text(json.dumps({"model_cfg": config}))
    return folder


def test_a_folder_needs_no_hub_and_neither_does_what_is_saved(folder, tmp_path):
    clip = load_clip(str(folder), device="cpu")
    texts = ["a cat .", "a dog", "something else"]
    with torch.inference_mode():
        expected = clip.encode_captions(texts)
        theirs = clip.module.encode_text(clip.tokenizer(texts), normalize=True)
    assert torch.equal(expected, theirs) and len(set(expected[:, 0].tolist())) == 3
    save_clip(clip, str(tmp_path / "again"))
    again = load_clip(str(tmp_path / "again"), device="cpu")
    assert again.model_config == clip.model_config
    assert again.model_config["text_cfg"]["hf_model_name"] == "org/tiny"
    with torch.inference_mode():
        assert torch.equal(again.encode_captions(texts), expected)


def test_saving_again_gives_the_same_files(folder, tmp_path):
    for name in ("a", "b"):
        save_clip(load_clip(str(folder), device="cpu"), str(tmp_path / name))
        folder = tmp_path / name
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_without_transformers_it_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setattr("open_clip.hf_model.transformers", None)
    with pytest.raises(HnclipError, match=r"model cannot be loaded .*transformers"):
        load_clip(str(folder), device="cpu")


@pytest.mark.parametrize("data", [b"{}", b"", b"[" * 9999, b'{"model": {"type": "BPE"}}'])
def test_a_broken_tokenizer_is_one_line(folder, data):
    (folder / "tokenizer.json").write_bytes(data)
    with pytest.raises(HnclipError, match="model cannot be loaded"):
        load_clip(str(folder), device="cpu")


def test_a_tokenizer_of_another_model_is_noticed(folder):
    config = json.loads((folder / CONFIG_NAME).read_text())
    del config["model_cfg"]["text_cfg"]["hf_tokenizer_name"]
    (folder / CONFIG_NAME).write_text(json.dumps(config))
    clip = load_clip(str(folder), device="cpu")
    with pytest.raises(HnclipError, match="not that of the model; got token 49407, expected one"):
        clip.encode_captions(["a cat"])
