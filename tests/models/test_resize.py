"""Resizing on a GPU, as far as a machine without one can tell."""

import os
import sys

import pytest
import torch

from hnclip_cli.models.pixels import resizes
from tests.kernels import assert_cases_pass, assert_compiles_for_hopper, parameters

pytestmark = pytest.mark.long

GPU = torch.device("cuda")
STEPS = [("resize", [32, "BICUBIC"]), ("crop", [32, 32])]


def test_the_kernel_passes_its_cases_in_the_interpreter():
    assert_cases_pass("tests/models/resize_cases.py")


@pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="kernels are interpreted")
def test_the_kernel_compiles_for_hopper():
    pytest.importorskip("triton")
    from hnclip_cli.models import resize

    types = dict.fromkeys(parameters(resize._resample), "*u8")
    types |= {"tables": "*i32", "passes": "*i64", "size": "i32"}
    assert_compiles_for_hopper(resize._resample, types, {"BLOCK": resize.BLOCK})


def test_where_the_pixels_are_others_pillow_resizes(monkeypatch):
    pytest.importorskip("triton")
    from hnclip_cli.models import resize

    monkeypatch.setattr(resize, "is_exact", lambda *args: False)
    with pytest.warns(UserWarning, match="not resized on the GPU .its pixels are not Pillow's"):
        assert not resizes(GPU, STEPS)
    monkeypatch.setattr(resize, "is_exact", lambda *args: True)
    assert resizes(GPU, STEPS)


@pytest.mark.parametrize(
    "steps",
    [[("resize", [[32, 32], "BICUBIC"])], [("resize", [32, "LANCZOS"]), ("crop", [32, 32])], []],
)
def test_other_steps_are_left_to_pillow(steps):
    pytest.importorskip("triton")
    assert not resizes(GPU, steps)


def test_where_triton_is_not_installed_pillow_resizes(monkeypatch):
    monkeypatch.setitem(sys.modules, "hnclip_cli.models.resize", None)
    with pytest.warns(UserWarning, match="not resized on the GPU .ModuleNotFoundError"):
        assert not resizes(GPU, STEPS)
    assert not resizes(torch.device("cpu"), STEPS)
