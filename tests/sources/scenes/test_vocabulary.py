import itertools

from hnclip_cli.sources.scenes.vocabulary import COLORS, COMBINATIONS, SHAPES, is_held_out


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
