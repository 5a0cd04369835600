"""Blocks in few kernels against open_clip's, in Triton's interpreter; test_fused.py runs this in a
process of its own, because the interpreter must be asked for before Triton is imported.
"""

import os

os.environ["TRITON_INTERPRET"] = "1"

from functools import partial

import pytest
import torch
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch.utils.checkpoint import checkpoint

from hnclip_cli.models import fused, fused_kernels, kernels, tuning
from hnclip_cli.models.blocks import Packing, call_once, run_block
from hnclip_cli.models.packed import attend_whole

LENGTH, WIDTH = 5, 48
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def several_programs(monkeypatch):
    """So that rows are spread over programs and tiles, and partial sums are added."""
    monkeypatch.setattr(fused_kernels, "PROGRAMS", 4)
    monkeypatch.setattr(fused_kernels, "MAX_PARTS", 2)


def make(activation=torch.nn.GELU):
    torch.manual_seed(0)
    blocks = torch.nn.ModuleList(
        ResidualAttentionBlock(WIDTH, 3, act_layer=activation) for _ in range(2)
    )
    for parameter in blocks.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return blocks


def run(blocks, x, *, dtype=torch.float32, call=call_once, whole=True):
    """As for images: whole sequences, of which the first rows are wanted."""
    attend = partial(attend_whole, length=LENGTH)
    packing = Packing(attend, None, torch.arange(0, len(x), LENGTH), LENGTH if whole else None)
    if dtype:
        return fused.run_blocks(list(blocks), x, packing, dtype, call)
    for block in blocks:
        x = run_block(block, x, packing, packing.last if block is blocks[-1] else None)
    return x


def gradients(blocks, x, **options):
    """Output, and gradients by name of what is trained."""
    leaf = x.clone().requires_grad_()
    out = run(blocks, leaf, **options)
    trained = {name: p for name, p in blocks.named_parameters() if p.requires_grad}
    weights = torch.linspace(-1, 1, out.numel()).view_as(out)
    found = torch.autograd.grad((out * weights).sum(), [leaf, *trained.values()])
    return {"out": out.detach()} | dict(zip(["x", *trained], found, strict=True))


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=2e-4, msg=name)


def rows(count=4 * LENGTH):
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("whole", [True, False], ids=["images", "texts"])
@pytest.mark.parametrize("activation", [torch.nn.GELU, QuickGELU])
def test_values_and_gradients_are_those_of_plain_blocks(activation, whole):
    blocks = make(activation)
    assert_same(gradients(blocks, rows(), whole=whole), gradients(blocks, rows(), dtype=None))


def test_computing_blocks_again_changes_nothing():
    blocks = make()
    again = partial(checkpoint, use_reentrant=False)
    assert_same(gradients(blocks, rows(), call=again), gradients(blocks, rows()))


def test_locked_weights_and_those_of_lora():
    blocks = make()
    for name, parameter in blocks.named_parameters():
        parameter.requires_grad_("out_proj" not in name and "ln_2" not in name)
    assert_same(gradients(blocks, rows()), gradients(blocks, rows(), dtype=None))
    module = torch.nn.Module()
    module.visual, module.logit_scale = make(), torch.nn.Parameter(torch.ones(()))
    tuning.add_lora(module, 2)
    for name, parameter in module.visual.named_parameters():
        torch.nn.init.normal_(parameter, std=0.2) if "up" in name else None
    assert all(map(fused.is_known, module.visual))
    found = gradients(module.visual, rows())
    assert sum("down" in name for name in found) == 8
    assert_same(found, gradients(module.visual, rows(), dtype=None))


@pytest.mark.parametrize("wide", [torch.float32, torch.float16])  # as texts come in, and images
def test_the_sum_of_the_blocks_is_as_wide_as_it_comes_in(wide):
    blocks, x = make(), rows().to(wide)
    out = run(blocks, x, dtype=torch.float16)
    assert out.dtype == wide
    found, expected = (
        gradients(blocks, x, dtype=torch.float16),
        gradients(blocks, rows(), dtype=None),
    )
    assert found["x"].dtype == wide
    for name, gradient in expected.items():
        if "in_proj_bias" not in name:  # a third of it is zero, of keys
            error = (found[name].float() - gradient).norm() / gradient.norm()
            assert error < 5e-3, name


def test_the_check_of_a_device_finds_kernels_that_are_right_and_others(monkeypatch):
    assert fused.error_of(CPU, torch.float32) < 1e-5
    with torch.inference_mode():  # as at the first batch of embed
        assert fused.error_of(CPU, torch.float16) < 2e-3
    monkeypatch.setattr(fused, "activate", lambda x, bias, kind: x)
    assert fused.error_of(CPU, torch.float32) > kernels.MAX_ERROR


def test_no_rows_at_all():
    blocks = make()
    found = gradients(blocks, rows(0))
    assert found["out"].shape == (0, WIDTH)
    assert all(not gradient.any() for gradient in found.values())
