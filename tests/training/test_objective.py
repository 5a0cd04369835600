"""The objective against the float64 oracle: values, every gradient, masks, edges."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from tests.training.oracle import oracle

NUM_KINDS = 3


def make_batch(size, slots, dim=6, seed=0, valid=0.7, scale=12.0):
    generator = torch.Generator().manual_seed(seed)

    def unit(*shape):
        return F.normalize(
            torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1
        ).requires_grad_()

    batch = {
        "image_features": unit(size, dim),
        "text_features": unit(size, dim),
        "negative_features": unit(size, slots, dim),
        "negative_mask": torch.rand(size, slots, generator=generator) < valid,
        "logit_scale": torch.tensor(scale, dtype=torch.float64, requires_grad=True),
        "negative_kinds": torch.randint(NUM_KINDS, (size, slots), generator=generator),
        "thresholds": torch.tensor([0.0, 1.5, 4.0], dtype=torch.float64),
    }
    return batch


def gradients(loss, batch):
    names = ["image_features", "text_features", "negative_features", "logit_scale"]
    inputs = [batch[name] for name in names]
    found = torch.autograd.grad(loss, inputs, allow_unused=True)
    return [
        torch.zeros_like(x) if gradient is None else gradient
        for x, gradient in zip(inputs, found, strict=True)
    ]


def compare(batch, imc_weight=0.3, cmr_weight=0.2, bound=10.0, groups=None):
    ours = hard_negative_objective(
        **batch,
        imc_weight=imc_weight,
        cmr_weight=cmr_weight,
        threshold_bound=bound,
        groups=None if groups is None else torch.tensor(groups),
    )
    theirs = oracle(
        batch["image_features"],
        batch["text_features"],
        batch["negative_features"],
        batch["negative_mask"],
        batch["logit_scale"],
        batch["negative_kinds"],
        batch["thresholds"],
        imc_weight,
        cmr_weight,
        bound,
        groups,
    )
    for mine, other in zip(ours[:4], theirs[:4], strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.thresholds, torch.tensor(theirs[4], dtype=torch.float64))
    for mine, other in zip(gradients(ours.loss, batch), gradients(theirs[0], batch), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 5, 7])
@pytest.mark.parametrize("slots", [0, 1, 3])
def test_loss_and_gradients_equal_the_oracle(size, slots):
    compare(make_batch(size, slots))


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(1, 5),
    slots=st.integers(0, 3),
    seed=st.integers(0, 1000),
    valid=st.sampled_from([0.0, 0.3, 1.0]),
    scale=st.sampled_from([1.0, 14.3, 100.0]),
    groups=st.lists(st.integers(0, 2), min_size=5, max_size=5) | st.none(),
)
def test_any_mask_scale_and_grouping_equals_the_oracle(size, slots, seed, valid, scale, groups):
    batch = make_batch(size, slots, seed=seed, valid=valid, scale=scale)
    compare(batch, groups=groups and groups[:size])


def test_rows_without_negatives_leave_imc_and_cmr():
    batch = make_batch(4, 2)
    batch["negative_mask"][1] = False
    compare(batch)


def test_without_any_negative_it_is_the_clip_loss():
    batch = make_batch(5, 2, valid=0.0)
    result = hard_negative_objective(**batch, imc_weight=0.3, cmr_weight=0.2)
    logits = batch["logit_scale"] * batch["image_features"] @ batch["text_features"].T
    labels = torch.arange(5)
    clip = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    torch.testing.assert_close(result.loss, clip)
    assert result.imc == 0 and result.cmr == 0
    assert torch.equal(result.thresholds, batch["thresholds"])
    assert gradients(result.loss, batch)[2].abs().max() == 0


def test_thresholds_are_clamped_and_kinds_without_negatives_keep_theirs():
    batch = make_batch(6, 2, scale=100.0, valid=1.0)
    with torch.no_grad():
        batch["text_features"].copy_(batch["image_features"])  # gaps up to 200 logits
    batch["negative_kinds"].zero_()
    result = hard_negative_objective(**batch, imc_weight=0.3, cmr_weight=0.2, threshold_bound=7.0)
    assert result.thresholds.tolist() == [7.0, 1.5, 4.0]
    assert not result.thresholds.requires_grad


def test_half_precision_features_are_computed_in_float32():
    batch = make_batch(4, 2)
    half = {
        name: value.detach().bfloat16() if value.is_floating_point() else value
        for name, value in batch.items()
    }
    result = hard_negative_objective(**half, imc_weight=0.3, cmr_weight=0.2)
    assert result.loss.dtype == torch.float32
    exact = hard_negative_objective(**batch, imc_weight=0.3, cmr_weight=0.2)
    assert abs(result.loss.item() - exact.loss.item()) < 0.05 * exact.loss.item()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("text_features", torch.zeros(3, 6), "expected \\(B, D\\) twice"),
        ("negative_features", torch.zeros(4, 2, 5), "expected \\(B, K, D\\)"),
        ("negative_kinds", torch.zeros(4, 1, dtype=torch.long), "kinds"),
        ("negative_mask", torch.ones(4, 2), "expected bool"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name, value, message):
    batch = make_batch(4, 2) | {name: value}
    with pytest.raises(ValueError, match=message):
        hard_negative_objective(**batch, imc_weight=0.3, cmr_weight=0.2)
