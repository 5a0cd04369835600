import pytest
import torch

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.cost import measure_cost
from hnclip_cli.models.load import load_clip


def test_the_published_figures_of_vit_b_32_come_out():
    cost = measure_cost("ViT-B-32")
    assert cost.image.parameters + cost.text.parameters == 151_277_313
    assert cost.image.forward_flops == pytest.approx(8.82e9, rel=0.01)
    assert cost.text.forward_flops == pytest.approx(5.96e9, rel=0.01)
    assert (cost.embed_dim, cost.context_length, cost.has_batch_norm) == (512, 77, False)


def test_saved_bytes_are_near_what_a_real_pass_keeps():
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    weights = {p.untyped_storage().data_ptr() for p in clip.module.parameters()}
    saved = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        features = clip.module.encode_image(torch.zeros(8, 3, 64, 64))
    assert features.requires_grad
    estimate = measure_cost("hnclip-tiny-vit").image.saved_bytes
    assert estimate == pytest.approx(sum(saved.values()) / 8, rel=0.35)


def test_batch_normalization_is_seen_and_a_folder_is_measured(tiny_run):
    assert measure_cost("hnclip-tiny").has_batch_norm
    assert measure_cost(tiny_run) == measure_cost("hnclip-tiny")


def test_an_unknown_model_is_refused():
    with pytest.raises(HnclipError, match="no model 'none'"):
        measure_cost("none")
