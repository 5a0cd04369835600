"""Regions of images: what is read, and what of the image is left."""

import numpy as np
import pytest
from PIL import Image

from hnclip_cli.errors import InputError
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.regions import Region, only, regions_of


def record(regions, **fields):
    return Record({"image": "a.png", "caption": "x", "regions": regions} | fields, "x.jsonl", 2)


def test_a_region_has_a_box_and_words_or_a_role():
    given = [{"box": [1, 2, 3, 4.5], "text": " a dog ", "role": "subject"}, {"role": "relation"}]
    assert regions_of(record(given)) == [
        [Region((1, 2, 3, 4.5), "a dog", "subject"), Region(None, "", "relation")]
    ]
    assert regions_of(record(None)) == regions_of(record([])) == [[]]


def test_the_general_item_has_a_list_for_each_image():
    item = {"images": ["a", "b"], "captions": ["x"], "truth": [[0, 0]]}
    dog = {"box": [0, 0, 1, 1], "text": "dog"}
    assert regions_of(Record(item | {"regions": [None, [dog]]})) == [
        [], [Region((0, 0, 1, 1), "dog", "")],
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"wrong length; got 1, expected .* each of 2 images"):
        regions_of(Record(item | {"regions": [[dog]]}))


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ("x", 'field "regions" has the wrong type'),
        (["x"], "a region is not an object"),
        ([{"box": [0, 0, 0, 5], "text": "a"}], "a region has a bad box"),
        ([{"box": [0, 0, 5], "text": "a"}], "a region has a bad box"),
        ([{"box": "x", "text": "a"}], "a region has a bad box"),
        ([{"box": [0, 0, float("nan"), 5], "text": "a"}], "a region has a bad box"),
        ([{"box": [0, 0, 5, 5], "text": 3}], "text or role that is no string"),
        ([{"text": "a", "role": ["subject"]}], "text or role that is no string"),
        ([{"box": [0, 0, 5, 5]}], "a region has no words"),
        ([{"box": [0, 0, 5, 5], "role": "tail"}], "a region has no words"),
    ],
)
def test_malformed_regions_are_errors_of_one_line_that_name_the_record(regions, message):
    with pytest.raises(InputError, match=rf"^x\.jsonl:2: .*{message}"):
        regions_of(record(regions))


def test_what_lies_outside_of_the_boxes_is_black():
    pixels = np.random.default_rng(0).integers(1, 256, (20, 30, 3), np.uint8)
    image = Image.fromarray(pixels)
    boxes = [(-4, 2, 10.5, 5), (20, 15, 100, 100)]  # over the left, the right and the lower edge
    expected = np.zeros_like(pixels)
    expected[2:7, 0:7] = pixels[2:7, 0:7]
    expected[15:20, 20:30] = pixels[15:20, 20:30]
    np.testing.assert_array_equal(np.asarray(only(record([]), image, boxes)), expected)
    assert only(record([]), image, []) is image
    np.testing.assert_array_equal(np.asarray(only(record([]), image, [(0, 0, 30, 20)])), pixels)


@pytest.mark.parametrize("box", [(30, 0, 5, 5), (0, 20, 5, 5), (-9, 0, 9, 5), (0, -5.5, 5, 5.5)])
def test_a_box_outside_of_the_image_is_an_error(box):
    with pytest.raises(InputError, match=r"x\.jsonl:2: a region lies outside .* 30 x 20 pixels"):
        only(record([]), Image.new("RGB", (30, 20)), [box])
