"""A locked tower stays, statistics too; interpolation reaches both ends exactly."""

import copy

import open_clip
import pytest
import torch

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip
from hnclip_cli.models.lock import interpolate, lock
from hnclip_cli.models.save import save_clip
from tests.models.test_local import RESNET, small, tokens
from tests.models.test_lora import outputs, trained

KINDS = {
    "ViT": {},
    "ModifiedResNet": {"vision": RESNET},
    "text in its own module": {"kind": open_clip.CustomTextCLIP},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_locked_tower_stays_bit_for_bit_and_the_other_trains(kind, tower):
    module = small(**KINDS[kind])
    start = outputs(module)
    lock(module, tower)
    assert module.logit_scale.requires_grad
    before = copy.deepcopy(module.state_dict())
    trained(module)
    for name, tensor in module.state_dict().items():
        if name.startswith("visual.") == (tower == "image") and not name.startswith("logit_"):
            assert torch.equal(tensor, before[name]), name
    locked = 0 if tower == "image" else 1
    after = outputs(module)
    # What needs no gradient takes another kernel of PyTorch's attention.
    torch.testing.assert_close(after[locked], start[locked], rtol=1e-12, atol=1e-12)
    assert (after[1 - locked] - start[1 - locked]).abs().max() > 1e-3


def test_a_locked_tower_uses_its_statistics_in_training_too():
    module = small(RESNET)
    lock(module, "image")
    pixels = torch.randn(4, 3, 64, 64, dtype=torch.float64)
    assert torch.equal(module.train().encode_image(pixels), module.eval().encode_image(pixels))


def test_a_model_with_a_locked_tower_is_saved_as_open_clip_reads_it(tmp_path):
    clip = load_clip("hnclip-tiny", device="cpu", seed=1)
    lock(clip.module, "image")
    save_clip(clip, str(tmp_path))
    again = load_clip(str(tmp_path), device="cpu")
    pixels = torch.randn(2, 3, 64, 64)
    assert torch.equal(again.encode_images(pixels), clip.encode_images(pixels))
    module, *_ = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    assert torch.equal(module.eval().encode_image(pixels), clip.module.encode_image(pixels))


def test_interpolation_mixes_every_weight_and_is_exact_at_both_ends():
    start, tuned = small(RESNET), small(RESNET)
    trained(tuned)
    before, after = copy.deepcopy(start.state_dict()), copy.deepcopy(tuned.state_dict())
    for alpha in (1.0, 0.25, 0.0):
        tuned.load_state_dict(after)
        interpolate(tuned, before, alpha)
        for name, tensor in tuned.state_dict().items():
            if not tensor.is_floating_point():
                assert torch.equal(tensor, after[name]), name
            elif alpha in (0.0, 1.0):
                assert torch.equal(tensor, (after if alpha else before)[name]), name
            else:
                mixed = (1 - alpha) * before[name] + alpha * after[name]
                torch.testing.assert_close(tensor, mixed, rtol=1e-12, atol=1e-14)
    assert not torch.equal(before["visual.bn1.running_mean"], after["visual.bn1.running_mean"])


def test_another_model_or_mixture_is_refused():
    module = small()
    state = module.state_dict()
    with pytest.raises(HnclipError, match=r"got α = 1.5, expected 0 to 1"):
        interpolate(module, state, 1.5)
    with pytest.raises(HnclipError, match=r"visual.proj does not fit; got no such weight"):
        interpolate(module, {k: v for k, v in state.items() if k != "visual.proj"}, 0.5)
    with pytest.raises(HnclipError, match=r"got shape \(2,\), expected shape \(32, 16\)"):
        interpolate(module, state | {"visual.proj": torch.zeros(2)}, 0.5)
    assert module.encode_text(tokens()).isfinite().all()
