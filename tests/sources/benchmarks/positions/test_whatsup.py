import pytest

from hnclip_cli.errors import InputError

A, B = "controlled_images_dataset.json", "controlled_clevr_dataset.json"
RELATIONS = ("left_of", "right_of", "on", "under")


def photograph(relation, folder="controlled_images"):
    options = [f"A mug {word.replace('_', ' ')} a plate" for word in RELATIONS]
    return {
        "image_path": f"data/{folder}/mug_{relation}_plate.jpeg",
        "caption_options": sorted(options, key=lambda text: relation.replace("_", " ") not in text),
    }


def test_the_first_option_is_true_and_tags_name_relation_and_set(folder):
    folder.image(*(f"controlled_images/mug_{relation}_plate.jpeg" for relation in RELATIONS))
    folder.write(A, [photograph(relation) for relation in RELATIONS])
    records = folder.read("whatsup")
    assert records[0]["caption"] == "A mug left of a plate"
    assert len(records[0]["negatives"]) == 3
    assert [record["tags"] for record in records] == [
        {"relation": relation, "set": "mug_plate"} for relation in ("left", "right", "on", "under")
    ]


def test_in_front_is_one_relation_and_images_may_lie_without_their_folder(folder):
    folder.image("mug_in-front_of_plate.jpeg")
    folder.write(B, [photograph("in-front_of", "controlled_clevr")])
    assert folder.read("whatsup")[0]["tags"]["relation"] == "in-front"


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("coco_qa_one_obj.json", "val2017/000000000042.jpg"),
        ("coco_qa_two_obj.json", "000000000042.jpg"),
        ("vg_qa_one_obj.json", "vg_images/42.jpg"),
        ("vg_qa_two_obj.json", "42.jpg"),
    ],
)
def test_natural_images_are_found_by_their_number(folder, file, place):
    folder.image(place)
    folder.write(file, [["42", "A dog on the left", "A dog on the right"]])
    (record,) = folder.read("whatsup")
    assert folder.names(record) == [place]
    assert record["negatives"][0]["caption"] == "A dog on the right"
    assert "tags" not in record
    assert "5 of the 6 official files are not there" in folder.notes[0]


@pytest.mark.parametrize(
    ("file", "entry", "message"),
    [
        ("vg_qa_one_obj.json", ["42", "x"], "not an item"),
        ("vg_qa_one_obj.json", ["../42", "x", "y"], 'field "image_id" is no number'),
        ("vg_qa_one_obj.json", [42, "x", None], 'field "caption_options" holds something else'),
        (A, {**photograph("on"), "caption_options": ["x"]}, "holds no negative"),
        (A, {**photograph("on"), "image_path": "data/mug.jpeg"}, "image name says no relation"),
        (A, {**photograph("on"), "image_path": "data/../x_on_y.jpeg"}, "image leaves its folder"),
    ],
)
def test_a_bad_entry_is_named(folder, file, entry, message):
    folder.image("42.jpg", "mug.jpeg")
    folder.write(file, [entry])
    with pytest.raises(InputError) as raised:
        folder.read("whatsup")
    assert str(raised.value).startswith(f"{folder.path}/{file}: item '0': ")
    assert message in str(raised.value)
