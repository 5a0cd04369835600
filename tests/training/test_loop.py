import io
import itertools

import open_clip
import pytest
import torch
from torch import nn

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.load import load_clip
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.training import loop, step
from hnclip_cli.training.checkpoints import start
from hnclip_cli.training.config import TrainConfig, slots_of
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.gradients import GradientSum
from hnclip_cli.training.objectives import OBJECTIVES
from hnclip_cli.training.objectives.table import uses
from hnclip_cli.training.store import RecordStore
from tests.conftest import to_lines
from tests.factories import make_records, with_further_texts
from tests.models.test_local import small

pytestmark = pytest.mark.long


def run(folder, records, policy=None, note=lambda line: None, **settings):
    policy = policy or ErrorPolicy()
    options = {"batch_size": 3, "lr": 1e-3, "warmup_steps": 0, "log_every": 1, "steps": 3}
    config = TrainConfig(**(options | settings))
    reader = RecordReader(io.BytesIO(to_lines(*records)), "x.jsonl")
    store = RecordStore(reader, str(folder), policy, slots_of(config, True).sources)
    clip = load_clip("hnclip-tiny", device="cpu", seed=config.seed)
    if uses(config.weights, "bias"):
        clip.module.logit_bias = nn.Parameter(torch.tensor(-10.0))
    state = start(clip, store, config)
    saves = []

    def save(finished):
        saves.append((state.step, finished, state.thresholds.tolist()))

    metrics = list(loop.train(state, store, config, policy=policy, save=save, note=note))
    return clip, metrics, saves


@pytest.mark.parametrize("objective", [name for name in OBJECTIVES if OBJECTIVES[name]])
def test_the_loss_falls_on_records_seen_again(tmp_path, objective):
    records = with_further_texts(make_records(tmp_path))
    more = {"generation_steps": 20} if objective == "iterated" else {}
    _, metrics, saves = run(tmp_path, records, objective=objective, steps=12, batch_size=6, **more)
    name = "contrastive" if objective == "rank-clip" else "loss"  # the weight of the rest rises
    assert metrics[-1][name] < 0.7 * metrics[0][name]
    assert [line["step"] for line in metrics] == list(range(1, 13))
    assert [step for step, *_ in saves] == [12]
    assert ("imc" in metrics[0]) == uses(OBJECTIVES[objective], "negatives")


