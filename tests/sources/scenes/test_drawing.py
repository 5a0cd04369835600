import itertools

import numpy as np
import pytest
from PIL import Image

from hnclip_cli.sources.scenes.drawing import background_of, draw
from hnclip_cli.sources.scenes.layout import COLORS, SHAPES, SIZES, Scene, Thing, compose
from hnclip_cli.sources.scenes.records import scene_rng

WHITE = (255, 255, 255)


def one_thing(shape, color="black", size="small"):
    return Scene((Thing(color, shape, size, 0.5, 0.5, SIZES[size]),), ())


def coverage(shape, size="large", image_size=64):
    """How much of each pixel a shape covers, 0 to 1."""
    pixels = np.asarray(draw(one_thing(shape, size=size), WHITE, image_size), dtype=float)[..., 0]
    return (255 - pixels) / (255 - COLORS["black"][0])


@pytest.mark.parametrize("image_size", [48, 64])
@pytest.mark.parametrize("size", SIZES)
def test_any_two_shapes_of_a_size_differ_in_a_fifth_of_their_pixels(size, image_size):
    for one, other in itertools.combinations(SHAPES, 2):
        first, second = (coverage(shape, size, image_size) for shape in (one, other))
        union = np.maximum(first, second).sum()
        assert np.abs(first - second).sum() / union > 0.2, (one, other)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_shape_covers_more_than_twice_the_area_of_a_small_one(shape):
    assert coverage(shape, "large").sum() > 2 * coverage(shape, "small").sum()


def test_edges_are_smooth():
    assert len(np.unique(coverage("circle"))) > 8


@pytest.mark.parametrize("image_size", [32, 64, 224])
def test_objects_are_drawn_where_the_scene_says_in_their_color(image_size):
    for index in range(100):
        scene = compose(scene_rng(0, "train", index), "train")
        image = np.asarray(draw(scene, WHITE, image_size))
        for thing in scene.things:
            exact = (image == COLORS[thing.color]).all(axis=-1)
            rows, columns = np.nonzero(exact)
            near = (abs(rows / image_size - thing.y) < thing.width / 2 + 0.04) & (
                abs(columns / image_size - thing.x) < thing.width / 2 + 0.04
            )
            assert near.any()
            if sum(other.color == thing.color for other in scene.things) == 1:
                assert near.all()


def test_an_image_is_rgb_of_the_asked_size():
    image = draw(one_thing("star"), WHITE, 100)
    assert (image.mode, image.size) == ("RGB", (100, 100))
    assert isinstance(image, Image.Image)


def test_backgrounds_are_light_and_varied():
    tints = {background_of(scene_rng(0, "train", index)) for index in range(200)}
    assert len(tints) > 150
    assert min(min(tint) for tint in tints) >= 232
