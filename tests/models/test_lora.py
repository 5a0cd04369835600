"""LoRA trains what it says, starts from the base model, and merges back into plain weights."""

import copy

import open_clip
import pytest
import torch
from torch.nn.utils import parametrize

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.lock import lock
from hnclip_cli.models.lora import add_lora, merge_lora, merged_state_dict
from tests.models.test_local import RESNET, small, tokens

KINDS = {
    "ViT": {},
    "ModifiedResNet": {"vision": RESNET},
    "own attention blocks": {"vision": {"block_type": "custom"}, "text": {"block_type": "custom"}},
    "text in its own module": {"kind": open_clip.CustomTextCLIP},
}


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
    add_lora(module, 2, 4)
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
    merge_lora(module)
    assert set(module.state_dict()) == names
    for model in (plain, module):
        for mine, other in zip(outputs(model), expected, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_merging_in_float32_is_within_a_millionth():
    module = small().float()
    add_lora(module, 4, 8)
    pixels = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith(".up"):
                parameter.normal_(std=0.05)
        before = module.encode_image(pixels), module.encode_text(tokens())
        merge_lora(module)
        after = module.encode_image(pixels), module.encode_text(tokens())
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
    state = module.state_dict()
    merge_lora(module)
    assert merged_state_dict(module).keys() == state.keys() == module.state_dict().keys()
