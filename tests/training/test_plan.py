import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip
from hnclip_cli.streams.records import as_records
from hnclip_cli.training.batches import collate
from hnclip_cli.training.config import TrainConfig, slots_of
from hnclip_cli.training.memory import samples_on_meta
from hnclip_cli.training.plan import estimate
from hnclip_cli.training.step import forward_backward
from tests.factories import make_records


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return make_records(tmp_path_factory.mktemp("plan"), 20)


def plan(records, model="hnclip-tiny-vit", precision="bf16", **settings):
    usual = {"batch_size": 8, "epochs": 3, "negatives_per_caption": 2, "objective": "ce-clip"}
    config = TrainConfig(**usual | settings)
    return estimate(config, model, records, precision=precision)


def test_it_tells_the_settings_the_steps_and_the_parameters(records):
    said = plan(records)
    assert said["steps"] == 6 and said["records_seen"] == 48
    assert said["config"]["imc_weight"] == 0.3 and said["precision"] == "bf16"
    module = load_clip("hnclip-tiny-vit", device="cpu").module
    counts = said["parameters"]
    assert counts["image"] + counts["text"] == counts["trained"]
    assert counts["trained"] == sum(p.numel() for p in module.parameters())
    assert 5 < said["tokens_per_text"] < 12


def test_work_is_what_torch_counts_in_a_real_step(records):
    config = TrainConfig(batch_size=8, epochs=3, negatives_per_caption=2)
    clip, slots = load_clip("hnclip-tiny-vit", device="cpu"), slots_of(config, False)
    samples = list(samples_on_meta(as_records(records[:8]), slots, config))
    for sample in samples:
        sample.images = [torch.zeros(3, 64, 64)]
    with FlopCounterMode(display=False) as counter:
        forward_backward(clip, collate(samples, slots, clip), config, torch.zeros(1))
    said = plan(records[:8])
    assert sum(said["flops_per_step"].values()) == pytest.approx(counter.get_total_flops(), rel=0.1)
    assert sum(said["flops_share"].values()) == pytest.approx(1, abs=1e-3)


def test_memory_is_given_in_parts_that_add_up(records):
    said = plan(records)["memory_bytes"]
    assert said["total"] == sum(said[part] for part in ("weights", "optimizer", "images", "step"))
    copied = plan(records, wise_ft=0.5)["memory_bytes"]
    assert copied["weights"] == pytest.approx(2 * said["weights"], rel=0.01)
    assert plan(records, precision="fp32")["memory_bytes"]["step"] > said["step"]


def test_micro_batches_cost_a_second_forward_pass(records):
    whole, parts = plan(records), plan(records, micro_batch=2)
    for tower in ("image", "text"):
        ratio = parts["flops_per_step"][tower] / whole["flops_per_step"][tower]
        assert ratio == pytest.approx(4 / 3, rel=0.05)


def test_a_locked_tower_is_only_run_forward(records):
    whole, locked = plan(records), plan(records, lock="image")
    ratio = locked["flops_per_step"]["image"] / whole["flops_per_step"]["image"]
    assert ratio == pytest.approx(1 / 3, rel=0.2)
    assert locked["parameters"]["trained"] == pytest.approx(whole["parameters"]["text"], abs=1)


def test_without_negatives_there_is_one_text_a_pair(records):
    whole, plain = plan(records), plan(records, objective="clip")
    assert plain["flops_per_step"]["text"] < 0.6 * whole["flops_per_step"]["text"]


def test_unread_records_have_the_longest_texts_and_unknown_steps():
    said = plan(None)
    assert said["tokens_per_text"] == 40 and said["steps"] is None
    assert plan(None, epochs=None, steps=7)["steps"] == 7


def test_more_records_than_a_batch_are_drawn_from_all(records):
    long = [record | {"caption": "a dog " * 20} for record in records]
    assert 10 < plan([*records, *long])["tokens_per_text"] < 25


@pytest.mark.parametrize("model", ["hnclip-tiny", "coca_ViT-B-32"])
def test_other_towers_are_planned_as_well(records, model):
    assert plan(records, model, batch_size=2)["memory_bytes"]["step"] > 0


def test_a_folder_is_planned_and_an_unknown_model_refused(records, tiny_run):
    assert plan(records, tiny_run)["parameters"] == plan(records, "hnclip-tiny")["parameters"]
    with pytest.raises(HnclipError, match="no model 'none'"):
        plan(records, "none")
