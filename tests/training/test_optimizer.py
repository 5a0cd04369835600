import pytest
import torch

from hnclip_cli.training.optimizer import lr_factor, make_optimizer


def test_the_rate_warms_up_linearly_and_falls_as_a_cosine():
    factors = [lr_factor(step, 4, step / 20) for step in range(21)]
    assert factors[0] == pytest.approx(0.2)
    assert max(factors) == factors[4]
    assert factors[20] == pytest.approx(0)
    assert lr_factor(1000, 4, 0.5) == pytest.approx(0.5)


def test_only_matrices_are_decayed():
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    decayed, kept = make_optimizer(module, 1e-3, 0.1).param_groups
    assert [p.shape for p in decayed["params"]] == [(2, 3)] and decayed["weight_decay"] == 0.1
    assert len(kept["params"]) == 3 and kept["weight_decay"] == 0
