"""What a decoder makes of vectors, against its T5 asked for one token after the other."""

import pathlib

import pytest
import torch
from safetensors.torch import load_file

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.text_decoder import IGNORED, TextDecoder
from tests.models.tiny_t5 import make_t5

TEXTS = ["a red square", "a blue circle on a white square", "gray"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_t5(tmp_path_factory.mktemp("t5"))


@pytest.fixture
def decoder(folder):
    return TextDecoder(folder, 5, seed=0, device=CPU).double()


class Called:
    """What a pickle of it runs."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def in_loops(decoder, vector, tokens):
    """−log of the probability of one text, in float64, token by token and without padding."""
    from transformers.modeling_outputs import BaseModelOutput

    state, before, loss = decoder.layer.weight @ vector, [0], torch.zeros((), dtype=torch.float64)
    for token in tokens:
        logits = decoder.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=state[None, None]),
            decoder_input_ids=torch.tensor([before]),
        ).logits[0, -1]
        loss = loss - (logits[token].exp() / logits.exp().sum()).log()
        before.append(token)
    return loss


def test_texts_are_as_probable_as_token_by_token(decoder):
    vectors = torch.randn(3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    vectors.requires_grad_()
    tokens = decoder.tokenize(TEXTS)
    rows = [[token for token in row if token != IGNORED] for row in tokens.tolist()]
    assert [len(row) for row in rows] == [4, 8, 2] and all(row[-1] == 1 for row in rows)
    expected = torch.stack(list(map(in_loops, [decoder] * 3, vectors, rows)))
    found = decoder(vectors, tokens)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)
    inputs = [vectors, decoder.layer.weight]
    ours, theirs = (torch.autograd.grad(x.sum(), inputs) for x in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-12)


def test_the_layer_alone_is_trained_and_its_start_is_that_of_the_seed(folder, decoder):
    trained = [name for name, x in decoder.named_parameters() if x.requires_grad]
    assert trained == ["layer.weight"] and not decoder.model.training
    same, other = (TextDecoder(folder, 5, seed=seed, device=CPU) for seed in (0, 1))
    assert torch.equal(same.layer.weight.double(), decoder.layer.weight)
    assert not torch.equal(same.layer.weight, other.layer.weight)


def test_a_pickle_is_read_for_its_tensors_alone(tmp_path, decoder):
    folder = make_t5(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    found = TextDecoder(folder, 5, seed=0, device=CPU).state_dict()
    assert all(torch.equal(found[name].double(), x) for name, x in decoder.state_dict().items())
    torch.save(weights | {"code": Called(tmp_path / "ran")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(HnclipError, match="model cannot be loaded"):
        TextDecoder(folder, 5, seed=0, device=CPU)
    assert not (tmp_path / "ran").exists()


def test_on_meta_there_are_shapes_and_no_numbers(folder, decoder):
    device = torch.device("meta")
    meta = TextDecoder(folder, 5, seed=0, device=device)
    found = meta(torch.zeros(3, 5, device=device), meta.tokenize(TEXTS))
    assert found.shape == (3,) and found.device == device
    assert [x.shape for x in meta.parameters()] == [x.shape for x in decoder.parameters()]


def test_what_is_no_t5_is_refused(tmp_path, folder):
    with pytest.raises(HnclipError, match=r"model cannot be loaded .*hf download no/such before"):
        TextDecoder("no/such", 5, seed=0, device=CPU)
    make_t5(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bart"}')
    with pytest.raises(HnclipError, match="--decoder takes a T5; got a model of type bart"):
        TextDecoder(str(tmp_path), 5, seed=0, device=CPU)
