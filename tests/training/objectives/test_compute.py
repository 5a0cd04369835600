"""Every objective against its paper in loops: values, gradients, empty slots, edges."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.errors import HnclipError
from hnclip_cli.training.objectives import OBJECTIVES, contrast, terms
from hnclip_cli.training.objectives.table import Term, terms_of, uses
from hnclip_cli.training.texts import SOURCES, num_slots
from tests.training.objectives import oracle
from tests.training.objectives.batches import (
    TENSORS,
    compute,
    gradients,
    make_batch,
    make_bias,
    make_scale,
    make_thresholds,
)
from tests.training.test_objective import NoWaiting

NAMES = [name for name in OBJECTIVES if OBJECTIVES[name]]


def compare(name, features, slots, scale=7.0, bound=10.0):
    scale, bias, thresholds = make_scale(scale), make_bias(), make_thresholds()
    ours = compute(
        OBJECTIVES[name], features, slots, scale, thresholds, bias=bias, threshold_bound=bound
    )
    loss, updated = oracle.objective(name, features, slots, scale, thresholds, bound, bias)
    torch.testing.assert_close(ours.loss, loss, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.thresholds, torch.tensor(updated, dtype=torch.float64))
    theirs = gradients(loss, features, scale, bias)
    for part, gradient in gradients(ours.loss, features, scale, bias).items():
        torch.testing.assert_close(gradient, theirs[part], rtol=1e-8, atol=1e-10, msg=part)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("size", "slots", "images"), [(1, 1, 1), (2, 0, 2), (4, 2, 3), (5, 2, 0)])
def test_loss_and_gradients_equal_the_paper(name, size, slots, images):
    compare(name, *make_batch(size, slots, images))


@pytest.mark.parametrize("name", NAMES)
def test_on_an_accelerator_slots_are_masked_and_nothing_is_waited_for(name, monkeypatch):
    for module in (contrast, terms):
        monkeypatch.setattr(module, "drops_empty", lambda _: False)
    monkeypatch.setattr(terms, "is_gpu", lambda _: True)
    compare(name, *make_batch(4, 2, 3, groups=[0, 1, 1, 2]))
    compare(name, *make_batch(2, 0, 2))
    batch = make_batch(5, 2, 3)
    with NoWaiting():
        result = compute(OBJECTIVES[name], *batch, make_scale(), make_thresholds())
        torch.autograd.grad(result.loss, batch[0].images)


@pytest.mark.parametrize(("progress", "ramp"), [(0, 0), (0.25, 0.75), (2 / 3, 2), (1, 2)])
def test_a_weight_may_depend_on_how_far_the_run_is(progress, ramp):
    batch, scale = make_batch(), make_scale()
    ours = compute(OBJECTIVES["rank-clip"], *batch, scale, make_thresholds(), progress=progress)
    loops = oracle.Loops(*batch, scale, make_thresholds())
    torch.testing.assert_close(ours.loss, oracle.rank_clip(loops, ramp), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_without_negative_images_their_terms_are_left_out(name):
    compare(name, *make_batch(images=None))


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    size=st.integers(1, 4),
    slots=st.integers(0, 2),
    images=st.integers(0, 2) | st.none(),
    seed=st.integers(0, 1000),
    valid=st.sampled_from([0.0, 0.4, 1.0]),
    scale=st.sampled_from([1.0, 14.3, 100.0]),
    groups=st.lists(st.integers(0, 2), min_size=4, max_size=4) | st.none(),
)
def test_any_mask_scale_and_grouping_equals_the_paper(
    name, size, slots, images, seed, valid, scale, groups
):
    features, where = make_batch(size, slots, images, seed, valid, groups and groups[:size])
    compare(name, features, where, scale)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_differences(name):
    features, slots = make_batch(3, 2, 2)
    inputs = [getattr(features, part) for part in TENSORS]

    def loss(*tensors):
        *rest, scale, bias = tensors
        own, further = rest[: len(TENSORS)], rest[len(TENSORS) :]
        given = dataclasses.replace(
            features,
            **dict(zip(TENSORS, own, strict=True)),
            further=dict(zip(features.further, further, strict=True)),
        )
        spec = OBJECTIVES[name]
        return compute(spec, given, slots, scale, make_thresholds(), bias=bias).loss

    # The attention of the local term has no gradient by definition, so tokens are held fixed.
    if uses(OBJECTIVES[name], "tokens"):
        inputs[4:6] = [tensor.detach() for tensor in inputs[4:6]]
    used = num_slots(source for source in SOURCES if uses(OBJECTIVES[name], source))
    further = [x if key in used else x.detach() for key, x in features.further.items()]
    torch.autograd.gradcheck(loss, [*inputs, *further, make_scale(), make_bias()])


@pytest.mark.parametrize("name", NAMES)
def test_what_lies_in_empty_slots_does_not_matter(name):
    features, slots = make_batch(4, 3, 3, valid=0.5)
    scale, thresholds = make_scale(), make_thresholds()
    plain = compute(OBJECTIVES[name], features, slots, scale, thresholds)
    empty = ~slots.mask
    dirty = dataclasses.replace(
        features,
        negatives=features.negatives.detach().clone().masked_fill_(empty[..., None], 5.0),
        negative_images=features.negative_images.detach()
        .clone()
        .masked_fill_(~slots.image_mask[..., None], -9.0),
        text_tokens=features.text_tokens.detach()
        .clone()
        .masked_fill_(~features.text_token_mask[..., None], 7.0),
        rebuilt=features.rebuilt.detach().clone().masked_fill_(slots.rebuilt == 0, 6.0),
        further={
            name: x.detach()
            .clone()
            .masked_fill_(~slots.further[name][..., None], 4.0)
            .requires_grad_()
            for name, x in features.further.items()
        },
    )
    dirty = dataclasses.replace(
        dirty, **{part: getattr(dirty, part).requires_grad_() for part in TENSORS}
    )
    result = compute(OBJECTIVES[name], dirty, slots, scale, thresholds)
    torch.testing.assert_close(result.loss, plain.loss)
    found = gradients(result.loss, dirty, scale)
    assert all(gradient.isfinite().all() for gradient in found.values())
    assert not found["negatives"][empty].any()
    assert not found["negative_images"][~slots.image_mask].any()
    assert not found["text_tokens"][~features.text_token_mask].any()
    assert not found["rebuilt"][slots.rebuilt == 0].any()
    assert not any(found[name][~mask].any() for name, mask in slots.further.items())


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_is_the_weighted_sum_of_the_terms(name):
    spec = OBJECTIVES[name]
    result = compute(spec, *make_batch(), make_scale(), make_thresholds())
    weights = {term: weight for term, how, weight in terms_of(spec) if not how.without}
    assert weights.keys() == result.terms.keys()
    assert not any(value.requires_grad for value in result.terms.values())
    total = sum(weights[term] * value for term, value in result.terms.items())
    torch.testing.assert_close(result.loss, total)


def test_a_term_may_be_left_out_of_batches_with_the_texts_of_a_source():
    features, slots = make_batch()
    single = dataclasses.replace(features, further={})
    result = compute(OBJECTIVES["clic"], single, slots, make_scale(), make_thresholds())
    plain = compute(OBJECTIVES["clip"], single, slots, make_scale(), make_thresholds())
    assert result.terms.keys() == {"contrastive"}
    torch.testing.assert_close(result.loss, plain.loss)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_features_are_computed_in_float32(name):
    features, slots = make_batch(5, 2, 2)
    exact = compute(OBJECTIVES[name], features, slots, make_scale(), make_thresholds())
    rounded, _ = make_batch(5, 2, 2, dtype=torch.bfloat16)
    scale = torch.tensor(7.0, requires_grad=True)
    result = compute(OBJECTIVES[name], rounded, slots, scale, make_thresholds().float())
    assert result.loss.dtype == torch.float32
    torch.testing.assert_close(result.loss.double(), exact.loss, rtol=0.02, atol=0.02)
    for part, gradient in gradients(result.loss, rounded, scale).items():
        assert gradient.isfinite().all(), part


def test_without_gradients_the_loss_is_the_same():
    features, slots = make_batch()
    for name in NAMES:
        spec, scale = OBJECTIVES[name], make_scale()
        loss = compute(spec, features, slots, scale, make_thresholds()).loss
        with torch.no_grad():
            again = compute(spec, features, slots, scale, make_thresholds()).loss
        torch.testing.assert_close(again, loss.detach())
        assert not again.requires_grad


def half_of_imc(view):
    return view.positive.mean() / 2


def test_an_objective_may_bring_terms_of_its_own():
    features, slots = make_batch()
    scale, thresholds = make_scale(), make_thresholds()

    def solve(objective):
        return compute(objective, features, slots, scale, thresholds)

    alone = solve(half_of_imc)
    mixed = solve({"imc": 1, half_of_imc: 2, Term(half_of_imc, of_images=True, name="other"): 0})
    expected = (scale * (features.images * features.texts).sum(dim=1)).mean() / 2
    torch.testing.assert_close(alone.loss, expected)
    torch.testing.assert_close(mixed.loss, mixed.terms["imc"] + 2 * expected)
    assert list(mixed.terms) == ["imc", "half_of_imc", "other"]
    torch.testing.assert_close(mixed.terms["other"], expected.detach())


def test_a_term_of_weight_0_is_measured_only():
    features, slots = make_batch()
    result = compute({"imc": 0}, features, slots, make_scale(), make_thresholds())
    assert result.loss == 0 and result.terms["imc"] > 0
    assert not uses({"image_imc": 0}, "images") and uses({"image_imc": 1}, "images")


def test_an_unknown_term_is_refused():
    with pytest.raises(HnclipError, match="no such term; got 'imx', expected one of contrastive, "):
        compute({"imx": 1}, *make_batch(), make_scale(), make_thresholds())


@pytest.mark.parametrize("caption, image", [("imc", "image_imc"), ("cmr", "image_cmr")])
def test_the_side_of_images_is_that_of_captions_exchanged(caption, image):
    features, slots = make_batch(images=2)
    slots = dataclasses.replace(slots, kinds=torch.full_like(slots.kinds, 3))
    exchanged = dataclasses.replace(
        features,
        images=features.texts,
        texts=features.images,
        negatives=features.negative_images,
        negative_images=features.negatives,
    )
    other = dataclasses.replace(slots, mask=slots.image_mask, image_mask=slots.mask)
    thresholds = make_thresholds()
    mine = compute({image: 1}, features, slots, make_scale(), thresholds)
    same = compute({caption: 1}, exchanged, other, make_scale(), thresholds)
    torch.testing.assert_close(mine.loss, same.loss, rtol=1e-12, atol=0)


@pytest.mark.parametrize("spec", [OBJECTIVES[name] for name in NAMES], ids=NAMES)
def test_an_objective_says_what_must_be_encoded(spec):
    features, slots = make_batch()
    loss = compute(spec, features, slots, make_scale(), make_thresholds()).loss
    found = gradients(loss, features, make_scale())
    assert bool(found["negatives"].any()) == uses(spec, "negatives")
    assert bool(found["negative_images"].any()) == uses(spec, "images")
    sees_patches = uses(spec, "tokens") or uses(spec, "patches")
    assert bool(found["image_tokens"].any()) == sees_patches
    assert bool(found["text_tokens"].any()) == uses(spec, "tokens")
    assert bool(found["rebuilt"].any()) == uses(spec, "decoder")
    for source in SOURCES:
        used = any(found[name].any() for name in SOURCES[source].names)
        assert used == uses(spec, source), source


def test_the_threshold_of_negative_images_is_bounded_and_kept_without_any():
    features, slots = make_batch(3, 1, 1, valid=1.0)
    towards = dataclasses.replace(features, texts=features.images)
    spec, thresholds = OBJECTIVES["ce-clip"], make_thresholds()
    result = compute(spec, towards, slots, make_scale(100.0), thresholds, threshold_bound=3.0)
    assert result.thresholds[-1] == 3.0 and not result.thresholds.requires_grad
    none = dataclasses.replace(slots, image_mask=torch.zeros_like(slots.image_mask))
    kept = compute(spec, features, none, make_scale(), thresholds).thresholds
    assert kept[-1] == thresholds[-1]


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("negative_images", None, "without their mask"),
        ("negative_images", torch.zeros(3, 2, 5), "expected \\(4, M, 5\\)"),
        ("negative_images", torch.zeros(4, 1, 5), "image mask"),
        ("image_tokens", None, "needs image_tokens"),
        ("image_tokens", torch.zeros(4, 3, 6), "expected \\(4, P, 5\\)"),
        ("text_tokens", torch.zeros(4, 2, 4, 5), "expected \\(4, 3, L, 5\\)"),
        ("text_token_mask", torch.ones(4, 3, 4), "expected \\(4, 3, 4\\) of torch.bool"),
        ("rebuilt", None, "without its numbers of tokens"),
        ("rebuilt", torch.zeros(5), "expected \\(4\\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(part, value, message):
    features, slots = make_batch(4, 2, 2)
    broken = dataclasses.replace(features, **{part: value})
    with pytest.raises(ValueError, match=message):
        compute(OBJECTIVES["fsc-clip"], broken, slots, make_scale(), make_thresholds())
