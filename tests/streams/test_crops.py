import pytest
from PIL import Image

from hnclip_cli.errors import InputError
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.records import Record


@pytest.fixture
def photograph(tmp_path):
    """A name; the pixel at (x, y) has the color (x, y, 0)."""
    image = Image.new("RGB", (6, 4))
    image.putdata([(x, y, 0) for y in range(4) for x in range(6)])
    image.save(tmp_path / "a.png")
    return tmp_path


def load(folder, fields, name="a.png"):
    return load_image(Record(fields, "x.jsonl", 4), name, str(folder))


def test_a_record_without_crops_shows_the_whole_image(photograph):
    assert load(photograph, {"image": "a.png"}).size == (6, 4)
    assert load(photograph, {"image": "a.png", "crops": [None]}).size == (6, 4)


def test_a_crop_is_left_top_width_height_in_pixels(photograph):
    crop = load(photograph, {"image": "a.png", "crops": [[2, 1, 3, 2]]})
    assert crop.size == (3, 2)
    assert (crop.getpixel((0, 0)), crop.getpixel((2, 1))) == ((2, 1, 0), (4, 2, 0))


def test_each_image_of_a_record_has_its_own_crop(photograph):
    (photograph / "b.png").write_bytes((photograph / "a.png").read_bytes())
    fields = {"images": ["a.png", "b.png"], "captions": ["x"], "crops": [None, [0, 0, 1, 2]]}
    assert load(photograph, fields).size == (6, 4)
    assert load(photograph, fields, "b.png").size == (1, 2)


def test_beyond_the_image_a_crop_is_black(photograph):
    crop = load(photograph, {"image": "a.png", "crops": [[5, -1, 3, 3]]})
    assert crop.size == (3, 3)
    assert crop.getpixel((0, 0)) == crop.getpixel((1, 1)) == (0, 0, 0)
    assert crop.getpixel((0, 2)) == (5, 1, 0)


@pytest.mark.parametrize("box", [[6, 0, 2, 2], [0, 4, 1, 1], [-3, 0, 3, 1], [0, 0, 16000, 16000]])
def test_a_crop_that_shows_nothing_or_far_too_much_is_an_error(photograph, box):
    with pytest.raises(InputError, match=r"x\.jsonl:4: a crop does not fit its image; got left"):
        load(photograph, {"image": "a.png", "crops": [box]})


@pytest.mark.parametrize(
    "box",
    [5, "0,0,1,1", [0, 0, 1], [0, 0, 0, 1], [0, 0, 1, -1], [0, 0, True, 1], [0, 0, "1", 1],
     [0, 0, 1e300, 1], {}],
)  # fmt: skip
def test_a_malformed_box_is_an_error(photograph, box):
    with pytest.raises(InputError, match='field "crops" has a bad box'):
        load(photograph, {"image": "a.png", "crops": [box]})


@pytest.mark.parametrize("crops", [[], [None, None]])
def test_crops_must_be_as_many_as_the_images(photograph, crops):
    with pytest.raises(InputError, match=r'"crops" has the wrong length; .* each of 1 images'):
        load(photograph, {"image": "a.png", "crops": crops})


def test_one_image_cannot_have_two_crops(photograph):
    fields = {"images": ["a.png"] * 2, "captions": ["x"], "crops": [[0, 0, 1, 1], [1, 1, 1, 1]]}
    with pytest.raises(InputError, match="one box an image"):
        load(photograph, fields)


def test_a_narrow_crop_is_refused(photograph):
    with pytest.raises(InputError, match="a crop is too narrow; got 3001 x 1 pixels, expected"):
        load(photograph, {"image": "a.png", "crops": [[-1500, 1, 3001, 1]]})
