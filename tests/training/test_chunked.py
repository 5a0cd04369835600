"""What the chunked contrastive term adds to its definition: bounded memory, and no way to misuse.

That it equals the definition is in test_objective.py.
"""

import pytest
import torch
import torch.nn.functional as F

from hnclip_cli.models.meta import Meter
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives import contrast
from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from hnclip_cli.training.objectives.passes import GPU_COSINES
from tests.bench.objective_memory import saved_bytes
from tests.training.test_objective import gradients, make_batch

WEIGHTS = {"imc_weight": 0.3, "cmr_weight": 0.2}


def solve(batch, implementation="chunked", **options):
    return hard_negative_objective(**batch, **WEIGHTS, implementation=implementation, **options)


def change(batch, **features):
    """The batch with other features, as leaves."""
    return batch | {name: value.detach().requires_grad_() for name, value in features.items()}


def as_float32(batch):
    return {
        name: value.detach().float().requires_grad_() if value.is_floating_point() else value
        for name, value in batch.items()
    }


def assert_equals_dense(batch, **options):
    ours, dense = solve(batch, **options), solve(batch, "dense", **options)
    torch.testing.assert_close(ours.loss, dense.loss, rtol=1e-9, atol=1e-12)
    pairs = zip(gradients(ours.loss, batch), gradients(dense.loss, batch), strict=True)
    for mine, other in pairs:
        assert mine.isfinite().all()
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("scope", ["batch", "own", "none"])
@pytest.mark.parametrize(("size", "slots", "chunk_size"), [(1, 1, 1), (5, 0, 2), (5, 2, 3)])
def test_gradients_equal_central_differences(scope, size, slots, chunk_size):
    batch = make_batch(size, slots, dim=3, scale=5.0)
    names = ["image_features", "text_features", "negative_features", "logit_scale"]

    def loss(*inputs):
        changed = batch | dict(zip(names, inputs, strict=True))
        # cmr has kinks, where central differences say nothing.
        return hard_negative_objective(
            **changed,
            imc_weight=0.3,
            cmr_weight=0.0,
            groups=torch.arange(size) // 2,
            implementation="chunked",
            negative_scope=scope,
            chunk_size=chunk_size,
        ).loss

    assert torch.autograd.gradcheck(loss, [batch[name] for name in names], eps=1e-6, atol=1e-6)


def test_the_size_of_chunks_changes_nothing():
    batch = make_batch(12, 3)
    whole = gradients(solve(batch, chunk_size=24).loss, batch)
    for chunk_size in (1, 5, 12):
        parts = gradients(solve(batch, chunk_size=chunk_size).loss, batch)
        for mine, other in zip(parts, whole, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_cosines_of_one_and_minus_one_are_no_trouble(scale, sign):
    batch = make_batch(6, 2, scale=scale)
    images = batch["image_features"]
    other = images.roll(1, 0).unsqueeze(1).expand(-1, 2, -1)
    assert_equals_dense(change(batch, text_features=sign * images, negative_features=-sign * other))


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_rows_that_are_all_equal_are_no_trouble(scale):
    batch = make_batch(6, 2, scale=scale)
    images = batch["image_features"][:1].expand(6, -1)
    negatives = images[:, None].expand(-1, 2, -1)
    same = change(batch, image_features=images, text_features=images, negative_features=negatives)
    assert_equals_dense(same)
    assert_equals_dense(same, groups=torch.zeros(6, dtype=torch.long))


def test_a_caption_twice_and_a_negative_like_its_caption_are_no_trouble():
    batch = make_batch(6, 2, scale=100.0)
    texts = batch["text_features"].detach().clone()
    texts[3] = texts[1]
    negatives = batch["negative_features"].detach().clone()
    negatives[:, 0] = texts
    assert_equals_dense(change(batch, text_features=texts, negative_features=negatives))


def test_a_row_of_high_probability_keeps_the_precision_of_its_gradient():
    # All rows have p of about 1 − 1e-7 (cosines 1 and 0 at scale 18): p − 1 in float32 would
    # have no correct digit left.
    exact = make_batch(4, 1, dim=12, scale=18.0, valid=1.0)
    basis = torch.eye(12, dtype=torch.float64)
    exact = change(
        exact,
        image_features=basis[:4],
        text_features=basis[:4],
        negative_features=basis[4:8, None],
    )
    batch = as_float32(exact)
    pairs = zip(
        gradients(solve(batch).loss, batch), gradients(solve(exact).loss, exact), strict=True
    )
    for mine, other in pairs:
        torch.testing.assert_close(mine.double(), other, rtol=1e-5, atol=0)


def test_a_row_without_others_costs_nothing_in_float32():
    # Its positive logit is −100, and e^100 is more than float32 holds.
    batch = as_float32(make_batch(3, 0, scale=100.0))
    opposite = change(batch, text_features=-batch["image_features"])
    loss = solve(opposite, groups=torch.zeros(3, dtype=torch.long)).loss
    assert loss == 0
    assert all((found == 0).all() for found in gradients(loss, opposite))


class Twins(Ranks):
    """Two ranks that hold the same."""

    def sum(self, tensor):
        return 2 * tensor

    def max(self, tensor):
        return tensor.clone()


def test_ranks_merge_large_logits_without_overflow():
    lse = torch.tensor([200.0, -torch.inf, -200.0])
    merged = contrast._merge_ranks(lse, Twins(0, 2))
    torch.testing.assert_close(merged, lse + torch.tensor(2.0).log())


def test_memory_that_was_never_written_is_never_read():
    batch = make_batch(7, 2)
    expected = solve(batch, chunk_size=3)
    exact = gradients(expected.loss, batch)
    assert torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)  # fills what torch.empty gives with NaN
    try:
        assert torch.empty(3).isnan().all()
        found = solve(batch, chunk_size=3)
        mine = gradients(found.loss, batch)
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(found.loss, expected.loss)
    assert all(torch.equal(a, b) for a, b in zip(mine, exact, strict=True))


