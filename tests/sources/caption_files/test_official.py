import gzip
import json

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.caption_files import caption_records
from hnclip_cli.streams.jsonl import ErrorPolicy
from tests.sources.caption_files.examples import EXAMPLES


def read(path, *, policy=None, **how):
    return list(caption_records(str(path), policy=policy, **how))


def images_of(folder, *names):
    for name in names:
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(folder / "images")


def coco_file(folder, *, images=None, annotations=None, **others):
    path = folder / "captions.json"
    images = images if images is not None else [{"id": 1, "file_name": "1.jpg"}]
    one = {"image_id": 1, "id": 5, "caption": "a cat"}
    data = {"images": images, "annotations": [one] if annotations is None else annotations}
    path.write_text(json.dumps(others | data))
    return path


def test_coco_gives_ids_paths_and_captions(tmp_path):
    path = EXAMPLES["coco"].write(tmp_path)
    folder = images_of(tmp_path, *(f"{n:012d}.jpg" for n in (139, 285, 632)))
    first, *_ = read(path, images=folder)
    assert first == {
        "id": "900",
        "image": f"{folder}/000000000139.jpg",
        "caption": "A man in a red shirt rides a horse.",
    }


def test_the_images_may_stand_behind_the_captions_and_the_file_be_packed(tmp_path):
    data = json.loads(EXAMPLES["coco"].write(tmp_path).read_text())
    turned = {key: data[key] for key in ("annotations", "images")}
    (tmp_path / "turned.json.gz").write_bytes(gzip.compress(json.dumps(turned).encode()))
    assert read(tmp_path / "turned.json.gz") == read(tmp_path / "captions_val2017.json")


@pytest.mark.parametrize(
    "place",
    [
        "000000000007.jpg", "COCO_val2014_000000000007.jpg", "train2017/000000000007.jpg",
        "val2014/COCO_val2014_000000000007.jpg", "val2017/000000000007.jpg",
    ],
)  # fmt: skip
def test_an_image_of_coco_is_found_in_each_release(tmp_path, place):
    path = tmp_path / "dataset_coco.json"
    image = {"filepath": "val2014", "filename": "COCO_val2014_000000000007.jpg", "split": "val"}
    path.write_text(json.dumps({"images": [image | {"sentences": [{"raw": "a cat"}]}]}))
    folder = images_of(tmp_path, place)
    assert read(path, images=folder)[0]["image"] == f"{folder}/{place}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": [{"image_id": 2, "id": 1, "caption": "a"}]}, "annotations[0]: no imag"),
        ({"annotations": [{"image_id": [1], "caption": "a"}]}, 'field "image_id" is no id'),
        ({"annotations": [{"image_id": 1, "id": 1, "caption": 5}]}, "has the wrong type; got '5'"),
        ({"annotations": [{"image_id": 1, "bbox": [1]}]}, 'missing field "caption"'),
        ({"annotations": [7]}, "annotations[0]: not a record"),
        ({"annotations": [{"image_id": 1, "id": 1, "caption": "a", "n": 10**400}]}, "number is in"),
        ({"images": [{"id": 1, "file_name": "1.jpg"}] * 2}, "images[1]: an id that an earlier"),
        ({"images": [{"id": 1}, {"id": 1, "file_name": "1.jpg"}]}, 'images[0]: missing field "fi'),
        ({"images": [{"id": 1, "file_name": "../1.jpg"}]}, "image leaves its folder"),
        ({"images": [{"id": 1, "file_name": "/etc/hosts"}]}, "image leaves its folder"),
        ({"images": [{"id": 1, "file_name": "2.jpg"}]}, "image not found"),
    ],
)  # fmt: skip
def test_a_bad_entry_of_coco_is_named_and_can_be_skipped(tmp_path, change, message):
    path = coco_file(tmp_path, **change)
    folder = images_of(tmp_path, "1.jpg")
    with pytest.raises(InputError) as raised:
        read(path, images=folder)
    assert message in str(raised.value) and str(raised.value).startswith(f"{path}: ")
    policy = ErrorPolicy("skip")
    good = [{"image_id": 1, "id": 5, "caption": "a cat"}]
    data = json.loads(path.read_text())
    data["annotations"] += good if "annotations" in change else []
    path.write_text(json.dumps(data))
    try:
        read(path, images=folder, policy=policy)
    except HnclipError as error:  # nothing is left
        assert "no caption" in str(error)
    assert policy.num_skipped == 1


def test_an_id_that_comes_twice_is_bad(tmp_path):
    one = {"image_id": 1, "id": 5, "caption": "a cat"}
    with pytest.raises(InputError, match=r"annotations\[1\]: an id that an earlier caption has"):
        read(coco_file(tmp_path, annotations=[one, one]))


def test_blank_captions_and_nan_are_left_out_and_counted(tmp_path):
    ones = [{"image_id": 1, "caption": text} for text in (" \n", None, float("nan"), "a cat")]
    policy = ErrorPolicy()
    (record,) = read(coco_file(tmp_path, annotations=ones), policy=policy)
    assert record["caption"] == "a cat"
    assert policy.num_odd == {"entries without a caption": 3}


def test_captions_that_vizwiz_rejects_do_not_count(tmp_path):
    policy = ErrorPolicy()
    assert len(read(EXAMPLES["vizwiz"].write(tmp_path), policy=policy)) == 5
    assert policy.num_odd == {"captions that the data set rejects": 1}


def test_a_file_of_coco_without_images_is_told(tmp_path):
    path = coco_file(tmp_path, images=[])
    with pytest.raises(HnclipError, match="no list of images; expected"):
        read(path)


