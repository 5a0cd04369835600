import pytest

from hnclip_cli.errors import InputError

ITEM = {
    "dataset": "SWiG",
    "linguistic_phenomena": "actions",
    "image_file": "exercising_255.jpg",
    "caption": "A man exercises his torso.",
    "foil": "A torso exercises for a man.",
    "mturk": {"foil": 0, "caption": 3, "other": 0},
}


def with_votes(votes):
    return {**ITEM, "mturk": {**ITEM["mturk"], "caption": votes}}


def test_only_items_that_two_annotators_confirmed_count(folder):
    folder.image("exercising_255.jpg")
    folder.write("actant-swap.json", {str(votes): with_votes(votes) for votes in range(4)})
    records = folder.read("valse")
    assert [record["id"] for record in records] == ["valse/actant-swap/2", "valse/actant-swap/3"]
    assert records[0]["tags"] == {"phenomenon": "actions"}
    assert records[0]["negatives"][0]["kind"] == "actant-swap"


def test_an_item_that_does_not_count_needs_no_image(folder):
    folder.write("actant-swap.json", {"1": with_votes(1)})
    assert folder.read("valse") == []


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("exercising_255.jpg", "swig/exercising_255.jpg"),
        ("v7w_1.jpg", "visual7w/v7w_1.jpg"),
        ("000000263966.jpg", "val2017/000000263966.jpg"),
        ("COCO_val2014_000000293802.jpg", "val2014/COCO_val2014_000000293802.jpg"),
        ("COCO_train2014_000000357810.jpg", "000000357810.jpg"),
        ("VisualDialog_val2018_1.jpg", "VisualDialog_val2018/VisualDialog_val2018_1.jpg"),
    ],
)
def test_the_images_of_each_source_may_lie_in_their_own_folder(folder, file, place):
    folder.image(place)
    folder.write("existence.json", {"a": {**ITEM, "image_file": file}})
    assert folder.names(folder.read("valse")[0]) == [place]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mturk": 3}, 'field "mturk" has the wrong type'),
        ({"mturk": {}}, 'missing field "caption"'),
        ({"mturk": {"caption": "many"}}, 'field "caption" is no number'),
        ({"foil": ["x"]}, 'field "foil" has the wrong type'),
        ({"linguistic_phenomena": ""}, 'field "linguistic_phenomena" is empty'),
        ({"image_file": "gone.jpg"}, "image not found; got"),
    ],
)
def test_a_bad_item_is_named(folder, change, message):
    folder.image("exercising_255.jpg")
    folder.write("plurals.json", {"plurals:1": {**ITEM, **change}})
    with pytest.raises(InputError) as raised:
        folder.read("valse")
    assert str(raised.value).startswith(f"{folder.path}/plurals.json: item 'plurals:1': {message}")
