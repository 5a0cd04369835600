"""A language model as a scorer of texts, with a tiny GPT-2 made here."""

import math

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.language import CausalModel, load_scorer

transformers = pytest.importorskip("transformers", reason="hnclip[lm] is not installed")
torch = pytest.importorskip("torch")

WORDS = ["<|endoftext|>", "a", "dog", "cat", "sits", "on", "the", "grass"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    path = tmp_path_factory.mktemp("gpt2")
    words = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    words.pre_tokenizer = Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=WORDS[0], eos_token=WORDS[0], unk_token=WORDS[0]
    )
    tokenizer.save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(WORDS), n_positions=8, n_embd=16, n_layer=1, n_head=2,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).save_pretrained(path, safe_serialization=True)
    return str(path)


def plain(folder, text):
    """Word after word, without a batch."""
    model = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    ids = [0, *(WORDS.index(word) for word in text.split())]
    total = 0.0
    for length in range(1, len(ids)):
        with torch.no_grad():
            logits = model(torch.tensor([ids[:length]])).logits[0, -1]
        total += math.log(torch.softmax(logits.double(), 0)[ids[length]].item())
    return total


def test_log_probabilities_are_those_of_one_word_after_the_other(folder):
    texts = ["a dog", "the cat sits on the grass", "grass", "a dog"] * 12
    found = CausalModel(folder).log_probabilities(texts)
    assert found == pytest.approx([plain(folder, text) for text in texts[:4]] * 12, abs=1e-4)


def test_the_configuration_says_which_model_scores(folder):
    model = load_scorer(folder, device="cpu")
    assert isinstance(model, CausalModel)
    assert model.log_probabilities(["a dog"]) == CausalModel(folder).log_probabilities(["a dog"])
    with pytest.raises(HnclipError, match=r"model cannot be loaded .*or hf download"):
        load_scorer(folder + "/nothing")


def test_an_empty_text_is_certain_and_a_long_one_is_cut(folder):
    model = CausalModel(folder)
    assert model.log_probabilities([""]) == [0.0]
    first, longer = model.log_probabilities([" ".join(["dog"] * n) for n in (7, 30)])
    assert first == pytest.approx(longer, abs=1e-5)


def test_a_model_that_is_not_there_is_an_error_and_no_download(tmp_path):
    with pytest.raises(HnclipError, match=r"model cannot be loaded .*or hf download"):
        CausalModel(str(tmp_path / "nothing"))


def test_pickled_weights_are_refused(folder, tmp_path):
    import shutil

    copy = tmp_path / "pickled"
    shutil.copytree(folder, copy)
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(HnclipError, match="model cannot be loaded"):
        CausalModel(str(copy))


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(HnclipError, match=r"try pip install 'hnclip\[lm\]'"):
        CausalModel("gpt2")
