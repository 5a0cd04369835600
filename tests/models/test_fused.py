"""Blocks in few kernels, as far as a machine without a GPU can tell."""

import os
import sys

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch.utils._python_dispatch import TorchDispatchMode

from hnclip_cli.models import blocks, fused_kernels, tree_attention
from hnclip_cli.models.device import autocast
from hnclip_cli.models.meta import fused_attention, to_meta
from hnclip_cli.models.text import encode_text
from hnclip_cli.models.vision import encode_image
from tests.kernels import assert_cases_pass, assert_compiles_for_hopper, parameters

pytestmark = pytest.mark.long
pytest.importorskip("triton")

META = torch.device("meta")
KERNELS = {
    "_add_norm_forward": {"ADDS": True, "W": 768, "BLOCK": 1024},
    "_add_norm_backward": {"TWO": True, "W": 768, "BLOCK": 1024},
    "_activate_forward": {"KIND": "gelu", "ROWS": 16, "COLUMNS": 128},
    "_activate_backward": {"KIND": "quick_gelu", "ROWS": 16, "COLUMNS": 128},
    "_stack_heads": {"D": 64, "ROWS": 16, "COLUMNS": 128},
}
FLOATS = ("bias", "gain", "offset", "mean", "rstd", "parts")
INTEGERS = ("num_rows", "W", "rows_each", "length", "batch_step", "head_step", "row_step")


def test_the_kernels_pass_their_cases_in_the_interpreter():
    assert_cases_pass("tests/models/fused_cases.py")


@pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="kernels are interpreted")
@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_kernels_compile_for_hopper(kernel, dtype):
    from hnclip_cli.models import fused_kernels

    function = getattr(fused_kernels, kernel)
    types = dict.fromkeys(parameters(function), f"*{dtype}")
    types |= {name: "*fp32" for name in FLOATS if name in types}
    types |= {name: "i32" for name in INTEGERS if name in types}
    types |= {"eps": "fp32"} if "eps" in types else {}
    assert_compiles_for_hopper(function, types, KERNELS[kernel])


def test_where_triton_is_not_installed_blocks_run_plainly(monkeypatch):
    monkeypatch.setitem(sys.modules, "hnclip_cli.models.fused", None)
    with pytest.warns(UserWarning, match="blocks in few kernels is not used .ModuleNotFoundError"):
        assert not blocks._can_fuse(torch.device("cuda:6"))


class Starts(TorchDispatchMode):
    """Counts what would start a kernel on a GPU: operations that write, and Triton's."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.count = 0
        for module in (fused_kernels, tree_attention):
            monkeypatch.setattr(module, "launch", self.add)

    def add(self, *args, **options):
        self.count += 1

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        is_view = any(result.alias_info is not None for result in func._schema.returns)
        self.count += not is_view and "empty" not in str(func)
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_block_more_starts_few_kernels_more(monkeypatch, tower):
    """Autocast starts 66 for a block of open_clip's, forward and backward."""
    counts = []
    for layers in (2, 3):
        vision = {"image_size": 32, "layers": layers, "width": 32, "head_width": 16}
        text = {"context_length": 8, "vocab_size": 30, "width": 32, "heads": 2, "layers": layers}
        module = to_meta(open_clip.CLIP(16, vision | {"patch_size": 16}, text))
        with fused_attention(), autocast(META, torch.bfloat16), Starts(monkeypatch) as starts:
            if tower == "image":
                features = encode_image(module, torch.empty(2, 3, 32, 32, device=META))
            else:
                features = encode_text(module, torch.randint(0, 29, (4, 8)))
            features.sum().backward()
        counts.append(starts.count)
    assert counts[1] - counts[0] <= 25


def block(**options):
    return ResidualAttentionBlock(32, 2, **options)


def hooked():
    changed = block()
    changed.mlp.c_fc.register_forward_hook(lambda *args: None)
    return changed


def without_bias():
    changed = block()
    changed.mlp.c_proj = torch.nn.Linear(128, 32, bias=False)
    return changed


def test_blocks_that_differ_are_run_as_they_are():
    from hnclip_cli.models.fused import is_known

    assert is_known(block()) and is_known(block(act_layer=QuickGELU))
    others = [
        block(ls_init_value=0.1), block(act_layer=torch.nn.ReLU), block().double(),
        block(act_layer=lambda: torch.nn.GELU("tanh")), block(norm_layer=torch.nn.RMSNorm),
        hooked(), without_bias(),
    ]  # fmt: skip
    assert not any(map(is_known, others))
