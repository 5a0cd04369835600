"""Gradients that are summed while the backward pass goes on; real processes: test_ranks.py."""

import pytest
import torch
from torch import nn

from hnclip_cli.training import gradients as gradients_room
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.gradients import GradientSum


class Twins(Ranks):
    """Rank 0 of two that do the same; what happens is written down."""

    def __init__(self):
        super().__init__(0, 2)
        object.__setattr__(self, "events", [])

    def begin_sum(self, tensor):
        self.events.append("begun")
        result = 2 * tensor

        def wait():
            self.events.append("awaited")
            tensor.copy_(result)

        return wait

    def max(self, tensor):
        return tensor

    def broadcast(self, facts):
        return facts


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(3, 3)
        self.locked = nn.Linear(3, 3).requires_grad_(False)
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(4)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(self.locked(x))
        return x


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(gradients_room, "BUCKET_BYTES", 48)  # a layer's weight and bias
    torch.manual_seed(0)
    return Model()


def passes(model, count):
    for number in range(count):
        model(torch.full((1, 3), 1.0 + number)).pow(2).sum().backward()


def plain(model, count):
    model.zero_grad()
    passes(model, count)
    return [None if p.grad is None else p.grad.clone() for p in model.parameters()]


def test_sums_are_begun_before_the_backward_pass_ends(model):
    ranks = Twins()
    with GradientSum(model.parameters(), ranks) as summed:
        for _ in range(2):
            model.zero_grad()
            ranks.events.clear()
            passes(model, 1)
            ranks.events.append("backward done")
            summed.finish()
    before = ranks.events[: ranks.events.index("backward done")]
    assert before.count("begun") == 4 and "awaited" not in before
    assert ranks.events.count("begun") == ranks.events.count("awaited") == 5


@pytest.mark.parametrize("counts", [(1, 1, 1), (1, 3, 2), (3, 1, 0, 2)])
def test_gradients_are_the_sums_whatever_the_number_of_passes(model, counts):
    """With more passes than before a bucket has been begun too early, and is summed again."""
    expectations = {count: plain(model, count) for count in counts}
    with GradientSum(model.parameters(), Twins()) as summed:
        for count in counts:
            expected = expectations[count]
            model.zero_grad()
            passes(model, count)
            summed.finish()
            for parameter, gradient in zip(model.parameters(), expected, strict=True):
                if gradient is None:
                    assert parameter.grad is None
                else:
                    torch.testing.assert_close(parameter.grad, 2 * gradient)


def test_the_hooks_are_taken_away(model):
    ranks = Twins()
    with GradientSum(model.parameters(), ranks) as summed:
        passes(model, 1)
        summed.finish()
    ranks.events.clear()
    passes(model, 2)
    assert ranks.events == []


def test_one_process_sends_nothing(model):
    expected = plain(model, 1)
    with GradientSum(model.parameters(), Ranks()) as summed:
        model.zero_grad()
        passes(model, 1)
        summed.finish()
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        assert parameter.grad is None if gradient is None else torch.equal(parameter.grad, gradient)
