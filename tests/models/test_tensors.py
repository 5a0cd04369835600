import torch
from safetensors import safe_open
from safetensors.torch import load

from hnclip_cli.models.tensors import write_tensors

TENSORS = {
    "wide": torch.randn(3, 4, dtype=torch.float64),
    "a": torch.randn(5, 3).T,  # not contiguous
    "half": torch.randn(7).half(),
    "brain": torch.randn(2, 2).bfloat16(),
    "scalar": torch.tensor(3.5),
    "none": torch.zeros(0, 4),
    "mask": torch.tensor([True, False, True]),
    "ids": torch.arange(5),
    "small": torch.arange(5, dtype=torch.int8),
}


def test_safetensors_reads_what_was_written(tmp_path):
    path = tmp_path / "x.safetensors"
    with path.open("wb") as stream:
        write_tensors(stream, TENSORS, {"hnclip": "é"})
    found = load(path.read_bytes())
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)
    with safe_open(path, framework="pt") as stream:
        assert stream.metadata() == {"hnclip": "é"}


def test_weights_that_share_memory_are_written_like_others(tmp_path):
    path, weight = tmp_path / "x", torch.randn(3)
    with path.open("wb") as stream:
        write_tensors(stream, {"a": weight, "b": weight})
    assert torch.equal(load(path.read_bytes())["b"], weight)
