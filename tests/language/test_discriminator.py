import math
import random
from collections import defaultdict

import numpy as np
import pytest

from hnclip_cli.language import discriminator
from hnclip_cli.language.discriminator import Discriminator, _differences


def pairs(number=400, seed=0):
    """Captions that say cat oftener than dog, and one word instead of another."""
    draw = random.Random(seed)
    for i in range(number):
        old, new = draw.choice([("cat", "dog")] * 3 + [("dog", "cat")])
        place = draw.choice(["sofa", "road", "bed"])
        yield f"a {old} on a {place}", f"a {new} on a {place}", i // 2


def told(found):
    model = Discriminator()
    for caption, other, group in found:
        model.add(caption, other, group * 7919)
    return model


def everything(model):
    return np.ones(len(model._lengths), bool)


def test_what_is_put_in_oftener_than_taken_out_is_told():
    found = list(pairs())
    model = told(found)
    preferences = model.preferences(everything(model))
    says_cat = np.array(["cat" in caption for caption, *_ in found])
    assert np.all((preferences > 0) == says_cat)


def test_the_weights_are_those_of_the_plain_formula():
    found = list(pairs(40))
    model = told(found)
    features = [list(_differences(caption.split(), other.split())) for caption, other, _ in found]
    counts = defaultdict(int)
    for feature in {(row, f >> 1) for row, of_pair in enumerate(features) for f in of_pair if f}:
        counts[feature[1]] += 1
    folds = discriminator._folds(np.asarray(model._groups), 3)
    expected = []
    for row, fold in enumerate(folds):
        weights = fitted([f for f, other in zip(features, folds, strict=True) if other != fold])
        known = (f for f in features[row] if counts[f >> 1] > 1)
        expected.append(sum((-1) ** (f & 1) * weights[f >> 1] for f in known))
    assert model.preferences(everything(model), 3) == pytest.approx(expected, abs=2e-6)


def fitted(rows):
    weights, squares = defaultdict(float), defaultdict(lambda: 0.01)
    for _ in range(discriminator._STEPS):
        pull = defaultdict(float)
        for features in rows:
            score = sum((-1) ** (f & 1) * weights[f >> 1] for f in features)
            for f in features:
                pull[f >> 1] += (-1) ** (f & 1) / (1 + math.exp(score)) if f else 0.0
        for feature in list(weights):
            gradient = discriminator._PENALTY * weights[feature] - pull[feature]
            squares[feature] += gradient**2
            weights[feature] -= discriminator._LEARNING_RATE * gradient / squares[feature] ** 0.5
    return weights


def test_blocks_make_no_difference(monkeypatch):
    model = told(pairs())
    whole = model.preferences(everything(model))
    monkeypatch.setattr(discriminator, "_BLOCK", 7)
    assert np.array_equal(model.preferences(everything(model)), whole)


def test_a_pair_is_not_judged_by_its_group():
    model = told((f"word{i // 2} here", f"nord{i // 2} here", i // 2) for i in range(60))
    assert not model.preferences(everything(model)).any()


def test_only_chosen_pairs_judge_and_are_judged():
    found = list(pairs())
    chosen = np.arange(len(found)) % 3 > 0
    part = told([one for one, is_chosen in zip(found, chosen, strict=True) if is_chosen])
    preferences = told(found).preferences(chosen)
    assert np.array_equal(preferences, part.preferences(everything(part)))


def test_another_seed_deals_other_folds():
    groups = np.asarray(told(pairs())._groups)
    one, other = (discriminator._folds(groups, seed) for seed in (0, 1))
    assert set(one) == set(other) == set(range(5))
    assert 0.1 < np.mean(one == other) < 0.3


@pytest.mark.parametrize(
    ("caption", "other", "number"),
    [("a cat", "a cat", 0), ("", "", 0), ("", "a", 6), ("a cat sits", "a dog sits", 17)],
)
def test_only_what_differs_is_a_feature(caption, other, number):
    found = list(_differences(caption.split(), other.split()))
    assert found[0] == 0
    assert len(found) == len(set(found)) == 1 + number
    turned = list(_differences(other.split(), caption.split()))
    assert {f ^ 1 for f in found[1:]} == set(turned[1:])


def test_no_pairs_no_preferences():
    assert Discriminator().preferences(np.ones(0, bool)).shape == (0,)
