import json

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.jsonl import ErrorPolicy

WINOGROUND = {
    "id": 0,
    "image_0": "ex_0_img_0",
    "image_1": "ex_0_img_1",
    "caption_0": "an old person kisses a young person",
    "caption_1": "a young person kisses an old person",
    "tag": "Adjective-Age",
    "secondary_tag": "",
    "num_main_preds": 1,
    "collapsed_tag": "Object",
}
COLORSWAP = {
    "id": 0,
    "caption_1": "a red cup on a blue book",
    "caption_2": "a blue cup on a red book",
    "image_1": "images/img_0_1.png",
    "image_2": "images/img_0_2.png",
    "image_source": "midjourney",
    "caption_source": "human",
}


@pytest.fixture(autouse=True)
def images(folder):
    folder.image("ex_0_img_0.png", "ex_0_img_1.png", "images/img_0_1.png", "images/img_0_2.png")


def test_winoground_is_two_images_and_two_captions_with_its_tags(folder):
    folder.write("examples.jsonl", json.dumps(WINOGROUND) + "\n")
    (record,) = folder.read("winoground")
    assert record == {
        "id": "winoground/examples/1",
        "images": [f"{folder.images}/ex_0_img_{side}.png" for side in (0, 1)],
        "captions": [WINOGROUND["caption_0"], WINOGROUND["caption_1"]],
        "truth": [[0, 0], [1, 1]],
        "benchmark": "winoground",
        "subset": "examples",
        "tags": {"collapsed_tag": "Object", "tag": "Adjective-Age"},
    }


def test_colorswap_is_two_images_and_two_captions_with_its_sources(folder):
    folder.write("test.json", [COLORSWAP])
    (record,) = folder.read("colorswap")
    assert folder.names(record) == ["images/img_0_1.png", "images/img_0_2.png"]
    assert record["captions"] == [COLORSWAP["caption_1"], COLORSWAP["caption_2"]]
    assert record["tags"] == {"image_source": "midjourney", "caption_source": "human"}


def test_the_images_of_colorswap_may_lie_without_their_folder(folder):
    folder.image("img_1_1.png", "img_1_2.png")
    names = {f"image_{side}": f"images/img_1_{side}.png" for side in (1, 2)}
    folder.write("test.json", [{**COLORSWAP, **names}])
    assert folder.names(folder.read("colorswap")[0]) == ["img_1_1.png", "img_1_2.png"]


@pytest.mark.parametrize("name", ["caption_0", "caption_1", "image_0", "image_1"])
def test_a_missing_field_of_winoground_is_named(folder, name):
    item = {key: value for key, value in WINOGROUND.items() if key != name}
    folder.write("examples.jsonl", f"\n{json.dumps(item)}\n")
    with pytest.raises(InputError, match=f"examples.jsonl: item '2': missing field \"{name}\""):
        folder.read("winoground")


def test_a_broken_line_is_named_and_the_others_are_read(folder):
    folder.write("examples.jsonl", f"{{\n{json.dumps(WINOGROUND)}\n[]\n")
    errors = []
    policy = ErrorPolicy("skip", errors.append)
    assert len(folder.read("winoground", policy=policy)) == 1
    assert [str(error).partition(";")[0].partition("(")[0].strip() for error in errors] == [
        f"{folder.path}/examples.jsonl:1: broken JSON",
        f"{folder.path}/examples.jsonl:3: not a record",
    ]


def test_the_training_part_of_colorswap_is_no_official_file(folder):
    folder.write("train.json", [COLORSWAP])
    with pytest.raises(HnclipError, match=r"expected test\.json, or its folder"):
        folder.read("colorswap", folder.path / "train.json")
