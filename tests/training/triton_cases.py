"""The Triton kernels in Triton's interpreter; test_triton_passes.py runs this in a process of its
own, because the interpreter must be asked for before Triton is imported.

The interpreter shows that indices and masks are right, not speed, races or CUDA's arithmetic.
"""

import math
import os
import sys

os.environ["TRITON_INTERPRET"] = "1"

import pytest
import torch
import torch.nn.functional as F

from hnclip_cli.training.objectives import contrast as module
from hnclip_cli.training.objectives import passes as plain
from hnclip_cli.training.objectives import triton_passes as passes
from hnclip_cli.training.objectives import view
from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from hnclip_cli.training.objectives.passes import TORCH_PASSES
from hnclip_cli.training.objectives.triton_passes import TRITON_PASSES
from hnclip_cli.training.objectives.view import Features, Slots, View
from tests.training.test_objective import compare, gradients, make_batch


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    # So that a small batch has several blocks, and a last one that is not full.
    for name, size in {
        "COLUMNS": 16, "SUM_ROWS": 2, "SUM_COLUMNS": 16, "PART": 8,
    }.items():  # fmt: skip
        monkeypatch.setattr(passes, name, size)


@pytest.mark.parametrize("scope", ["batch", "own", "none"])
@pytest.mark.parametrize(
    ("size", "slots", "dim", "chunk_size", "valid", "scale"),
    [
        (1, 0, 6, None, 1.0, 12.0),
        (1, 3, 6, None, 0.0, 100.0),
        (2, 1, 6, 1, 1.0, 1.0),
        (7, 3, 48, 3, 0.5, 100.0),
        (12, 4, 32, 5, 0.7, 14.3),
    ],
)
def test_loss_and_gradients_equal_the_oracle(
    monkeypatch, scope, size, slots, dim, chunk_size, valid, scale
):
    if dim == 48:  # as on a GPU
        monkeypatch.setattr(module, "drops_empty", lambda _: False)
    batch = make_batch(size, slots, dim=dim, valid=valid, scale=scale)
    options = {"scope": scope, "chunk_size": chunk_size}
    compare(batch, ["triton"], **options)
    compare(batch, ["triton"], groups=[i // 2 for i in range(size)], **options)


def test_a_batch_of_64_equals_the_oracle(monkeypatch):
    sizes = {"COLUMNS": 64, "SUM_ROWS": 8, "SUM_COLUMNS": 64, "PART": 32}
    for name, size in sizes.items():
        monkeypatch.setattr(passes, name, size)
    groups = [i // 3 for i in range(64)]
    compare(make_batch(64, 1, dim=16), ["triton"], groups=groups, chunk_size=27)


def random_chunk(dtype, rows=5, texts=19, negatives=23, scale=100.0):
    """Arguments of both passes; the chunk's rows are texts 3 to 8."""
    generator = torch.Generator().manual_seed(0)
    wide = torch.float64 if dtype == torch.float64 else torch.float32

    def uniform(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64).mul(2).sub(1).to(wide)

    labels = torch.arange(texts) // 2
    positive = scale * uniform(rows)
    own_lse = scale * uniform(rows)
    own_lse[1] = -torch.inf
    return {
        "cosines": uniform(rows, texts + negatives).to(dtype),
        "scale": torch.tensor(scale, dtype=wide),
        "row_labels": labels[3 : 3 + rows],
        "labels": labels,
        "positive": positive,
        "own_lse": own_lse,
        "column_lse": scale + uniform(texts).abs(),
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_chunk_equals_the_plain_passes(dtype):
    ours, theirs = random_chunk(dtype), random_chunk(dtype)
    exact = theirs["cosines"].to(theirs["scale"].dtype)
    expected, _ = TORCH_PASSES.form_gradient(**theirs | {"cosines": exact})
    found, factors = TRITON_PASSES.form_gradient(**ours)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    unit = TRITON_PASSES.gradient_unit(dtype)
    tolerance = {torch.float16: 1e-3, torch.float32: 1e-4, torch.float64: 1e-12}[dtype]
    gradient = ours["cosines"].to(exact.dtype) / unit
    gradient[:, 19:] *= factors[:, None]
    torch.testing.assert_close(gradient, exact, rtol=tolerance, atol=2**-24 / 2**4)
    same = ours["row_labels"][:, None] == ours["labels"]
    assert same.any() and (ours["cosines"][:, :19][same] == 0).all()


def test_half_precision_keeps_probabilities_that_it_could_not_hold_as_they_are():
    labels, wide = torch.arange(3), torch.float32
    cosines = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float16)
    arguments = (torch.tensor(20.0), labels[:1], labels, torch.tensor([20.0]))
    nothing = torch.tensor([-torch.inf])
    TRITON_PASSES.form_gradient(cosines, *arguments, nothing, torch.full((3,), 100.0))
    found = cosines.to(wide) / TRITON_PASSES.gradient_unit(torch.float16)
    expected = torch.tensor([[0.0, 0.5, math.exp(-20) / 2]])
    assert torch.tensor(1e-9).half() == 0
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=0)


@pytest.mark.parametrize("highest", [[0.1, 0.35, 0.6, 0.9, 1.0], [1.0, 0.5, 0.1, 0.0, -1.0]])
@pytest.mark.parametrize("texts", [0, 1, 19])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_a_shift_that_comes_late_is_taken_by_what_is_written(dtype, texts, highest):
    """Logits of up to 100 that rise, tile by tile, by more than half precision has room for."""
    wide = torch.promote_types(dtype, torch.float32)
    generator = torch.Generator().manual_seed(0)
    tiles = [0.2 * torch.rand(2, 16, generator=generator) + top - 0.2 for top in highest]
    texts_tile = 0.1 * torch.rand(2, texts, generator=generator)
    cosines = torch.cat([texts_tile, *tiles], dim=1)[:, :-3].to(dtype)
    labels = torch.arange(texts)
    row_labels = torch.tensor([100, 101])
    given = {
        "scale": torch.tensor(100.0, dtype=wide), "row_labels": row_labels, "labels": labels,
        "positive": torch.tensor([20.0, 90.0], dtype=wide),
        "own_lse": torch.tensor([-torch.inf, 50.0], dtype=wide),
        "column_lse": torch.full((texts,), 100.0, dtype=wide),
    }  # fmt: skip
    exact = cosines.double().clone()
    doubles = {name: x.double() if x.is_floating_point() else x for name, x in given.items()}
    expected, _ = TORCH_PASSES.form_gradient(cosines=exact, **doubles)
    found, factors = TRITON_PASSES.form_gradient(cosines=cosines, **given)
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)
    gradient = cosines.double() / TRITON_PASSES.gradient_unit(dtype)
    gradient[:, texts:] *= factors[:, None].double()
    tolerance = 2e-3 if dtype == torch.float16 else 1e-12
    torch.testing.assert_close(gradient, exact, rtol=tolerance, atol=2**-24 / 2**4)


def test_nan_in_a_chunk_gives_nan():
    chunk = random_chunk(torch.float32)
    chunk["cosines"][2, 30] = torch.nan
    others, _ = TRITON_PASSES.form_gradient(**chunk)
    assert others.isnan().tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_columns_equal_the_plain_pass(dtype):
    chunk = random_chunk(dtype, rows=37, texts=41, negatives=0)
    arguments = (chunk["scale"], chunk["row_labels"], chunk["labels"])
    found = TRITON_PASSES.sum_columns(chunk["cosines"], *arguments)
    exact = chunk["cosines"].to(chunk["scale"].dtype)
    (expected,) = TORCH_PASSES.sum_columns(exact, *arguments)
    assert found.shape == (5, 41)  # eight rows each
    torch.testing.assert_close(found.logsumexp(dim=0), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("slots", [0, 1, 3])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_cosines_of_own_negatives_and_their_gradients_equal_the_plain_ones(dtype, slots):
    generator = torch.Generator().manual_seed(0)
    wide = torch.promote_types(dtype, torch.float32)
    shapes = (5, 21), (5, 21), (5, slots, 21)
    features = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
    weights = [torch.randn(shape, generator=generator).to(wide) for shape in ((5,), (5, 2, slots))]
    found = []
    for each in (TRITON_PASSES, TORCH_PASSES):
        leaves = [x.clone().requires_grad_() for x in features]
        cosines = each.own_cosines(*leaves)
        assert all(x.dtype == wide for x in cosines)
        total = sum((x * weight).sum() for x, weight in zip(cosines, weights, strict=True))
        found.append([*cosines, *torch.autograd.grad(total, leaves)])
    tolerance = {torch.float16: 1e-3, torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=tolerance, atol=tolerance)


def test_a_second_derivative_of_own_cosines_is_refused():
    features = [torch.randn(shape, requires_grad=True) for shape in ((2, 3), (2, 3), (2, 1, 3))]
    positive, _ = TRITON_PASSES.own_cosines(*features)
    with pytest.raises(RuntimeError, match="expected implementation dense"):
        torch.autograd.grad(positive.sum(), features, create_graph=True, allow_unused=True)


def test_a_row_and_a_column_without_others_are_nothing_not_nan():
    labels = torch.zeros(3, dtype=torch.long)
    nothing = torch.full((3,), -torch.inf)
    scale, zero = torch.tensor(100.0), torch.zeros(3)
    (sums,) = TRITON_PASSES.sum_columns(torch.ones(3, 3), scale, labels, labels)
    assert torch.equal(sums, nothing)
    cosines = torch.ones(3, 3)
    others, _ = TRITON_PASSES.form_gradient(cosines, scale, labels, labels, zero, nothing, zero)
    assert torch.equal(others, nothing)
    assert torch.equal(cosines, torch.zeros(3, 3))


def test_half_precision_inside_keeps_three_digits(monkeypatch):
    """The rounding of CUDA's path: features, cosines and gradients in fp16, sums in float32."""
    monkeypatch.setattr(passes, "COLUMNS", 128)
    batch = make_batch(32, 2, dim=64, scale=100.0, valid=1.0)
    # Cosines as CLIP has them: 0.3 in a pair, 0.12 otherwise, but for chance.
    generator = torch.Generator().manual_seed(1)
    pairs = torch.randn(32, 64, generator=generator, dtype=torch.float64)
    pairs = 0.55 * F.normalize(pairs, dim=1)
    pairs[:, 0] += 0.35
    features = [
        F.normalize(pairs + 0.75 * batch[name].detach(), dim=1)
        for name in ("image_features", "text_features")
    ]
    inputs = [*features, batch["negative_features"], batch["logit_scale"]]
    rounded = [x.detach().half().float().requires_grad_() for x in inputs]
    exact = [x.detach().double().requires_grad_() for x in rounded]
    names = ("image_features", "text_features", "negative_features", "logit_scale")

    def solve(arguments, which, dtype):
        monkeypatch.setattr(view, "choose_passes", lambda *_, **__: (which, dtype))
        given = batch | dict(zip(names, arguments, strict=True))
        loss = hard_negative_objective(**given, imc_weight=0.0, cmr_weight=0.0, chunk_size=12).loss
        return loss, torch.autograd.grad(loss, arguments)

    loss, mine = solve(rounded, TRITON_PASSES, torch.float16)
    true_loss, expected = solve(exact, TORCH_PASSES, torch.float64)
    assert abs(loss - true_loss) < 1e-3 * true_loss
    for found, truth in zip(mine, expected, strict=True):
        assert found.dtype == torch.float32
        assert (found - truth).norm() <= 6e-3 * truth.norm()


def test_empty_slots_may_hold_more_than_half_precision_can(monkeypatch):
    monkeypatch.setattr(module, "drops_empty", lambda _: False)
    monkeypatch.setattr(view, "choose_passes", lambda *_, **__: (TRITON_PASSES, torch.float16))
    exact = make_batch(4, 2, valid=0.5)
    batch = {
        name: value.detach().float().requires_grad_() if value.is_floating_point() else value
        for name, value in exact.items()
    }
    empty = ~batch["negative_mask"][..., None]
    filled = batch["negative_features"].detach().masked_fill(empty, 1e30).requires_grad_()
    found = []
    for negatives in (batch["negative_features"], filled):
        given = batch | {"negative_features": negatives}
        result = hard_negative_objective(**given, imc_weight=0.3, cmr_weight=0.2)
        found.append([result.loss, *gradients(result.loss, given)])
    assert empty.any() and all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_memory_that_was_never_written_is_never_read(monkeypatch):
    batch = make_batch(7, 2)
    options = {"imc_weight": 0.3, "cmr_weight": 0.2, "implementation": "triton", "chunk_size": 3}
    exact = gradients(hard_negative_objective(**batch, **options).loss, batch)
    monkeypatch.setattr(torch, "empty_like", lambda like: torch.full_like(like, torch.nan))
    new_empty = torch.Tensor.new_empty

    def poisoned(*args, **options):
        empty = new_empty(*args, **options)
        return empty.fill_(torch.nan) if empty.is_floating_point() else empty

    monkeypatch.setattr(torch.Tensor, "new_empty", poisoned)
    mine = gradients(hard_negative_objective(**batch, **options).loss, batch)
    assert all(torch.equal(a, b) for a, b in zip(mine, exact, strict=True))


def test_gradients_equal_central_differences():
    batch = make_batch(3, 2, dim=3, scale=5.0)
    names = ["image_features", "text_features", "negative_features", "logit_scale"]

    def loss(*inputs):
        return hard_negative_objective(
            **batch | dict(zip(names, inputs, strict=True)),
            imc_weight=0.3,
            cmr_weight=0.0,
            implementation="triton",
            chunk_size=2,
        ).loss

    inputs = [batch[name] for name in names]
    assert torch.autograd.gradcheck(loss, inputs, eps=1e-6, atol=1e-6, fast_mode=True)


def test_the_kernels_were_the_ones_that_ran(monkeypatch):
    def refuse(*_):
        raise AssertionError("the plain pass ran")

    monkeypatch.setattr(plain, "TORCH_PASSES", TORCH_PASSES._replace(form_gradient=refuse))
    batch = make_batch(3, 1)
    options = {"imc_weight": 0.3, "cmr_weight": 0.2}
    hard_negative_objective(**batch, **options, implementation="triton")
    with pytest.raises(AssertionError, match="the plain pass ran"):
        hard_negative_objective(**batch, **options, implementation="chunked")


@pytest.fixture
def auto(monkeypatch):
    """What ``auto`` would take on CUDA, and the notes that it makes."""
    notes = []
    monkeypatch.setattr(plain, "takes_triton", lambda _: True)
    monkeypatch.setattr(plain, "BLOCK", (3, 7, 20))
    monkeypatch.setattr(plain._LOG, "warning", lambda text, *args: notes.append(text % args))
    plain.checked_triton.cache_clear()
    batch = {
        name: value.detach().float() if value.is_floating_point() else value
        for name, value in make_batch(5, 2).items()
    }

    def solve():
        given = View.of_captions(
            Features(*(batch[f"{name}_features"] for name in ("image", "text", "negative"))),
            Slots(batch["negative_mask"], batch["negative_kinds"]),
            batch["logit_scale"], batch["thresholds"],
        )  # fmt: skip
        return given.passes

    yield solve, notes
    plain.checked_triton.cache_clear()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_block_that_is_checked_finds_the_kernels_right(dtype, monkeypatch):
    device = torch.device("cpu")
    monkeypatch.setattr(plain, "BLOCK", (5, 150, 700))  # the interpreter is slow
    monkeypatch.setattr(passes, "COLUMNS", 64)
    assert plain._difference(TRITON_PASSES, device, dtype) <= plain.BOUNDS[dtype] / 2


def test_auto_takes_the_kernels_where_they_are_right(auto):
    solve, notes = auto
    assert solve() == (TRITON_PASSES, torch.float32) and not notes


def wrong(*args):
    others, factors = TRITON_PASSES.form_gradient(*args)
    return others + 0.01, factors


def broken(*args):
    raise RuntimeError("PTX assembly aborted\nat length")


def wrong_cosines(*features):
    positive, negative = TRITON_PASSES.own_cosines(*features)
    return positive, 1.01 * negative


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"form_gradient": wrong}, "they differ by 0.0"),
        ({"own_cosines": wrong_cosines}, "they differ by 0.0"),
        ({"sum_columns": broken}, "(PTX assembly aborted)"),
    ],
)
def test_auto_falls_back_with_one_note(auto, monkeypatch, change, reason):
    solve, notes = auto
    monkeypatch.setattr(passes, "TRITON_PASSES", TRITON_PASSES._replace(**change))
    for _ in range(2):
        assert solve() == (TORCH_PASSES, torch.float32)
    (note,) = notes
    assert note.startswith("hnclip: not using the Triton kernels on cpu (") and reason in note


def test_auto_does_without_triton(auto, monkeypatch):
    solve, notes = auto
    name = "hnclip_cli.training.objectives.triton_passes"
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(name)
    assert solve() == (TORCH_PASSES, torch.float32)
    assert "not installed" in notes[0]
