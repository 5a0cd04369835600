from dataclasses import replace

import pytest
import torch

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import clip_on_meta, load_clip
from hnclip_cli.models.meta import Meter
from hnclip_cli.streams.records import as_records
from hnclip_cli.training import memory, objectives
from hnclip_cli.training.config import NumSlots, TrainConfig
from hnclip_cli.training.export import adapt
from hnclip_cli.training.memory import WORKSPACES, StepOnMeta, longest_samples, samples_on_meta
from hnclip_cli.training.step import forward_backward

SLOTS = NumSlots(2)


def make_step(size=16, precision="bf16", num_ranks=1, **settings):
    """A step of the small vision transformer, and samples for it."""
    config = TrainConfig(**{"steps": 1, "batch_size": size, "objective": "ce-clip"} | settings)
    clip = clip_on_meta("hnclip-tiny-vit", precision=precision)
    adapt(clip.module, config)
    records = [
        {
            "image": f"{number}.jpg",
            "caption": f"{number} dogs on a {'very ' * (number % 5)}red mat",
            "negatives": [
                {"caption": f"{number} {noun} on a red mat", "kind": "replace-noun"}
                for noun in ("cats", "birds")[: 1 + number % 2]
            ],
        }
        for number in range(size)
    ]
    samples = list(samples_on_meta(as_records(records), SLOTS, config))
    return StepOnMeta(clip, config, SLOTS, num_ranks), samples


def measure(*args, **settings):
    step, samples = make_step(*args, **settings)
    return step.measure(samples)


def test_a_step_on_meta_takes_what_a_real_one_takes():
    step, samples = make_step(32, precision="fp32")
    found = step.measure(samples)
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    pixels = torch.zeros(32, 3, 64, 64)
    batch = replace(step.batch(samples), pixels=pixels, negative_pixels=pixels[:0])
    meter = Meter("cpu")
    weights = meter.count(clip.module.train().parameters())
    with meter:
        forward_backward(clip, batch, step.config, torch.zeros(1))
    assert found.weights == pytest.approx(weights, rel=0.01)
    assert found.step - WORKSPACES == pytest.approx(meter.peak - weights, rel=0.15)


def test_half_precision_and_small_batches_take_less():
    whole, half, small = (measure(512, "fp32"), measure(512, "bf16"), measure(256, "bf16"))
    assert small.step < half.step < whole.step
    assert whole.weights == half.weights == small.weights
    assert whole.optimizer == pytest.approx(2 * whole.weights, rel=0.01)


def test_what_is_not_trained_has_no_moments_and_keeps_less():
    whole, locked = measure(64), measure(64, lock="image")
    assert locked.optimizer < whole.optimizer and locked.step < whole.step
    adapted = measure(64, lora_rank=2)
    assert adapted.optimizer < whole.optimizer / 5


def test_two_parts_stand_for_all_micro_batches():
    step, samples = make_step(64, micro_batch=8)
    short, exact = step.measure(samples), step._whole(samples)
    assert short.step == pytest.approx(exact.step, rel=0.03)
    assert measure(1024, micro_batch=8).step < measure(1024).step / 2


def test_a_large_batch_of_small_parts_takes_what_the_objective_takes(monkeypatch):
    step, samples = make_step(1024, micro_batch=64, lock="both")
    recorded = step.measure(samples)
    monkeypatch.setattr(memory, "MOST_COSINES", 0)
    assert recorded.step > step.measure(samples).step  # a CUDA graph keeps its memory
    assert step.measure(samples).step == pytest.approx(step._whole(samples).step, rel=0.03)
    assert step.measure(samples).step > measure(512, micro_batch=64, lock="both").step


def test_other_processes_bring_columns_and_sums_of_gradients():
    alone, together = (
        measure(1024, num_ranks=size, micro_batch=64, lock="both") for size in (1, 4)
    )
    assert together.step > 1.1 * alone.step
    assert measure(8, num_ranks=2).step > measure(8).step + measure(8).weights / 2


@pytest.mark.parametrize("objective", ["fsc-clip", "rank-clip", "siglip", "con-clip"])
def test_any_objective_is_measured(objective):
    config = TrainConfig(steps=1, batch_size=8, objective=objective)
    clip = clip_on_meta("hnclip-tiny-vit", sigmoid=objective == "siglip")
    samples = longest_samples(SLOTS, 8)
    assert StepOnMeta(clip, config, SLOTS).measure(samples).step > WORKSPACES


def test_an_objective_that_looks_at_numbers_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(
        objectives._BUILT_IN, "peeking", lambda view: view.positive.sum() * view.scale.item()
    )
    with pytest.raises(HnclipError, match=r"cannot be predicted; got .*meta"):
        measure(objective="peeking")


def test_random_numbers_stay_as_they_are():
    step, samples = make_step()
    before = torch.get_rng_state()
    step.measure(samples)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_longest_texts_fill_the_context_and_begin_differently():
    step, _ = make_step()
    batch = step.batch(longest_samples(SLOTS, 5))
    texts = torch.cat([batch.captions, batch.negatives])
    assert len(texts) == 15 and bool((texts != 0).all())
    assert len({tuple(text[:4].tolist()) for text in texts}) == 15


def test_images_are_those_of_this_batch_and_the_next():
    assert measure(32).images == 3 * 32 * 3 * 64 * 64
