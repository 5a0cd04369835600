import json

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.sources.benchmarks import read_benchmark
from hnclip_cli.sources.benchmarks.foils import SUGARCREPE_FILES
from hnclip_cli.streams.edits import apply_edits
from hnclip_cli.streams.jsonl import ErrorPolicy

ITEM = {
    "filename": "1.jpg",
    "caption": "a dog chases a cat ",
    "negative_caption": "a cat chases a dog.",
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").touch()
    return tmp_path


def read(folder, name, items, policy=None):
    (folder / name).write_text(json.dumps(items))
    path, images = str(folder / name), str(folder / "images")
    return list(read_benchmark("sugarcrepe", path, images, policy=policy))


def test_an_item_becomes_a_record_with_captions_as_published(folder):
    assert read(folder, "swap_obj.json", {"14": ITEM}) == [
        {
            "id": "sugarcrepe/swap_obj/14",
            "image": f"{folder}/images/1.jpg",
            "caption": "a dog chases a cat ",
            "negatives": [
                {
                    "caption": "a cat chases a dog.",
                    "kind": "swap-obj",
                    "edits": [(2, 19, "cat chases a dog.")],
                }
            ],
            "benchmark": "sugarcrepe",
            "subset": "swap_obj",
        }
    ]


def test_a_negative_that_equals_its_caption_counts_and_has_no_edits(folder):
    item = {**ITEM, "negative_caption": ITEM["caption"]}
    assert read(folder, "add_att.json", {"1": item})[0]["negatives"][0]["edits"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"caption": 5}, 'field "caption" has the wrong type'),
        ({"caption": " "}, 'field "caption" is empty'),
        ({"negative_caption": None}, 'field "negative_caption" has the wrong type'),
        ({"filename": ["1.jpg"]}, 'field "filename" has the wrong type'),
        ({"filename": "2.jpg"}, "image not found"),
    ],
)
def test_a_bad_item_names_file_and_key(folder, change, message):
    with pytest.raises(InputError, match=f"add_obj.json: item '9': {message}"):
        read(folder, "add_obj.json", {"9": {**ITEM, **change}})


@pytest.mark.parametrize("field", ITEM)
def test_a_missing_field_is_named(folder, field):
    item = {name: value for name, value in ITEM.items() if name != field}
    with pytest.raises(InputError, match=f"item '9': missing field \"{field}\""):
        read(folder, "add_obj.json", {"9": item})


def test_skipping_keeps_the_other_items(folder):
    policy = ErrorPolicy("skip")
    records = read(folder, "swap_att.json", {"1": ITEM, "2": {}, "3": ITEM}, policy)
    assert [record["id"][-1] for record in records] == ["1", "3"]
    assert policy.num_skipped == 1


def test_the_real_files_are_read_whole_and_in_order(real_data):
    folder = real_data / "benchmarks" / "sugarcrepe"
    images = real_data / "coco" / "images"
    records = list(read_benchmark("sugarcrepe", str(folder), str(images)))
    published = [
        (f"sugarcrepe/{name.removesuffix('.json')}/{key}", item)
        for name in SUGARCREPE_FILES
        for key, item in json.loads((folder / name).read_text()).items()
    ]
    assert [record["id"] for record in records] == [name for name, _ in published]
    for record, (_, item) in zip(records, published, strict=True):
        (negative,) = record["negatives"]
        assert record["caption"] == item["caption"]
        assert negative["caption"] == item["negative_caption"]
        assert apply_edits(record["caption"], negative["edits"]) == negative["caption"]
