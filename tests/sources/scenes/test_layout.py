import itertools
from collections import Counter

import pytest

from hnclip_cli.sources.scenes.captions import caption_of_alike
from hnclip_cli.sources.scenes.layout import (
    COLORS,
    COMBINATIONS,
    DIRECTIONS,
    SHAPES,
    STRAY,
    compose,
    compose_alike,
    is_held_out,
)
from hnclip_cli.sources.scenes.records import scene_rng

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


def lab(rgb):
    """CIE L*a*b* of an sRGB color, whose distances follow the eye's."""
    linear = [(v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4) for v in rgb]
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(a * b for a, b in zip(row, linear, strict=True)) for row in rows]
    fx, fy, fz = (
        (v / white) ** (1 / 3) if v / white > 0.00886 else 7.787 * v / white + 16 / 116
        for v, white in zip(xyz, (0.9505, 1.0, 1.089), strict=True)
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one, other):
    return sum((a - b) ** 2 for a, b in zip(lab(one), lab(other), strict=True)) ** 0.5


def test_any_two_colors_are_far_apart_for_the_eye():
    for one, other in itertools.combinations(COLORS, 2):
        assert difference(COLORS[one], COLORS[other]) > 35, (one, other)


def test_every_color_is_far_from_the_darkest_and_lightest_background():
    for color, background in itertools.product(COLORS, [(232,) * 3, (255,) * 3, (255, 255, 232)]):
        assert difference(COLORS[color], background) > 30, (color, background)


def test_a_quarter_of_the_combinations_is_held_out():
    assert len(COMBINATIONS["test"]) * 4 == len(COLORS) * len(SHAPES)


def test_the_splits_share_no_combination_and_miss_none():
    train, test = map(set, (COMBINATIONS["train"], COMBINATIONS["test"]))
    assert train | test == set(itertools.product(COLORS, SHAPES))
    assert not train & test


def test_every_color_and_every_shape_appears_in_training():
    colors, shapes = (set(words) for words in zip(*COMBINATIONS["train"], strict=True))
    assert (colors, shapes) == (set(COLORS), set(SHAPES))


def test_exchanging_the_colors_of_test_objects_gives_test_objects():
    for (color, shape), (other_color, other_shape) in itertools.product(
        COMBINATIONS["test"], repeat=2
    ):
        assert is_held_out(color, other_shape)
        assert is_held_out(other_color, shape)


@pytest.mark.parametrize("split", ["train", "test"])
def test_alike_things_differ_in_their_places_alone_and_captions_count_them(split):
    numbers = Counter()
    for index in range(500):
        rng = scene_rng(0, split, index)
        scene = compose_alike(rng, split)
        assert len({(thing.color, thing.shape, thing.size) for thing in scene.things}) == 1
        for one, other in itertools.combinations(scene.things, 2):
            assert max(abs(one.x - other.x), abs(one.y - other.y)) > one.width + 0.03
        assert all(thing.width / 2 < x < 1 - thing.width / 2
                   for thing in scene.things for x in (thing.x, thing.y))  # fmt: skip
        word = {2: "two", 3: "three", 4: "four"}[len(scene.things)]
        thing = scene.things[0]
        assert f"{word} {thing.color} {thing.shape}" in caption_of_alike(rng, scene).lower()
        numbers[word] += 1
    assert min(numbers.values()) > 130
