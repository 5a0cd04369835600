"""Iterated learning: new text towers, and an image tower that waits for them."""

import io
import itertools

import pytest
import torch

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip
from hnclip_cli.models.tuning import renew_text_tower
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.training import loop
from hnclip_cli.training.checkpoints import start
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.generations import generation_of
from hnclip_cli.training.store import RecordStore
from tests.conftest import to_lines
from tests.factories import make_records
from tests.training import test_checkpoints

ITERATED = {"objective": "iterated", "generation_steps": 3, "smoothing_steps": 2}
SETTINGS = ITERATED | {"steps": 7, "batch_size": 3, "lr": 1e-3, "warmup_steps": 0, "log_every": 1}


def weights_of(clip, part):
    return {
        name: value.clone()
        for name, value in clip.module.state_dict().items()
        if name.startswith("visual.") == (part == "image") and not name.startswith("logit_")
    }


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_generation_begins_with_a_phase_of_smoothing_but_for_the_first():
    config = TrainConfig(**ITERATED)
    found = [generation_of(step, config) for step in range(8)]
    assert [one.generation for one in found] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert [one.smoothing for one in found] == [False] * 3 + [True, True, False, True, True]


@pytest.mark.parametrize("model", ["hnclip-tiny", "hnclip-tiny-vit"])
def test_the_image_tower_waits_while_a_new_text_tower_learns(tmp_path, model):
    data = to_lines(*make_records(tmp_path))
    store = RecordStore(RecordReader(io.BytesIO(data), "x.jsonl"), str(tmp_path), ErrorPolicy())
    config = TrainConfig(**SETTINGS)
    state = start(load_clip(model, device="cpu"), store, config)
    images, texts, moments = [weights_of(state.clip, "image")], [weights_of(state.clip, "text")], []
    for _ in loop.train(state, store, config, policy=ErrorPolicy()):
        images.append(weights_of(state.clip, "image"))
        texts.append(weights_of(state.clip, "text"))
        moments.append(state.optimizer.state[state.clip.module.text_projection]["step"].item())
    still = [same(*pair) for pair in itertools.pairwise(images)]
    assert still == [False] * 3 + [True, True, False, True]  # statistics of its batches, too
    assert not any(same(*pair) for pair in itertools.pairwise(texts))
    assert moments == [1, 2, 3, 1, 2, 3, 1]
    # A new tower of random weights is far from what the old one had learned.
    change = [
        (a["text_projection"] - b["text_projection"]).norm() for a, b in itertools.pairwise(texts)
    ]
    assert min(change[3], change[6]) > 5 * max(change[0], change[1], change[2])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    data = to_lines(*make_records(folder))
    return RecordStore(RecordReader(io.BytesIO(data), "x.jsonl"), str(folder), ErrorPolicy())


@pytest.mark.parametrize("stop_after", [3, 4, 5])
def test_resuming_at_any_step_of_a_generation_changes_nothing(store, tmp_path, stop_after):
    run = test_checkpoints.run
    whole, lines = run(store, tmp_path / "whole", **ITERATED)
    _, before = run(store, tmp_path / "part", stop_after=stop_after, **ITERATED)
    resumed, after = run(store, tmp_path / "part", resume=True, seed=9, **ITERATED)
    assert before + after == lines
    assert same(whole.clip.module.state_dict(), resumed.clip.module.state_dict())


def test_a_new_tower_depends_on_the_seed_alone():
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    before, images = weights_of(clip, "text"), weights_of(clip, "image")
    parameters = renew_text_tower(clip, "0/1")
    first = weights_of(clip, "text")
    torch.rand(1)
    renew_text_tower(clip, "0/1")
    assert same(first, weights_of(clip, "text")) and same(images, weights_of(clip, "image"))
    renew_text_tower(clip, "0/2")
    for found in (before, weights_of(clip, "text")):
        assert not torch.equal(found["text_projection"], first["text_projection"])
    assert {id(p) for p in parameters} == {
        id(p)
        for name, p in clip.module.named_parameters()
        if not name.startswith(("visual.", "logit_"))
    }


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"generation_steps": 0, "smoothing_steps": 0}, "needs generation_steps.*try --set"),
        ({"smoothing_steps": 3}, "bad smoothing_steps; got 3, expected less than"),
        ({"lock": "text"}, "replaces the text tower"),
        ({"lora_rank": 2}, "replaces the text tower"),
        ({"wise_ft": 0.5}, "replaces the text tower"),
    ],
    ids=str,
)
def test_settings_that_exclude_each_other(settings, said):
    with pytest.raises(HnclipError, match=said):
        TrainConfig(**ITERATED | settings)
