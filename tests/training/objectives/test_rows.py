"""Sums formed chunk by chunk: the same for any chunk, and nothing of the chunks is kept."""

import weakref

import pytest
import torch

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives.local import local_scores
from hnclip_cli.training.objectives.rows import sum_over_rows
from hnclip_cli.training.objectives.table import TERMS
from hnclip_cli.training.objectives.terms import list_mle, rank
from hnclip_cli.training.objectives.view import View, fill_slots
from tests.training.objectives.batches import (
    gradients,
    make_batch,
    make_bias,
    make_scale,
    make_thresholds,
)

CHUNKED = ["contrastive_both", "mirror", "distractor", "focal_local", "rank", "sigmoid_both"]


def solve(term, batch, scale, chunk_size):
    view = View.of_captions(
        *batch, scale, make_thresholds(), bias=make_bias(), chunk_size=chunk_size
    )
    return TERMS[term].function(view)


@pytest.mark.parametrize("term", CHUNKED)
def test_any_chunk_size_gives_the_same_value_and_gradients(term):
    scale = make_scale()
    batch = make_batch(size=7, groups=[0, 1, 1, 2, 3, 0, 1])
    whole = solve(term, batch, scale, 100)
    expected = gradients(whole, batch[0], scale)
    for chunk_size in (1, 2, 3, 7):
        value = solve(term, batch, scale, chunk_size)
        torch.testing.assert_close(value, whole, rtol=1e-12, atol=1e-12)
        for part, gradient in gradients(value, batch[0], scale).items():
            torch.testing.assert_close(gradient, expected[part], rtol=1e-11, atol=1e-13)


class Kept:
    """What the graph holds of a tensor; gone when the graph is."""

    def __init__(self, tensor):
        self.tensor = tensor


@pytest.mark.parametrize("term", CHUNKED)
def test_what_the_graph_keeps_grows_with_the_batch_not_with_its_square(term):
    sizes = []
    for size in (32, 64):
        batch = make_batch(size=size, valid=1.0)
        kept = weakref.WeakSet()

        def pack(tensor, kept=kept):
            holder = Kept(tensor)
            kept.add(holder)
            return holder

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda holder: holder.tensor):
            value = solve(term, batch, make_scale(), 2)
        sizes.append(sum(holder.tensor.untyped_storage().nbytes() for holder in kept))
        assert value.requires_grad
    assert 0 < sizes[1] <= 2 * sizes[0] + 64


def test_gradients_are_those_of_the_inputs_that_want_them():
    rows = torch.randn(5, 3, requires_grad=True)
    columns = torch.randn(5, 3)
    scale = torch.tensor(2.0, requires_grad=True)

    def term(rows, columns, scale):
        return (scale * rows[0] @ columns[0].T).exp().sum()

    value = sum_over_rows(term, [rows], [columns], scale, Ranks(), numbers_per_row=5, chunk_size=2)
    direct = (scale * rows @ columns.T).exp().sum()
    torch.testing.assert_close(value, direct)
    for mine, other in zip(
        torch.autograd.grad(3 * value, [rows, scale]),
        torch.autograd.grad(3 * direct, [rows, scale]),
        strict=True,
    ):
        torch.testing.assert_close(mine, other)


def test_second_derivatives_are_refused_rather_than_wrong():
    features, slots = make_batch()
    squared = rank(View.of_captions(features, slots, make_scale(), make_thresholds())).square()
    with pytest.raises(RuntimeError, match="got create_graph"):
        torch.autograd.grad(squared, features.images, create_graph=True)


def test_a_token_that_finds_all_patches_alike_sees_their_mean():
    patches = torch.ones(1, 4, 2, dtype=torch.float64)
    tokens = torch.tensor([[[[1.0, 0.0]]]], dtype=torch.float64)
    words = torch.ones(1, 1, 1, dtype=torch.bool)
    score = local_scores(patches, tokens, words, torch.tensor(10.0, dtype=torch.float64))
    torch.testing.assert_close(score, torch.tensor([[10 * 2**-0.5]], dtype=torch.float64))


def test_the_likelihood_of_an_order_is_highest_in_that_order():
    truth = torch.tensor([[3.0, 1.0, 2.0]])
    right = list_mle(torch.tensor([[3.0, 1.0, 2.0]]), truth)
    wrong = list_mle(torch.tensor([[1.0, 3.0, 2.0]]), truth)
    assert right < wrong
    alike = list_mle(torch.zeros(1, 3), truth)
    torch.testing.assert_close(alike, torch.tensor([6.0]).log())  # log 3!


def test_slots_are_filled_in_their_order():
    mask = torch.tensor([[True, False], [False, True], [True, True]])
    valid = torch.arange(1.0, 9.0).reshape(4, 2).requires_grad_()
    filled = fill_slots(valid, mask)
    assert filled[..., 0].tolist() == [[1, 0], [0, 3], [5, 7]]
    filled.sum().backward()
    assert torch.equal(valid.grad, torch.ones(4, 2))
