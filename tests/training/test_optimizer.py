import copy

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
    decayed, kept = make_optimizer(module.parameters(), 1e-3, 0.1).param_groups
    assert [p.shape for p in decayed["params"]] == [(2, 3)] and decayed["weight_decay"] == 0.1
    assert len(kept["params"]) == 3 and kept["weight_decay"] == 0


def test_it_does_what_torchs_own_does_and_takes_up_its_state():
    torch.manual_seed(0)
    modules = [torch.nn.Linear(3, 2) for _ in range(2)]
    modules[1].load_state_dict(modules[0].state_dict())
    ours = make_optimizer(modules[0].parameters(), 1e-2, 0.1)
    groups = [
        {"params": [modules[1].weight], "weight_decay": 0.1},
        {"params": [modules[1].bias], "weight_decay": 0.0},
    ]
    theirs = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.98), eps=1e-6, fused=True)
    for step in range(4):
        if step == 2:
            ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
        for optimizer, module in zip((ours, theirs), modules, strict=True):
            optimizer.zero_grad(set_to_none=True)
            module(torch.ones(1, 3)).square().sum().backward()
            optimizer.step()
    assert torch.equal(modules[0].weight, modules[1].weight)
    assert torch.equal(modules[0].bias, modules[1].bias)
