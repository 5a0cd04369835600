"""Recordings of an objective, with a recorder that needs no GPU: it repeats Python's calls."""

import pytest
import torch

from hnclip_cli.training.objectives import captured, hard_negatives
from hnclip_cli.training.objectives.captured import Recorder, Recording, results_and_gradients
from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from tests.training.test_objective import gradients, make_batch

WEIGHTS = {"imc_weight": 0.3, "cmr_weight": 0.2}


def record(function, inputs, unit):
    """As `captured.record_cuda`: each repetition writes over what the one before has found."""
    own = captured.own_copies(inputs)
    results, found = results_and_gradients(function, own, unit)
    results = [x.detach().requires_grad_(x.requires_grad) for x in results]

    def repeat():
        again = results_and_gradients(function, own, unit)
        with torch.no_grad():
            for old, new in zip([*results, *found], [*again[0], *again[1]], strict=True):
                if old is not None:
                    old.copy_(new)

    return Recording(repeat, own, results, found, 1 / unit)


@pytest.fixture
def recorder(monkeypatch):
    found = Recorder(record)
    monkeypatch.setattr(hard_negatives, "RECORDER", found)
    monkeypatch.setattr(hard_negatives, "takes_graphs", lambda _: True)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: 0)
    return found


def solve(batch, **options):
    return hard_negative_objective(**batch, **WEIGHTS, **options)


def plain(batch, **options):
    """Without a recording; a second derivative cannot be asked of one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hard_negatives, "takes_graphs", lambda _: False)
        return solve(batch, **options)


def assert_equal(batch, found, **options):
    expected = plain(batch, **options)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    for mine, other in zip(
        gradients(found.loss, batch), gradients(expected.loss, batch), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-14)


def test_a_recording_follows_every_input(recorder):
    for seed in range(6):
        batch = make_batch(5, 2, seed=seed, scale=5.0 + seed)
        batch["negative_kinds"] = (batch["negative_kinds"] + seed) % 3
        batch["thresholds"] = batch["thresholds"] + seed
        groups = (torch.arange(5) + seed) // 2
        assert_equal(batch, solve(batch, groups=groups), groups=groups)
    assert len(recorder.kept) == 1


def test_a_call_leaves_what_earlier_ones_gave_as_it_was(recorder):
    batches = [make_batch(5, 2, seed=seed) for seed in range(7)]
    results = [solve(batch) for batch in batches]
    assert len(recorder.kept) == 1
    for batch, result in zip(batches, results, strict=True):
        assert_equal(batch, result)


@pytest.mark.parametrize("term", ["contrastive", "imc", "cmr"])
def test_each_term_keeps_its_own_gradient(recorder, term):
    batch = make_batch(5, 2)
    for _ in range(5):
        result = solve(batch)
    assert recorder.kept
    found = gradients(3 * getattr(result, term), batch)
    expected = gradients(3 * getattr(plain(batch), term), batch)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_two_kinds_may_take_turns(recorder):
    batches = [make_batch(size, 2) for size in (3, 4)]
    for batch in batches * 5:
        assert_equal(batch, solve(batch))
    assert len(recorder.kept) == 2


def test_only_calls_that_repeat_themselves_are_recorded_and_two_are_kept(recorder):
    for size in (3, 4, 5) * 4:
        batch = make_batch(size, 2)
        assert_equal(batch, solve(batch))
    assert not recorder.kept
    for size in (3, 4, 5):
        for _ in range(5):
            batch = make_batch(size, 2)
            assert_equal(batch, solve(batch))
    assert [kind[1][0][0] for kind in recorder.kept] == [(4, 6), (5, 6)]


def test_other_weights_and_locked_features_are_another_kind(recorder):
    batch = make_batch(4, 2)
    for _ in range(5):
        solve(batch)
    hard_negative_objective(**batch, imc_weight=0.4, cmr_weight=0.2)
    locked = batch | {"image_features": batch["image_features"].detach()}
    result = solve(locked)
    expected = plain(locked)
    found = (torch.autograd.grad(x.loss, batch["text_features"])[0] for x in (result, expected))
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-14)
    assert len(recorder.kept) == 1


def test_where_nothing_can_be_recorded_one_note_says_so(recorder, monkeypatch):
    notes = []
    monkeypatch.setattr(captured._LOG, "warning", lambda text, *args: notes.append(text % args))

    def refuse(*_):
        raise RuntimeError("operation not permitted when stream is capturing\nCompile with …")

    recorder.record = refuse
    for size in (3, 4):
        for _ in range(6):
            batch = make_batch(size, 2)
            assert_equal(batch, solve(batch))
    assert notes == [
        "hnclip: computing the objective without a CUDA graph"
        " (operation not permitted when stream is capturing)"
    ]


def test_what_must_not_be_recorded_is_not(recorder, monkeypatch):
    batch = make_batch(4, 2)
    locked = {
        name: value.detach() if isinstance(value, torch.Tensor) else value
        for name, value in batch.items()
    }
    monkeypatch.setattr(hard_negatives, "MOST_COSINES", 4 * 4 * 3)
    for _ in range(6):
        with torch.no_grad():
            solve(batch)
    for _ in range(6):
        solve(locked)
    for _ in range(6):
        solve(batch, implementation="dense")
    for _ in range(6):
        solve(make_batch(5, 2))
    assert not recorder.kept
    for _ in range(6):
        solve(batch)
    assert recorder.kept