def test_nan_features_give_a_loss_that_is_nan():
    batch = make_batch(5, 2)
    images = batch["image_features"].detach().clone()
    images[2, 0] = torch.nan
    assert solve(change(batch, image_features=images)).contrastive.isnan()


def test_the_gradient_from_above_scales_ours_and_backward_may_be_repeated():
    batch = make_batch(5, 2)
    once = gradients(solve(batch).loss, batch)
    loss = solve(batch).loss * -3
    first = torch.autograd.grad(loss, batch["image_features"], retain_graph=True)[0]
    second = torch.autograd.grad(loss, batch["image_features"])[0]
    torch.testing.assert_close(first, -3 * once[0], rtol=1e-12, atol=1e-14)
    assert torch.equal(first, second)


def test_a_second_derivative_is_refused():
    batch = make_batch(5, 2)
    with pytest.raises(RuntimeError, match="expected implementation dense"):
        torch.autograd.grad(solve(batch).loss, batch["image_features"], create_graph=True)


def test_without_gradient_no_product_of_one_is_formed(monkeypatch):
    batch = make_batch(7, 2)
    expected = solve(batch)

    def refuse(*_):
        raise AssertionError("a gradient was formed")

    monkeypatch.setattr(contrast, "_add_product", refuse)
    with torch.no_grad():
        found = solve(batch, chunk_size=2)
    assert not found.loss.requires_grad
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_half_precision_features_get_gradients_of_their_own_dtype():
    exact = make_batch(8, 2)
    batch = change(
        exact,
        **{
            name: exact[name].bfloat16()
            for name in ("image_features", "text_features", "negative_features")
        },
    )
    result = solve(batch)
    assert result.loss.dtype == torch.float32
    for mine, other in zip(
        gradients(result.loss, batch)[:3], gradients(solve(exact).loss, exact)[:3], strict=True
    ):
        assert mine.dtype == torch.bfloat16
        assert (mine - other).norm() < 0.05 * other.norm()


@pytest.mark.parametrize("valid", [1.0, 0.6])
def test_what_autograd_keeps_grows_with_the_batch_not_its_square(valid):
    def saved(implementation, size):
        return saved_bytes(implementation, size, slots=4, dim=8, valid=valid)

    assert saved("dense", 512) > 3.5 * saved("dense", 256)
    assert saved("chunked", 512) < 2.1 * saved("chunked", 256)
    inputs = (2 + 4) * 512 * 8 * 4
    assert saved("chunked", 512) < 3 * inputs


@pytest.mark.parametrize(("dtype", "copies"), [(torch.float16, 0), (torch.bfloat16, 2)])
def test_a_gpu_holds_gradients_and_one_chunk_and_no_copies(dtype, copies):
    size, slots, dim = 32768, 4, 768
    with torch.device("meta"), Meter() as meter:
        shapes = [(size, dim), (size, dim), (size, slots, dim)]
        features = [torch.empty(shape, dtype=dtype, requires_grad=True) for shape in shapes]
        mask, kinds = torch.empty(2, size, slots).unbind()
        inputs = [*features, mask.bool(), torch.empty((), requires_grad=True)]
        given = meter.alive
        loss = hard_negative_objective(
            *inputs, negative_kinds=kinds.long(), thresholds=torch.empty(1), **WEIGHTS
        ).loss
        torch.autograd.grad(loss, [*features, inputs[-1]])
    chunk = GPU_COSINES * 2
    numbers = (2 + slots) * size * dim
    assert meter.peak - given < 1.02 * (chunk + numbers * (4 + copies)) < 2.2e9


def test_the_matrix_of_logits_is_never_allocated():
    class Largest(torch.utils._python_dispatch.TorchDispatchMode):
        numel = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            for tensor in result if isinstance(result, (tuple, list)) else [result]:
                if isinstance(tensor, torch.Tensor):
                    self.numel = max(self.numel, tensor.numel())
            return result

    batch = make_batch(128, 3, dim=4)
    with Largest() as largest:
        loss = solve(batch, chunk_size=8).loss
        torch.autograd.backward(loss)
    features = batch["negative_features"].numel()
    assert largest.numel <= max(features, 8 * (128 + 3 * 128))


def test_locked_features_get_no_gradient():
    batch = make_batch(5, 2)
    batch["image_features"] = batch["image_features"].detach()
    exact = F.normalize(batch["image_features"], dim=-1).requires_grad_()
    loss = solve(batch).loss
    other = solve(batch | {"image_features": exact}).loss
    mine = torch.autograd.grad(loss, batch["text_features"])[0]
    torch.testing.assert_close(mine, torch.autograd.grad(other, batch["text_features"])[0])
