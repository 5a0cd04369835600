import json
import shutil
import socket

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.language import Gap, MaskedModel, load_scorer

pytest.importorskip("transformers")
SUBJECTS = {"man", "woman", "boy", "girl", "dog", "cat", "horse", "cow", "bird"}
ACTIONS = {"sitting", "standing", "lying", "walking"}
COLORS = {"red", "blue", "green", "white", "black", "brown"}
CAPTION = "A dog sitting on a red couch."
GAPS = [Gap(CAPTION, 2, 5), Gap(CAPTION, 6, 13), Gap("a bird .", 2, 6), Gap(CAPTION, 19, 22)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tests.negatives.generators import tiny_model

    path = tmp_path_factory.mktemp("masked") / "model"
    tiny_model.save(path)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return MaskedModel(str(folder), device="cpu")


def words(fillers):
    return [filler.word for filler in fillers]


def test_what_it_was_trained_on_comes_first(model):
    subject, action, _, color = model.fill(GAPS, 4)
    assert set(words(subject)) <= set(
        ["man", "woman", "boy", "girl", "dog", "cat", "horse", "cow", "bird"]
    )
    assert set(words(action)) == ACTIONS
    assert set(words(color)) <= COLORS


def test_only_whole_words_come_best_first_and_ties_by_the_alphabet(model):
    for fillers in model.fill(GAPS, 1000):
        ranks = [(-filler.log_probability, filler.word) for filler in fillers]
        assert ranks == sorted(ranks)
        assert all(word.isalpha() and word.islower() for word in words(fillers))
        assert "ing" not in words(fillers)
        assert len(fillers) == len({*words(fillers)})


@pytest.mark.parametrize("batch_size", [2, 3, 100])
def test_batches_give_what_single_gaps_give(model, batch_size):
    one = model.fill(GAPS, 20, 1)
    many = model.fill(GAPS, 20, batch_size)
    for single, batched in zip(one, many, strict=True):
        assert [f.word for f in single] == [f.word for f in batched]
        for here, there in zip(single, batched, strict=True):
            assert here.log_probability == pytest.approx(there.log_probability, abs=1.01e-3)


def test_the_gap_is_found_by_its_place_in_the_text(model):
    """A caption that holds the mask token itself has two masks; only one is asked about."""
    text = "a [MASK] sitting on a red couch ."
    (color,) = model.fill([Gap(text, 22, 25)], 4)
    assert set(words(color)) <= COLORS


def test_a_text_too_long_for_the_model_gets_nothing(model):
    long = "a dog " * 100
    assert model.fill([Gap(long, 2, 5), GAPS[0]], 3)[0] == []
    assert len(model.fill([Gap(long, 2, 5), GAPS[0]], 3)[1]) == 3


def test_nothing_is_asked_of_the_network(folder, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert MaskedModel(str(folder), device="cpu").fill(GAPS[:1], 1)[0]
    with pytest.raises(HnclipError, match="no-such-model-of-ours: model cannot be loaded"):
        MaskedModel("no-such-model-of-ours", device="cpu")


def test_weights_in_another_format_are_refused(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(HnclipError, match="model cannot be loaded"):
        MaskedModel(str(copy), device="cpu")


def test_a_model_without_a_head_for_masks_is_refused(folder, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(folder).save_pretrained(tmp_path / "headless")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "headless")
    with pytest.raises(HnclipError, match="the weights lack"):
        MaskedModel(str(tmp_path / "headless"), device="cpu")


def test_code_of_the_folder_is_not_run(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "ours", "auto_map": {"AutoModelForMaskedLM": "evil.Model"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "evil.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(HnclipError, match="model cannot be loaded"):
        MaskedModel(str(copy), device="cpu")


def test_a_file_that_is_no_model_is_an_error_of_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(HnclipError) as caught:
        MaskedModel(str(tmp_path), device="cpu")
    assert "\n" not in str(caught.value)


def test_markers_of_word_starts_are_understood():
    from hnclip_cli.models.language import _whole_words

    assert _whole_words({"dog": 0, "##ing": 1, "[MASK]": 2, "7": 3}) == {0: "dog"}
    assert _whole_words({"Ġdog": 0, "ing": 1, "Ġcat": 2, "<s>": 3}) == {0: "dog", 2: "cat"}
    assert _whole_words({"▁dog": 0, "ing": 1}) == {0: "dog"}


def plain(folder, text):
    """Each token masked with the later ones of its word, one row at a time."""
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForMaskedLM.from_pretrained(folder).eval()
    encoding = tokenizer(text)
    ids, words = encoding["input_ids"], encoding.word_ids()
    total = 0.0
    for place in range(1, len(ids) - 1):
        masked = list(ids)
        for later in range(place, len(ids)):
            if words[later] == words[place]:
                masked[later] = tokenizer.mask_token_id
        with torch.no_grad():
            logits = network(torch.tensor([masked])).logits[0, place]
        total += logits.double().log_softmax(0)[ids[place]].item()
    return total


def test_a_text_is_scored_token_by_token_words_from_left_to_right(folder, model, monkeypatch):
    texts = ["A dog sitting on a red couch.", "two dogs", "redsing couchs", ""]
    found = model.log_probabilities(texts)
    assert found == pytest.approx([plain(folder, text) for text in texts], abs=1e-4)
    monkeypatch.setattr("hnclip_cli.models.language.BATCH_SIZE", 3)
    assert model.log_probabilities(texts[::-1])[::-1] == pytest.approx(found, abs=1e-4)
    assert model.log_probabilities([]) == []


def test_a_text_beyond_the_context_is_cut(model):
    long, longer = model.log_probabilities(["a dog " * 30, "a dog " * 40])
    assert long == pytest.approx(longer, abs=1e-4)


def test_the_configuration_says_that_it_is_masked(folder):
    assert isinstance(load_scorer(str(folder), device="cpu"), MaskedModel)
