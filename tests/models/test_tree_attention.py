"""The kernels of attention in trees, as far as a machine without a GPU can tell."""

import os
import sys
import warnings

import pytest
import torch

from hnclip_cli.models import packed
from tests.kernels import assert_cases_pass, assert_compiles_for_hopper, parameters

pytestmark = pytest.mark.long

KERNELS = ["_forward", "_backward_queries", "_backward_keys"]


def test_the_kernels_pass_their_cases_in_the_interpreter():
    assert_cases_pass("tests/models/tree_attention_cases.py")


@pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="kernels are interpreted")
@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_kernels_compile_for_hopper(kernel, dtype):
    pytest.importorskip("triton")
    from hnclip_cli.models import tree_attention

    function = getattr(tree_attention, kernel)
    names = parameters(function)
    constants = {"H": 8, "D": 64, "BLOCK": tree_attention.BLOCK, "KEYS": tree_attention.KEYS}
    types = dict.fromkeys(names, f"*{dtype}")
    types |= {name: "*i32" for name in ("roots", "stops") if name in names}
    types |= {name: "*fp32" for name in ("lse", "delta") if name in names}
    types |= {"num_nodes": "i32"} | {n: "fp32" for n in ("scale", "unit") if n in names}
    assert_compiles_for_hopper(function, types, constants)


def test_kernels_that_give_other_numbers_are_not_used(monkeypatch):
    pytest.importorskip("triton")
    from hnclip_cli.models import tree_attention

    monkeypatch.setattr(tree_attention, "error_of", lambda *args: 0.5)
    with pytest.warns(UserWarning, match="not used .its relative error is 0.5"):
        assert not packed.trees_work(torch.device("cuda:7"), 64)


def test_where_triton_is_not_installed_other_attention_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "hnclip_cli.models.tree_attention", None)
    with pytest.warns(UserWarning, match="not used .ModuleNotFoundError"):
        assert not packed.trees_work(torch.device("cuda:8"), 64)


def test_heads_of_other_widths_are_left_to_other_attention():
    pytest.importorskip("triton")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not packed.trees_work(torch.device("cuda:9"), 80)
