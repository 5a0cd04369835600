import pytest

from hnclip_cli.errors import HnclipError, InputError

BLIP = [
    {"image": "val2014/COCO_val2014_000000391895.jpg", "caption": ["A man. ", "A moped."]},
    {"image": "val2014/COCO_val2014_000000000042.jpg", "caption": ["A shoe"]},
]
KARPATHY = {
    "dataset": "coco",
    "images": [
        {
            "filepath": "val2014",
            "filename": "COCO_val2014_000000391895.jpg",
            "split": "test",
            "sentences": [{"raw": "A man. "}, {"raw": "A moped."}],
        },
        {"filepath": "train2014", "filename": "x.jpg", "split": "train", "sentences": []},
        {
            "filepath": "val2014",
            "filename": "COCO_val2014_000000000042.jpg",
            "split": "test",
            "sentences": [{"raw": "A shoe"}],
        },
    ],
}
FLICKR = {
    "dataset": "flickr30k",
    "images": [{"filename": "36979.jpg", "split": "test", "sentences": [{"raw": "A group"}]}],
}


@pytest.fixture
def photographs(folder):
    folder.image(*(f"val2014/COCO_val2014_{number:012d}.jpg" for number in (391895, 42)))


def test_each_caption_of_an_image_is_a_record_in_the_official_order(folder, photographs):
    folder.write("coco_karpathy_test.json", BLIP)
    records = folder.read("coco-retrieval")
    assert [(record["id"], record["caption"]) for record in records] == [
        ("coco-retrieval/test/0/0", "A man. "),
        ("coco-retrieval/test/0/1", "A moped."),
        ("coco-retrieval/test/1/0", "A shoe"),
    ]
    assert records[0]["image"] == records[1]["image"] != records[2]["image"]
    assert "negatives" not in records[0]


def test_the_authors_own_file_gives_the_same_captions_of_the_test_part_alone(folder, photographs):
    folder.write("coco_karpathy_test.json", BLIP)
    from_blip = folder.read("coco-retrieval")
    (folder.path / "coco_karpathy_test.json").unlink()
    folder.write("dataset_coco.json", KARPATHY)
    from_karpathy = folder.read("coco-retrieval")
    assert [(r["image"], r["caption"]) for r in from_karpathy] == [
        (r["image"], r["caption"]) for r in from_blip
    ]


def test_flickr30k_in_both_forms(folder):
    folder.image("36979.jpg")
    folder.write("dataset_flickr30k.json", FLICKR)
    (record,) = folder.read("flickr30k-retrieval")
    folder.write(
        "flickr30k_test.json", [{"image": "flickr30k-images/36979.jpg", "caption": ["A group"]}]
    )
    (other,) = folder.read("flickr30k-retrieval")
    assert folder.names(record) == folder.names(other) == ["36979.jpg"]


@pytest.mark.parametrize("place", ["COCO_val2014_000000391895.jpg", "000000391895.jpg"])
def test_a_coco_image_may_lie_without_its_folder_or_under_its_2017_name(folder, place):
    folder.image(place)
    folder.write("coco_karpathy_test.json", BLIP[:1])
    assert folder.names(folder.read("coco-retrieval")[0]) == [place]


COCO_42 = {"split": "test", "filepath": "val2014", "filename": "COCO_val2014_000000000042.jpg"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (5, "item '0': not an item"),
        ({}, "item '0': missing field"),
        ({"image": "a.jpg", "caption": "x"}, "item '0': field \"caption\" has the wrong type"),
        ({"image": "../a.jpg", "caption": ["x"]}, "item '0/0': image leaves its folder"),
        ({**BLIP[0], "caption": [5]}, "item '0/0': field \"caption\" has the wrong type"),
        ({**COCO_42, "sentences": 5}, "item '0': field \"sentences\" has the wrong type"),
        ({**COCO_42, "sentences": ["raw"]}, "item '0/0': field \"caption\" has the wrong type"),
        ({**COCO_42, "filepath": "/etc", "sentences": [{"raw": "x"}]}, "image leaves its folder"),
    ],
)
def test_a_bad_entry_is_named(folder, photographs, entry, message):
    folder.write("coco_karpathy_test.json", [entry])
    with pytest.raises(InputError) as raised:
        folder.read("coco-retrieval")
    assert message in str(raised.value)


@pytest.mark.parametrize("content", [{}, {"images": 5}, 5])
def test_another_form_is_no_official_file(folder, content):
    folder.write("dataset_coco.json", content)
    with pytest.raises(HnclipError, match=r"dataset_coco\.json: not an official file"):
        folder.read("coco-retrieval")
