import pytest

from hnclip_cli.errors import InputError


def item(subset, ending="png", **change):
    return {
        "image0": f"{subset}/v/0.{ending}",
        "image1": f"{subset}/v/1.{ending}",
        "caption0": "a person opens a door",
        "caption1": "a person closes a door",
    } | change


SUBSETS = {
    "eqbenag": "png",
    "eqbenyoucook2": "npy",
    "eqbengebc": "png",
    "eqbenkubric_cnt": "png",
    "eqbensd": "png",
}


@pytest.fixture(autouse=True)
def images(folder):
    for subset, ending in SUBSETS.items():
        folder.image(f"{subset}/v/0.{ending}", f"{subset}/v/1.{ending}")


def test_the_folder_of_the_images_is_the_subset(folder):
    folder.write("private_info_global.json", [item(*pair) for pair in SUBSETS.items()])
    records = folder.read("eqben")
    assert [record["subset"] for record in records] == list(SUBSETS)
    assert records[1]["images"][0] == f"{folder.images}/eqbenyoucook2/v/0.npy"
    assert all(record["truth"] == [[0, 0], [1, 1]] for record in records)


def test_of_several_captions_the_first_is_taken(folder):
    several = item("eqbenag", caption0=["first", "second"], caption1=["other"])
    folder.write("private_info_global.json", [several])
    assert folder.read("eqben")[0]["captions"] == ["first", "other"]


def test_annotations_by_video_and_subject_hold_the_same_items(folder):
    folder.write(
        "eqben_subset_10percent_final.json",
        {"video": {"subject": [item("eqbenag"), item("eqbenag")]}, "other": [item("eqbengebc")]},
    )
    assert [record["id"] for record in folder.read("eqben")] == [
        "eqben/eqbenag/video/subject/0",
        "eqben/eqbenag/video/subject/1",
        "eqben/eqbengebc/other/0",
    ]


def test_the_images_of_the_lighter_release_are_found(folder):
    folder.image("eqbenkubric_loc/v/0.jpg", "eqbenkubric_loc/v/1.jpg")
    folder.write("all_select.json", [item("eqbenkubric_loc")])
    assert folder.names(folder.read("eqben")[0]) == [
        "eqbenkubric_loc/v/0.jpg",
        "eqbenkubric_loc/v/1.jpg",
    ]


def test_the_full_annotation_is_read_before_parts_of_it(folder):
    folder.write("all_select.json", [])
    folder.write("private_info_global.json", [item("eqbensd")])
    assert len(folder.read("eqben")) == 1
    assert folder.notes == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([5], "item '0': not an item; got 5, expected an object"),
        ({"v": "x"}, "item 'v': not an item"),
        ([item("eqbenag", caption0=[])], "item '0': field \"caption0\" is empty"),
        ([item("eqbenag", caption1=7)], "item '0': field \"caption1\" has the wrong type"),
        ([{"image0": 5}], "item '0': field \"image0\" has the wrong type"),
        ([item("eqbenag", image1="/dev/null")], "item '0': image leaves its folder"),
        ([item("gone")], "item '0': image not found"),
    ],
)
def test_a_bad_item_is_named(folder, content, message):
    folder.write("all_select.json", content)
    with pytest.raises(InputError) as raised:
        folder.read("eqben")
    assert str(raised.value).startswith(f"{folder.path}/all_select.json: {message}")