def test_the_same_settings_give_the_same_weights_whatever_the_workers(tmp_path):
    records = make_records(tmp_path)
    first, lines, _ = run(tmp_path, records, workers=0)
    again, same_lines, _ = run(tmp_path, records, workers=3)
    other, _, _ = run(tmp_path, records, seed=1)
    assert lines == same_lines
    weights = [clip.module.state_dict() for clip in (first, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["text_projection"], weights[2]["text_projection"])


def test_thresholds_start_at_0_and_are_saved_by_kind(tmp_path):
    _, metrics, saves = run(tmp_path, make_records(tmp_path), steps=4, checkpoint_every=2)
    assert [(step, finished) for step, finished, _ in saves] == [(2, False), (4, True)]
    assert set(metrics[-1]["thresholds"]) == {"replace-color", "replace-noun"}
    assert saves[-1][2] == list(metrics[-1]["thresholds"].values())


def test_epochs_are_turned_into_steps(tmp_path):
    _, metrics, _ = run(tmp_path, make_records(tmp_path), steps=None, epochs=1.5, batch_size=2)
    assert metrics[-1]["step"] == round(1.5 * 3)


def test_the_clock_ends_a_run_and_drives_its_schedule(tmp_path, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(ticks))
    _, metrics, _ = run(tmp_path, make_records(tmp_path), steps=None, seconds=9)
    assert metrics[-1]["step"] < 9
    rates = [line["lr"] for line in metrics]
    assert rates == sorted(rates, reverse=True) and rates[-1] < 0.3 * rates[0]


def test_a_run_that_has_no_time_makes_one_step(tmp_path):
    _, metrics, _ = run(tmp_path, make_records(tmp_path), steps=None, seconds=1e-9)
    assert [line["step"] for line in metrics] == [1]


def test_the_scale_is_clamped(tmp_path, monkeypatch):
    monkeypatch.setattr("hnclip_cli.training.checkpoints.max_log_scale", lambda module: 1.0)
    clip, _, _ = run(tmp_path, make_records(tmp_path), steps=1)
    assert clip.module.logit_scale.item() == 1.0


def test_a_damaged_image_costs_its_own_row_and_is_named_once(tmp_path):
    records = make_records(tmp_path)
    (tmp_path / "2.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"^x\.jsonl:3: image cannot be decoded"):
        run(tmp_path, records, steps=2)
    reports = []
    policy = ErrorPolicy("skip", lambda error: reports.append(str(error)))
    _, metrics, _ = run(tmp_path, records, policy, steps=6)
    assert len(metrics) == 6
    assert len(reports) == 1 and policy.num_skipped == 1


def test_if_no_image_decodes_the_run_ends(tmp_path):
    records = make_records(tmp_path)
    for path in tmp_path.glob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(HnclipError, match="not one image"):
        run(tmp_path, records, ErrorPolicy("skip"))


def test_a_loss_that_is_not_finite_stops_at_its_step(tmp_path, monkeypatch):
    real = step.compute_objective

    def broken(*args, **options):
        outcome = real(*args, **options)
        return outcome._replace(loss=outcome.loss * torch.nan)

    monkeypatch.setattr(step, "compute_objective", broken)
    with pytest.raises(HnclipError, match="not finite at step 1"):
        run(tmp_path, make_records(tmp_path))


def breaking(monkeypatch, what, *steps):
    """Every step goes wrong that is one of these, from 1, however often it is tried."""
    calls = itertools.count(1)

    def broken(self):
        if next(calls) in steps:
            if what is not None:
                raise what
            self.parameters[0].grad.fill_(torch.nan)

    monkeypatch.setattr(GradientSum, "finish", broken)


def saved_by(tmp_path, policy=None, **settings):
    """The state at each save: steps done, batches drawn, weights and statistics."""
    records, found = make_records(tmp_path), []
    store = RecordStore(records, str(tmp_path), ErrorPolicy())
    options = {"batch_size": 3, "lr": 1e-3, "warmup_steps": 0, "log_every": 1, "steps": 4}
    config = TrainConfig(**options | settings)
    state = start(load_clip("hnclip-tiny", device="cpu"), store, config)

    def save(finished):
        module = state.clip.module.state_dict()
        found.append((state.step, state.position, {k: v.clone() for k, v in module.items()}))

    try:
        list(loop.train(state, store, config, policy=policy or ErrorPolicy(), save=save))
    except (HnclipError, MemoryError) as error:
        return found, error
    return found, None


@pytest.mark.parametrize("what", [None, MemoryError("no memory")])
def test_an_error_in_the_middle_saves_the_last_good_step(tmp_path, monkeypatch, what):
    expected, _ = saved_by(tmp_path, checkpoint_every=2)[0]
    breaking(monkeypatch, what, 3)
    ((found,), error) = saved_by(tmp_path, steps=4)
    assert error is what or "not finite at step 3" in str(error)
    assert found[:2] == expected[:2] == (2, 2)
    for name, value in expected[2].items():  # of batch normalization too
        assert torch.equal(value, found[2][name]), name


def test_a_bad_image_saves_the_last_good_step(tmp_path, monkeypatch):
    real, calls = loop.Batches.draw, itertools.count(1)

    def draw(self):
        if next(calls) == 3:
            self.error = InputError("a decoder was killed")
        return real(self)

    monkeypatch.setattr(loop.Batches, "draw", draw)
    ((found,), error) = saved_by(tmp_path)
    assert (found[:2], str(error)) == ((2, 2), "a decoder was killed")


def test_nothing_is_saved_before_the_first_step(tmp_path, monkeypatch):
    breaking(monkeypatch, None, 1)
    assert saved_by(tmp_path)[0] == []


def test_a_step_that_is_not_finite_is_skipped_where_the_policy_skips(tmp_path, monkeypatch):
    breaking(monkeypatch, None, 2)
    policy = ErrorPolicy("skip")
    ((found,), error) = saved_by(tmp_path, policy)
    assert (found[:2], error, policy.num_skipped) == ((4, 5), None, 1)
    breaking(monkeypatch, None, *range(2, 99))
    policy = ErrorPolicy("skip")
    ((found,), error) = saved_by(tmp_path, policy)
    assert found[:2] == (1, loop.MAX_FAILED) and "not finite at step 2" in str(error)
    assert policy.num_skipped == loop.MAX_FAILED - 1


def test_gradients_that_are_not_finite_never_reach_the_weights(tmp_path, monkeypatch):
    def broken(self):
        self.parameters[0].grad.fill_(torch.inf)

    monkeypatch.setattr(GradientSum, "finish", broken)
    with pytest.raises(HnclipError, match="norm of the gradients is not finite at step 1; got inf"):
        run(tmp_path, make_records(tmp_path))


@pytest.mark.parametrize(
    ("settings", "count", "message"),
    [
        ({}, 2, "too few records for one batch; got 2 records, expected at least --batch-size 3"),
        ({}, 0, "too few records"),
    ],
)
def test_too_few_records_are_refused(tmp_path, settings, count, message):
    with pytest.raises(HnclipError, match=message):
        run(tmp_path, make_records(tmp_path, count), **settings)


def test_an_objective_with_negatives_needs_some(tmp_path):
    records = [record | {"negatives": []} for record in make_records(tmp_path)]
    with pytest.raises(HnclipError, match="try hnclip negatives before this, or --objective clip"):
        run(tmp_path, records)
    run(tmp_path, records, objective="clip", steps=1)


@pytest.mark.parametrize(
    ("objective", "hint"),
    [("read", 'records with "captions"')]
    + [(name, "hnclip negatives --units") for name in ("cs-clip", "clic", "concept-centric")],
)
def test_an_objective_with_further_texts_names_the_command_that_adds_them(
    tmp_path, objective, hint
):
    with pytest.raises(HnclipError, match=f"no record has .* --objective {objective} .*{hint}"):
        run(tmp_path, make_records(tmp_path), objective=objective)


def test_what_an_objective_does_without_is_said(tmp_path):
    notes = []
    run(tmp_path, make_records(tmp_path), objective="hnclip", steps=1, note=notes.append)
    assert (
        "--objective hnclip runs without units with a foil; try hnclip negatives --units before "
        "this" in notes
    )


def test_batches_of_a_model_with_batch_normalization_are_not_split(tmp_path):
    records = make_records(tmp_path)
    with pytest.raises(HnclipError, match="batch normalization, whose batches cannot be split"):
        run(tmp_path, records, micro_batch=2)
    run(tmp_path, records, micro_batch=3, steps=1)


def test_a_tower_without_features_of_words_is_refused_before_training_by_what_needs_them():
    module = small(text={"no_causal_mask": True}, kind=open_clip.CustomTextCLIP)
    loop.check_model(module, TrainConfig(objective="ce-clip"), Ranks())
    with pytest.raises(HnclipError, match="the text tower of this model has no features of words"):
        loop.check_model(module, TrainConfig(objective="fsc-clip"), Ranks())
