import itertools
from collections import Counter

import pytest

from hnclip_cli.sources.scenes.layout import STRAY, compose
from hnclip_cli.sources.scenes.records import scene_rng
from hnclip_cli.sources.scenes.vocabulary import COMBINATIONS, DIRECTIONS, is_held_out

NUM_SCENES = 3000


@pytest.fixture(scope="module")
def scenes():
    return {
        split: [compose(scene_rng(0, split, i), split) for i in range(NUM_SCENES)]
        for split in ("train", "test")
    }


@pytest.fixture(params=["train", "test"])
def split_scenes(request, scenes):
    return scenes[request.param]


def shares(values):
    counts = Counter(values)
    return {key: count / counts.total() for key, count in counts.items()}


def test_train_never_shows_a_held_out_combination_and_test_nothing_else(scenes):
    for split, composed in scenes.items():
        for thing in (thing for scene in composed for thing in scene.things):
            assert is_held_out(thing.color, thing.shape) == (split == "test")


def test_scenes_have_one_to_three_objects_in_the_documented_shares(scenes):
    train = shares(len(scene.things) for scene in scenes["train"])
    test = shares(len(scene.things) for scene in scenes["test"])
    assert train == pytest.approx({1: 0.25, 2: 0.55, 3: 0.2}, abs=0.03)
    assert test == pytest.approx({1: 0.1, 2: 0.5, 3: 0.4}, abs=0.03)


def test_sizes_and_directions_are_even(split_scenes):
    sizes = shares(thing.size for scene in split_scenes for thing in scene.things)
    assert sizes == pytest.approx({"small": 0.5, "large": 0.5}, abs=0.03)
    directions = shares(direction for scene in split_scenes for direction in scene.directions)
    assert directions == pytest.approx(dict.fromkeys(DIRECTIONS, 0.25), abs=0.03)


def test_all_combinations_of_a_split_are_about_as_frequent(scenes):
    for split, composed in scenes.items():
        things = shares((thing.color, thing.shape) for scene in composed for thing in scene.things)
        even = 1 / len(COMBINATIONS[split])
        assert set(things) == set(COMBINATIONS[split])
        assert 0.7 * even < min(things.values()) < max(things.values()) < 1.4 * even


def test_no_two_objects_are_alike_and_most_pairs_differ_in_color_and_shape(split_scenes):
    differ_in_both = []
    for scene in split_scenes:
        for one, other in itertools.combinations(scene.things, 2):
            colors, shapes = one.color != other.color, one.shape != other.shape
            assert colors or shapes
            assert (colors and shapes) or len(scene.things) == 2
            if len(scene.things) == 2:
                differ_in_both.append(colors and shapes)
    assert sum(differ_in_both) / len(differ_in_both) == pytest.approx(0.8, abs=0.04)


def test_objects_lie_inside_the_image_and_clear_of_each_other(split_scenes):
    for scene in split_scenes:
        for thing in scene.things:
            for center in (thing.x, thing.y):
                assert 0.02 < center - thing.width / 2 < center + thing.width / 2 < 0.98
        for one, other in itertools.combinations(scene.things, 2):
            distance = max(abs(one.x - other.x), abs(one.y - other.y))
            assert distance - (one.width + other.width) / 2 > 0.04


def test_every_relation_holds_along_its_axis(split_scenes):
    for scene in split_scenes:
        hub = scene.things[0]
        for thing, direction in zip(scene.things[1:], scene.directions, strict=True):
            right, down = DIRECTIONS[direction]
            along = (thing.x - hub.x) * right + (thing.y - hub.y) * down
            off = (thing.x - hub.x) * down + (thing.y - hub.y) * right
            assert along > 0.2
            assert abs(off) < (STRAY + 0.01) * along


def test_large_objects_are_half_as_large_again_as_small_ones(split_scenes):
    things = [thing for scene in split_scenes for thing in scene.things]
    widths = {size: [t.width for t in things if t.size == size] for size in ("small", "large")}
    assert min(widths["large"]) > 1.5 * max(widths["small"])


def test_three_objects_lie_in_a_corner_never_in_a_row(split_scenes):
    for scene in (scene for scene in split_scenes if len(scene.things) == 3):
        sideways = [direction in ("left", "right") for direction in scene.directions]
        assert sorted(sideways) == [False, True]


@pytest.mark.parametrize("most", [1, 2])
def test_scenes_can_be_kept_to_fewer_objects(most):
    counts = {len(compose(scene_rng(0, "test", i), "test", most).things) for i in range(200)}
    assert counts == set(range(1, most + 1))
