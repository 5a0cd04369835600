"""The kernels of attention in trees, in Triton's interpreter; test_tree_attention.py runs this in a
process of its own, because the interpreter must be asked for before Triton is imported.
"""

import os

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import pytest
import torch

from hnclip_cli.models import tree_attention
from hnclip_cli.models.packed import distinct_prefixes


@pytest.fixture
def small_blocks(monkeypatch):
    # So that a tree lies in several tiles, and a tile holds several trees.
    monkeypatch.setattr(tree_attention, "BLOCK", 16)
    monkeypatch.setattr(tree_attention, "KEYS", 16)


def forest(tree_size):
    """Roots and stops of random texts that often begin alike."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 24, size=13)
    tokens = generator.integers(0, 2, size=(13, 30))
    prefixes = distinct_prefixes(tokens, lengths, tree_size)
    return [torch.from_numpy(x.astype(np.int32)) for x in (prefixes.roots, prefixes.stops)]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("tree_size", "heads", "width"), [(1, 1, 16), (4, 3, 32), (None, 2, 32)])
def test_values_and_gradients_equal_plain_attention(tree_size, heads, width):
    roots, stops = forest(tree_size)
    torch.manual_seed(0)
    qkv = torch.randn(len(roots), 3 * heads * width)
    upstream = torch.randn(len(roots), heads * width)
    found = []
    for attend in (tree_attention.tree_attention, tree_attention.plain_attention):
        leaf = qkv.clone().requires_grad_()
        out = attend(leaf, roots, stops, heads)
        found.append([out, *torch.autograd.grad(out, leaf, upstream)])
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-5)


def test_the_check_of_a_device_finds_kernels_that_are_right_and_others():
    device = torch.device("cpu")
    assert tree_attention.error_of(device, 16, torch.float16) < 2e-3
    with torch.inference_mode():  # as at the first batch of embed
        assert tree_attention.error_of(device, 16, torch.float16) < 2e-3


def test_no_nodes_at_all():
    none = torch.zeros(0, dtype=torch.int32)
    qkv = torch.zeros(0, 96, requires_grad=True)
    out = tree_attention.tree_attention(qkv, none, none, 2)
    assert out.shape == (0, 32)
    out.sum().backward()
    assert qkv.grad is not None
