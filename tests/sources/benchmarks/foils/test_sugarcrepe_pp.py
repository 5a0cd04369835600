import pytest

from hnclip_cli.errors import HnclipError, InputError

ITEM = {
    "id": 7,
    "filename": "1.jpg",
    "caption": "a dog chases a cat ",
    "caption2": "a cat is chased by a dog",
    "negative_caption": "a cat chases a dog",
}


@pytest.fixture(autouse=True)
def photograph(folder):
    folder.image("1.jpg")


def test_both_captions_are_true_and_the_negative_is_not(folder):
    folder.write("swap_obj.json", [ITEM])
    (record,) = folder.read("sugarcrepe-pp")
    assert record == {
        "id": "sugarcrepe-pp/swap_obj/0",
        "images": [f"{folder.images}/1.jpg"],
        "captions": [ITEM["caption"], ITEM["caption2"], ITEM["negative_caption"]],
        "truth": [[0, 0], [0, 1]],
        "group": f"{folder.images}/1.jpg",
        "benchmark": "sugarcrepe-pp",
        "subset": "swap_obj",
    }


def test_there_are_five_files_and_none_that_adds(folder):
    folder.write("swap_obj.json", [ITEM])
    folder.write("add_obj.json", [ITEM])
    assert len(folder.read("sugarcrepe-pp")) == 1
    assert "4 of the 5 official files are not there" in folder.notes[0]


@pytest.mark.parametrize("name", [name for name in ITEM if name != "id"])
def test_a_missing_field_is_named(folder, name):
    folder.write("swap_att.json", [ITEM, {**ITEM, name: None}])
    with pytest.raises(InputError, match=f"swap_att.json: item '1': field \"{name}\""):
        folder.read("sugarcrepe-pp")


def test_an_object_instead_of_a_list_is_no_official_file(folder):
    folder.write("swap_att.json", {"0": ITEM})
    with pytest.raises(HnclipError, match="got a JSON dict, expected a list"):
        folder.read("sugarcrepe-pp")
