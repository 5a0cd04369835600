import pytest
import torch

from hnclip_cli.models.load import load_clip, save_clip
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.export import Export

PIXELS = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)


@pytest.fixture
def clip():
    return load_clip("hnclip-tiny-vit", device="cpu", seed=3)


def change(clip):
    """As training would: every weight that trains, a little."""
    with torch.no_grad():
        for parameter in clip.module.parameters():
            if parameter.requires_grad and parameter.ndim:
                parameter += 0.01


def test_without_lora_and_interpolation_it_is_the_model_itself(clip):
    assert Export(clip, TrainConfig()).clip() is clip


@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_what_is_written_is_mixed_and_plain_and_the_trained_model_stays(
    clip, tmp_path, rank, alpha
):
    before = clip.encode_images(PIXELS)
    export = Export(clip, TrainConfig(lora_rank=rank, wise_ft=alpha))
    change(clip)
    trained = clip.encode_images(PIXELS)
    state = {name: value.clone() for name, value in clip.module.state_dict().items()}

    for _ in range(2):  # it may be written more than once
        save_clip(export.clip(), str(tmp_path))
    loaded = load_clip(str(tmp_path), device="cpu").encode_images(PIXELS)
    if alpha in (0, 1):
        expected = before if alpha == 0 else trained
        torch.testing.assert_close(loaded, expected, rtol=1e-5, atol=1e-6)
    else:
        assert (loaded - before).abs().max() > 1e-4 < (loaded - trained).abs().max()
    assert all(torch.equal(value, state[name]) for name, value in clip.module.state_dict().items())


def test_a_locked_tower_and_lora_go_together(clip):
    Export(clip, TrainConfig(lora_rank=2, lock="image"))
    trained = [name for name, p in clip.module.named_parameters() if p.requires_grad]
    assert trained and not any(name.startswith("visual.") for name in trained)
