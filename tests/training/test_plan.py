import pytest

from hnclip_cli.models.cost import ModelCost, TowerCost
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.plan import plan

COST = ModelCost(
    image=TowerCost(parameters=100, forward_flops=1000, saved_bytes=50),
    text=TowerCost(parameters=60, forward_flops=400, saved_bytes=20),
    embed_dim=8,
    context_length=40,
    has_batch_norm=False,
)


def make(tokens=None, **settings):
    config = TrainConfig(**({"batch_size": 10, "steps": 5} | settings))
    return plan(config, COST, num_steps=5, tokens_per_text=tokens)


def test_work_is_split_into_towers_and_loss():
    said = make()
    assert said["flops_per_step"]["image"] == 10 * 3 * 1000
    assert said["flops_per_step"]["text"] == 10 * 5 * 3 * 400
    # Three products of 10 x 50 logits, the columns' pass, and the own negatives' products.
    assert said["flops_per_step"]["loss"] == 6 * 10 * 50 * 8 + 2 * 100 * 8 + 12 * 40 * 8
    assert sum(said["flops_share"].values()) == pytest.approx(1, abs=1e-3)
    assert said["records_seen"] == 50
    assert said["config"]["imc_weight"] == 0.3


def test_short_texts_cost_less_in_proportion():
    said, full = make(tokens=10.0), make()
    assert said["tokens_per_text"] == 10
    assert said["flops_per_step"]["text"] == full["flops_per_step"]["text"] / 4
    assert make(tokens=500.0)["tokens_per_text"] == 40


def test_memory_is_weights_gradients_moments_and_activations():
    said = make()["memory_bytes"]
    assert said["weights_gradients_optimizer"] == 160 * 16
    assert said["activations"] == 10 * 50 + 10 * 5 * 20
    assert said["total"] == sum(value for name, value in said.items() if name != "total")


def test_micro_batches_trade_activations_for_a_second_forward_pass():
    said = make(micro_batch=2)
    assert said["memory_bytes"]["activations"] == 2 * 5 * 20
    assert said["flops_per_step"]["image"] == 10 * 4 * 1000


def test_a_locked_tower_is_run_once_and_keeps_nothing():
    said = make(lock="image")
    assert said["flops_per_step"]["image"] == 10 * 1000
    assert said["parameters"]["trained"] == 60
    assert said["memory_bytes"]["weights_gradients_optimizer"] == 60 * 16 + 100 * 4
    assert said["memory_bytes"]["activations"] == 10 * 5 * 20


def test_without_negatives_there_is_one_text_a_pair():
    assert make(objective="clip")["flops_per_step"]["text"] == 10 * 3 * 400
