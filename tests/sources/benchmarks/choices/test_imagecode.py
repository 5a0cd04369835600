import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.streams.jsonl import ErrorPolicy

STATIC, VIDEO = "open-images-1815_f91d", "MSR-VTT-videoTestVideo_video7016-shot1_2"
NUMBERS = [0, 2, 5, 7, 11, 12, 20, 33, 41, 100]


@pytest.fixture(autouse=True)
def image_sets(folder):
    for name in (STATIC, VIDEO):
        folder.image(*(f"{name}/img{number}.jpg" for number in NUMBERS))


def test_the_index_counts_images_by_number_and_not_by_name(folder):
    folder.write("valid_data.json", {VIDEO: {"4": "A bowl. "}})
    (record,) = folder.read("imagecode")
    assert folder.names(record) == [f"{VIDEO}/img{number}.jpg" for number in NUMBERS]
    assert record["truth"] == [[4, 0]]
    assert record["captions"] == ["A bowl. "]


def test_each_description_is_a_record_of_its_group(folder):
    folder.write("valid_data.json", {STATIC: {"5": "A deer", "9": "A horn"}, VIDEO: {"0": "Hands"}})
    records = folder.read("imagecode")
    assert [record["id"].removeprefix("imagecode/") for record in records] == [
        f"static/{STATIC}/5",
        f"static/{STATIC}/9",
        f"video/{VIDEO}/0",
    ]
    assert records[0]["group"] == records[1]["group"] != records[2]["group"]
    assert [record["tags"]["type"] for record in records] == ["static", "static", "video"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({STATIC: "text"}, f"item '{STATIC}': not an item"),
        ({STATIC: {"10": "x"}}, f"item '{STATIC}/10': field \"index\" is out of range"),
        ({STATIC: {"one": "x"}}, f"item '{STATIC}/one': field \"index\" is no number"),
        ({STATIC: {"1": 5}}, f"item '{STATIC}/1': field \"caption\" has the wrong type"),
        ({"gone": {"1": "x"}}, "item 'gone/1': image not found; got 0 files img*.jpg in"),
        ({"../images": {"1": "x"}}, "item '../images/1': image folder leaves its folder"),
        ({"a\0b": {"1": "x"}}, "item 'a\\x00b/1': image not found"),
    ],
)
def test_a_bad_item_is_named(folder, content, message):
    folder.write("valid_data.json", content)
    with pytest.raises(InputError) as raised:
        folder.read("imagecode")
    assert str(raised.value).startswith(f"{folder.path}/valid_data.json: {message}")


def test_a_set_with_an_image_missing_is_skipped_and_counted(folder):
    (folder.images / STATIC / "img7.jpg").unlink()
    folder.write("valid_data.json", {STATIC: {"1": "x", "2": "y"}, VIDEO: {"1": "z"}})
    errors = []
    policy = ErrorPolicy("skip", errors.append)
    assert len(folder.read("imagecode", policy=policy)) == 1
    assert policy.num_skipped == 2
    assert "images are missing; got 9 files" in str(errors[0])
