"""The objective, in every implementation, against the float64 oracle: values, gradients, edges."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from hnclip_cli.training.objectives import contrast
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


def compare(
    batch,
    implementations=("dense", "chunked"),
    imc_weight=0.3,
    cmr_weight=0.2,
    bound=10.0,
    groups=None,
    scope="batch",
    chunk_size=None,
):
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
        scope,
    )
    expected = gradients(theirs[0], batch)
    for implementation in implementations:
        ours = hard_negative_objective(
            **batch,
            imc_weight=imc_weight,
            cmr_weight=cmr_weight,
            threshold_bound=bound,
            groups=None if groups is None else torch.tensor(groups),
            implementation=implementation,
            negative_scope=scope,
            chunk_size=chunk_size,
        )
        for mine, other in zip(ours[:4], theirs[:4], strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(ours.thresholds, torch.tensor(theirs[4], dtype=torch.float64))
        for mine, other in zip(gradients(ours.loss, batch), expected, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scope", ["batch", "own", "none"])
@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("slots", [0, 1, 3])
def test_loss_and_gradients_equal_the_oracle(size, slots, scope):
    compare(make_batch(size, slots), scope=scope)


class NoWaiting(TorchDispatchMode):
    """Refuses what would make the processor wait for a GPU."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        assert name not in {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero"}, name
        indices = (
            args[1] if name in {"index", "index_put", "index_put_", "_index_put_impl_"} else []
        )
        assert not any(index is not None and index.dtype == torch.bool for index in indices), name
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("scope", ["batch", "own", "none"])
def test_on_an_accelerator_slots_are_masked_and_nothing_is_waited_for(monkeypatch, scope):
    monkeypatch.setattr(contrast, "drops_empty", lambda _: False)
    for groups in (None, [0, 1, 1, 2, 0, 3, 2]):
        compare(make_batch(7, 3), groups=groups, scope=scope, chunk_size=3)
    batch = make_batch(7, 3)
    with NoWaiting():
        loss = hard_negative_objective(
            **batch, imc_weight=0.3, cmr_weight=0.2, negative_scope=scope, chunk_size=3
        ).loss
        torch.autograd.grad(loss, batch["image_features"])


@settings(max_examples=25, deadline=None)
@given(
    size=st.sampled_from([1, 2, 5, 7, 12]),
    slots=st.sampled_from([0, 1, 3, 4]),
    seed=st.integers(0, 1000),
    valid=st.sampled_from([0.0, 0.3, 1.0]),
    scale=st.sampled_from([1.0, 14.3, 100.0]),
    groups=st.lists(st.integers(0, 5), min_size=12, max_size=12) | st.none(),
    scope=st.sampled_from(["batch", "own", "none"]),
    chunk_size=st.none() | st.integers(1, 15),
)
def test_any_mask_scale_grouping_scope_and_chunk_size_equals_the_oracle(
    size, slots, seed, valid, scale, groups, scope, chunk_size
):
    batch = make_batch(size, slots, seed=seed, valid=valid, scale=scale)
    compare(batch, groups=groups and groups[:size], scope=scope, chunk_size=chunk_size)


def test_a_batch_of_64_equals_the_oracle():
    groups = [i // 3 for i in range(64)]
    compare(make_batch(64, 4, dim=16), groups=groups, chunk_size=27)


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


@pytest.mark.parametrize("implementation", ["dense", "chunked"])
def test_autocast_does_not_round_the_logits(implementation):
    batch = make_batch(8, 2)
    batch = {
        name: value.float() if value.is_floating_point() else value for name, value in batch.items()
    }
    options = {"imc_weight": 0.3, "cmr_weight": 0.2, "implementation": implementation}
    exact = hard_negative_objective(**batch, **options)
    with torch.autocast("cpu", torch.bfloat16):
        found = hard_negative_objective(**batch, **options)
    assert torch.equal(found.loss, exact.loss)


@pytest.mark.parametrize("term", ["contrastive", "imc", "cmr"])
def test_every_term_has_its_own_gradient(term):
    batch = make_batch(6, 2)
    dense, chunked = (
        gradients(
            getattr(
                hard_negative_objective(
                    **batch, imc_weight=0.3, cmr_weight=0.2, implementation=implementation
                ),
                term,
            ),
            batch,
        )
        for implementation in ("dense", "chunked")
    )
    for mine, other in zip(chunked, dense, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"implementation": "fused"}, "expected one of auto, dense, chunked, triton"),
        ({"negative_scope": "all"}, "expected one of batch, own, none"),
        ({"chunk_size": 0}, "expected at least 1"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        hard_negative_objective(**make_batch(4, 2), imc_weight=0.3, cmr_weight=0.2, **options)


@pytest.mark.parametrize("implementation", ["dense", "chunked"])
def test_an_empty_batch_is_refused(implementation):
    with pytest.raises(ValueError, match="no rows"):
        hard_negative_objective(
            **make_batch(0, 2), imc_weight=0.3, cmr_weight=0.2, implementation=implementation
        )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("text_features", torch.zeros(3, 6), "expected \\(4, 6\\)"),
        ("negative_features", torch.zeros(4, 2, 5), "expected \\(4, K, 6\\)"),
        ("negative_kinds", torch.zeros(4, 1, dtype=torch.long), "kinds"),
        ("negative_mask", torch.ones(4, 2), "expected \\(4, 2\\) of torch.bool"),
        ("logit_scale", torch.ones(1), "expected \\(\\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name, value, message):
    batch = make_batch(4, 2) | {name: value}
    with pytest.raises(ValueError, match=message):
        hard_negative_objective(**batch, imc_weight=0.3, cmr_weight=0.2)