def test_splits_of_karpathy_are_chosen_and_said(tmp_path):
    path, notes = EXAMPLES["karpathy"].write(tmp_path), []
    records = read(path, note=notes.append)
    assert [record["split"] for record in records[::2]] == ["train", "restval", "val", "test"]
    assert [record["id"] for record in records[:3]] == ["7000", "7000#2", "7001"]
    assert notes == [
        f"{path}: entries of all splits (train 1, restval 1, val 1, test 1); "
        "--split takes some of them"
    ]
    chosen = read(path, splits=["restval", "train"], note=notes.append)
    assert chosen == records[:4] and len(notes) == 1
    with pytest.raises(HnclipError, match="no caption; got --split tset, expected a split of t"):
        read(path, splits=["tset"])
    # Images of other splits need not be there.
    folder = images_of(tmp_path, "COCO_val2014_000000000003.jpg")
    assert len(read(path, splits=["test"], images=folder)) == 2


def test_a_file_without_splits_says_so(tmp_path):
    with pytest.raises(HnclipError, match="this file has no splits"):
        read(EXAMPLES["coco"].write(tmp_path), splits=["train"])


def test_a_region_becomes_a_crop(tmp_path):
    path = EXAMPLES["visual_genome"].write(tmp_path)
    folder = images_of(tmp_path, "VG_100K/1.jpg", "VG_100K_2/2.jpg", "3.jpg")
    records = read(path, images=folder)
    assert records[0] | {"caption": ""} == {
        "id": "10", "image": f"{folder}/VG_100K/1.jpg", "caption": "", "crops": [[421, 57, 82, 139]]
    }  # fmt: skip
    assert records[-1]["image"] == f"{folder}/3.jpg"


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (7, "[0].regions[1]: missing field"),
        ({"x": 1, "y": 1, "width": 4, "height": 4, "region_id": 1}, 'missing field "phrase"'),
        ({"x": 1, "y": 1, "width": 4, "phrase": "a"}, 'missing field "height"'),
    ],
)
def test_a_bad_region_costs_itself(tmp_path, region, message):
    good = {"region_id": 1, "x": 1, "y": 1, "width": 4, "height": 4, "phrase": "a cat"}
    path = tmp_path / "region_descriptions.json"
    path.write_text(json.dumps([{"id": 1, "regions": [good, region, good | {"height": 0}]}]))
    with pytest.raises(InputError) as raised:
        read(path)
    assert message in str(raised.value)
    policy = ErrorPolicy("skip")
    assert len(read(path, policy=policy)) == 1
    assert policy.num_skipped == 1
    assert policy.num_odd == {"regions of no width or height": 1}


def test_images_of_redcaps_lie_by_subreddit(tmp_path):
    folder = images_of(tmp_path, *(f"abandoned/bpz{n}.jpg" for n in range(6)))
    records = read(EXAMPLES["redcaps"].write(tmp_path), images=folder)
    assert records[5]["image"] == f"{folder}/abandoned/bpz5.jpg"


def test_urls_are_joined_by_their_last_part(tmp_path):
    folder = images_of(tmp_path, *(f"{n}.jpg" for n in range(6)))
    records = read(EXAMPLES["cc3m"].write(tmp_path), images=folder)
    assert [record["image"] for record in records] == [f"{folder}/{n}.jpg" for n in range(6)]


def test_more_captions_than_urls_are_an_error(tmp_path):
    path = tmp_path / "sbu.json"
    path.write_text(json.dumps({"image_urls": ["http://x/1.jpg"], "captions": ["a", "b"]}))
    with pytest.raises(HnclipError, match="more captions than URLs; got 1 URLs"):
        read(path)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_flickr_end_as_they_like(tmp_path, end):
    path = tmp_path / "token"
    path.write_bytes(b"\xef\xbb\xbf" + f"1.jpg#0\ta cat{end}{end}1.jpg.1#1\ta|b{end}".encode())
    assert read(path) == [
        {"id": "1.jpg#0", "image": "1.jpg", "caption": "a cat"},
        {"id": "1.jpg.1#1", "image": "1.jpg.1", "caption": "a|b"},
    ]


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("flickr_token", b"no caption\n", ":7: not a caption of Flickr; got 'no caption'"),
        ("flickr_token", b"1.jpg#0\tcaf\xe9\n", ":7: invalid UTF-8; got byte 0xe9 at column 12"),
        ("cc3m", b"a cat\tno url\n", ":7: not a caption and a URL"),
        ("cc12m", b"http://x/1.jpg\ta\tb\n", ":7: not a caption and a URL"),
        ("localized_narratives", b'{"image_id": "1"}\n', ':7: missing field "dataset_id"'),
        ("localized_narratives", b"{\n", ":7: broken JSON"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_and_can_be_skipped(tmp_path, name, line, message):
    path = EXAMPLES[name].write(tmp_path)
    num_good = len(read(path))
    with path.open("ab") as stream:
        stream.write(line)
    with pytest.raises(InputError) as raised:
        read(path)
    assert message in str(raised.value)
    policy = ErrorPolicy("skip")
    assert len(read(path, policy=policy)) == num_good
    assert policy.num_skipped == 1


def test_a_line_above_the_pairs_may_say_what_is_what(tmp_path):
    path = tmp_path / "cc.tsv"
    path.write_text('url\tcaption\nhttp://x/1.jpg\t"a cat\n')
    assert read(path) == [{"image": "http://x/1.jpg", "caption": '"a cat'}]
