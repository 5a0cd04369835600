"""What trains is what was said: locked towers stay, LoRA merges back, interpolation is exact."""

import copy

import open_clip
import pytest
import torch
from torch.nn.utils import parametrize

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip, save_clip
from hnclip_cli.models.tuning import add_lora, interpolate, lock, merged_state_dict
from tests.models.test_local import RESNET, small, tokens

KINDS = {
    "ViT": {},
    "ModifiedResNet": {"vision": RESNET},
    "own attention blocks": {"vision": {"block_type": "custom"}, "text": {"block_type": "custom"}},
    "text in its own module": {"kind": open_clip.CustomTextCLIP},
}
PLAIN = [kind for kind in KINDS if kind != "own attention blocks"]


def pixels(module):
    size = module.visual.image_size
    generator = torch.Generator().manual_seed(1)
    sides = size if isinstance(size, tuple) else (size, size)
    return torch.randn(4, 3, *sides, generator=generator, dtype=torch.float64)


def outputs(module):
    return module.encode_image(pixels(module)), module.encode_text(tokens())


def trained(module, steps=3):
    """A few real steps on what trains."""
    module.train()
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=0.02)
    for _ in range(steps):
        images, texts = outputs(module)
        loss = module.logit_scale.exp() * (images[:3] * texts).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_training_changes_both_towers_and_only_what_was_added(kind):
    module = small(**KINDS[kind])
    start, before = outputs(module), copy.deepcopy(module.state_dict())
    add_lora(module, 2)
    for mine, other in zip(outputs(module), start, strict=True):
        assert torch.equal(mine, other)
    names = {name for name, p in module.named_parameters() if p.requires_grad}
    assert names == {
        name
        for name, _ in module.named_parameters()
        if name.endswith((".down", ".up")) or name == "logit_scale"
    }
    trained(module)
    for mine, other in zip(outputs(module), start, strict=True):
        assert (mine - other).abs().max() > 1e-3
    for name, tensor in module.state_dict().items():
        plain = name.replace("parametrizations.", "").replace(".original", "")
        if plain in before and plain != "logit_scale":
            assert torch.equal(tensor, before[plain]), name


@pytest.mark.parametrize("kind", KINDS)
def test_merged_weights_give_the_same_model_under_the_old_names(kind):
    module = small(**KINDS[kind])
    names = {name for name in module.state_dict() if not name.endswith("num_batches_tracked")}
    add_lora(module, 2)
    trained(module)
    expected, state = outputs(module), merged_state_dict(module)
    assert set(state) == names
    plain = small(**KINDS[kind])
    missing, unexpected = plain.load_state_dict(state, strict=False)
    assert not unexpected and all("num_batches_tracked" in name for name in missing)
    for mine, other in zip(outputs(plain), expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)
    for mine, other in zip(outputs(module), expected, strict=True):
        assert torch.equal(mine, other)  # the model itself keeps its LoRA


def test_merging_in_float32_is_within_a_millionth():
    module, plain = small().float(), small().float()
    add_lora(module, 4)
    pixels = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith(".up"):
                parameter.normal_(std=0.05)
        before = module.encode_image(pixels), module.encode_text(tokens())
        plain.load_state_dict(merged_state_dict(module))
        after = plain.encode_image(pixels), plain.encode_text(tokens())
    for mine, other in zip(after, before, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)


def test_the_state_for_resuming_loads_again():
    module = small()
    add_lora(module, 2)
    trained(module)
    again = small()
    add_lora(again, 2, seed=5)
    again.load_state_dict(module.state_dict())
    for mine, other in zip(outputs(again), outputs(module), strict=True):
        assert torch.equal(mine, other)
    trained(module), trained(again)
    for mine, other in zip(outputs(again), outputs(module), strict=True):
        assert torch.equal(mine, other)


def test_every_map_of_the_attention_has_a_change_of_its_own():
    module = small()
    add_lora(module, 2)
    block = module.visual.transformer.resblocks[0]
    change = block.attn.parametrizations.in_proj_weight[0]
    assert change.down.shape == (3, 2, 32) and change.up.shape == (3, 32, 2)
    with torch.no_grad():
        before = block.attn.in_proj_weight.clone()
        change.up[1].fill_(1.0)
    moved = (block.attn.in_proj_weight - before).abs().amax(dim=1) > 0
    assert moved.nonzero()[:, 0].tolist() == list(range(32, 64))  # the keys' rows
    adapted = {
        type(owner).__bases__[0].__name__
        for owner in module.modules()
        if parametrize.is_parametrized(owner)
    }
    assert adapted == {"MultiheadAttention", "NonDynamicallyQuantizableLinear", "Linear"}


def test_the_start_depends_on_the_seed_only():
    modules = [small() for _ in range(3)]
    for seed, module in zip((0, 0, 1), modules, strict=True):
        torch.rand(seed + 1)
        add_lora(module, 2, seed=seed)
    states = [module.state_dict() for module in modules]
    name = next(name for name in states[0] if name.endswith(".down"))
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_a_locked_tower_gets_none():
    module = small()
    lock(module, "image")
    add_lora(module, 2)
    names = [name for name, p in module.named_parameters() if p.requires_grad]
    assert names and not any(name.startswith("visual.") for name in names)


def test_what_cannot_be_adapted_is_said():
    module = small()
    with pytest.raises(HnclipError, match="got 0, expected 1 or more"):
        add_lora(module, 0)
    add_lora(module, 2)
    with pytest.raises(HnclipError, match="LoRA already"):
        add_lora(module, 2)
    module = small()
    lock(module, "image"), lock(module, "text")
    with pytest.raises(HnclipError, match="no linear map is left"):
        add_lora(module, 2)


def test_a_model_without_lora_merges_to_itself():
    module = small()
    assert merged_state_dict(module).keys() == module.state_dict().keys()


@pytest.mark.parametrize("kind", PLAIN)
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
