import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.models import zero_shot


def prompts(classes):
    return [[f"a photo of a {name}.", f"art of the {name}."] for name in classes]


@pytest.fixture(autouse=True)
def images(folder, monkeypatch):
    monkeypatch.setattr(zero_shot, "class_prompts", lambda classes, templates: prompts(classes))
    folder.image("tabby_cat/2.jpg", "tabby_cat/1.jpg", "tabby_cat/.hidden", "dog/1.jpg")


def test_an_image_meets_the_prompts_of_all_classes_and_its_own_are_true(folder):
    records = folder.read("imagefolder", folder.images)
    assert [record["id"] for record in records] == [
        "imagefolder/images/dog/1.jpg",
        "imagefolder/images/tabby_cat/1.jpg",
        "imagefolder/images/tabby_cat/2.jpg",
    ]
    cat = records[1]
    assert cat["captions"] == [prompt for name in prompts(["dog", "tabby_cat"]) for prompt in name]
    assert cat["truth"] == [[0, 2], [0, 3]]
    assert cat["prompts_per_class"] == 2
    assert (cat["subset"], cat["tags"]) == ("images", {"class": "tabby_cat"})


def test_a_json_file_names_the_classes(folder):
    folder.write("classes.json", {"tabby_cat": "striped cat"})
    records = folder.read("imagefolder", folder.path / "classes.json")
    assert [record["captions"][0] for record in records] == ["a photo of a striped cat."] * 2


def test_classes_of_the_same_prompts_are_one(folder):
    folder.image("DOG/9.jpg")
    records = folder.read("imagefolder", folder.images)
    truths = {record["id"].split("/")[2]: record["truth"] for record in records}
    both = [[0, 0], [0, 1], [0, 2], [0, 3]]
    assert truths == {"DOG": both, "dog": both, "tabby_cat": [[0, 4], [0, 5]]}
    assert folder.notes == [
        f"{folder.images}: classes with the same prompts count as one class: a photo of a DOG."
    ]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({}, "no class; expected one folder a class"),
        ({"dog": 5}, "not a class name; got 5 for 'dog', expected some text"),
        ({"dog": " "}, "not a class name"),
        ({"horse": "horse"}, "no folder for the class 'horse'"),
        ({"../official": "x"}, "class folder leaves its folder"),
        ([], "got a JSON list"),
    ],
)
def test_bad_classes_are_named(folder, classes, message):
    folder.write("classes.json", classes)
    with pytest.raises(HnclipError) as raised:
        folder.read("imagefolder", folder.path / "classes.json")
    assert message in str(raised.value)


def test_a_folder_without_folders_has_no_class(folder):
    with pytest.raises(HnclipError, match="no class"):
        folder.read("imagefolder", folder.path)


def test_a_folder_among_the_images_of_a_class_is_named(folder):
    folder.image("dog/more/3.jpg")
    with pytest.raises(HnclipError, match="item 'dog/more': image not found"):
        folder.read("imagefolder", folder.images)
