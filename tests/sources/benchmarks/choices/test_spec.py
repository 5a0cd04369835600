import pytest

from hnclip_cli.errors import HnclipError, InputError

I2T = {"query": "images/0.jpg", "keys": ["one dog", "two dogs", "three dogs"], "label": 2}
T2I = {"query": "two dogs", "keys": ["images/0.jpg", "images/1.jpg"], "label": 1}


@pytest.fixture(autouse=True)
def images(folder):
    folder.image("count/images/0.jpg", "count/images/1.jpg", "existence/images/0.jpg")


def test_both_directions_of_a_subset(folder):
    folder.write("count/image2text.json", [I2T])
    folder.write("count/text2image.json", [T2I])
    i2t, t2i = folder.read("spec")
    assert (i2t["id"], t2i["id"]) == ("spec/count/i2t/0", "spec/count/t2i/0")
    assert (i2t["captions"], i2t["truth"]) == (I2T["keys"], [[0, 2]])
    assert (t2i["captions"], t2i["truth"]) == (["two dogs"], [[1, 0]])
    assert folder.names(t2i) == ["count/images/0.jpg", "count/images/1.jpg"]
    assert (i2t["tags"], t2i["tags"]) == ({"direction": "i2t"}, {"direction": "t2i"})


def test_one_file_is_known_by_the_folder_it_lies_in(folder):
    folder.write("existence/image2text.json", [I2T])
    (record,) = folder.read("spec", folder.path / "existence" / "image2text.json")
    assert record["subset"] == "existence"


def test_a_file_outside_of_a_subset_is_no_official_file(folder):
    folder.write("image2text.json", [I2T])
    with pytest.raises(HnclipError, match="no official file in this folder"):
        folder.read("spec")
    with pytest.raises(HnclipError, match="not an official file"):
        folder.read("spec", folder.path / "image2text.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 3}, 'field "label" is out of range; got 3, expected a whole number from 0 to 2'),
        ({"label": -1}, 'field "label" is out of range'),
        ({"label": 0.5}, 'field "label" is out of range'),
        ({"keys": []}, 'field "keys" is empty'),
        ({"query": "../0.jpg"}, "image leaves its folder"),
        ({"query": "images/9.jpg"}, "image not found"),
    ],
)
def test_a_bad_item_is_named(folder, change, message):
    folder.write("count/image2text.json", [{**I2T, **change}])
    with pytest.raises(InputError) as raised:
        folder.read("spec")
    assert str(raised.value).startswith(
        f"{folder.path}/count/image2text.json: item 'i2t/0': {message}"
    )
