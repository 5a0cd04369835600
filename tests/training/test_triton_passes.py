"""The Triton kernels, as far as a machine without a GPU can tell."""

import os
import sys

import pytest
import torch

from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from tests.kernels import assert_cases_pass, assert_compiles_for_hopper, parameters
from tests.training.test_objective import make_batch

pytestmark = pytest.mark.long


def test_the_kernels_pass_their_cases_in_the_interpreter():
    assert_cases_pass("tests/training/triton_cases.py")


@pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="kernels are interpreted")
@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
@pytest.mark.parametrize(
    "kernel", ["_sum_columns", "_form_gradient", "_own_cosines", "_own_gradients"]
)
def test_the_kernels_compile_for_hopper(kernel, dtype):
    pytest.importorskip("triton")
    from hnclip_cli.training.objectives import triton_passes

    function = getattr(triton_passes, kernel)
    names = parameters(function)
    sizes = {
        "_sum_columns": {"ROWS": 16, "COLUMNS": 128, "PART": 128},
        "_form_gradient": {"COLUMNS": 2048},
    }.get(kernel, {"BLOCK": 1024})
    types = dict.fromkeys(names, "*fp32")
    half = ("cosines", "anchors", "positives", "negatives")
    types |= {name: f"*{dtype}" for name in names if name.startswith(half)}
    types |= {name: "*i64" for name in names if name.endswith("labels")}
    types |= {name: "i32" for name in names if name.startswith("num_") or name in ("width", "dim")}
    types |= {name: "fp32" for name in names if name.endswith("unit")}
    assert_compiles_for_hopper(function, types, sizes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the kernels would run")
@pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="kernels are interpreted")
def test_without_cuda_triton_is_refused():
    with pytest.raises(ValueError, match="got implementation triton"):
        hard_negative_objective(
            **make_batch(4, 2), imc_weight=0.3, cmr_weight=0.2, implementation="triton"
        )


def test_where_triton_is_not_installed_it_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "hnclip_cli.training.objectives.triton_passes", raising=False)
    monkeypatch.delattr("hnclip_cli.training.objectives.triton_passes", raising=False)
    with pytest.raises(ValueError, match="Triton is not installed"):
        hard_negative_objective(
            **make_batch(4, 2), imc_weight=0.3, cmr_weight=0.2, implementation="triton"
        )
