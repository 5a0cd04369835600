import json
import sys

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.caption_files import caption_records
from hnclip_cli.streams.jsonl import ErrorPolicy
from tests.sources.caption_files.examples import CAPTIONS, EXAMPLES, lines_of


def read(path, *, policy=None, **how):
    return list(caption_records(str(path), policy=policy, **how))


def written(folder, content, name="captions.jsonl"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def arrow():
    return pytest.importorskip("pyarrow", reason="pyarrow is not installed")


def test_fields_of_other_names_are_read_and_all_others_kept(tmp_path):
    row = {"photo": "a.jpg", "said": ["a cat", " a dog "], "group": 5, "text": "unused", "n": 1}
    path = written(tmp_path, lines_of(row))
    ours = {"image": "a.jpg", "caption": "a cat", "metadata_group": 5, "text": "unused", "n": 1}
    assert read(path, caption_key="said", image_key="photo") == [ours, ours | {"caption": "a dog"}]


def test_a_row_with_several_captions_and_no_image_is_one_group(tmp_path):
    path = written(tmp_path, lines_of({"id": 7, "captions": ["a cat", "a dog"]}))
    assert read(path) == [
        {"id": "7", "group": "7", "caption": "a cat"},
        {"id": "7#2", "group": "7", "caption": "a dog"},
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": "a.jpg"}, "no field with captions; got the fields image, expected caption, cap"),
        ({"caption": 5}, "field \"caption\" is no text; got '5', expected text"),
        ({"caption": ["a", 5]}, 'field "caption" is no text'),
        ({"caption": "a", "image": 5}, "field \"image\" names no image; got '5'"),
        ({"caption": "a", "image": "../a.jpg"}, "image leaves its folder"),
        ({"caption": "a", "image": "/a.jpg"}, "image leaves its folder"),
        ({"caption": "a", "image": "no.jpg"}, "image not found"),
        ({"caption": "a", "image": "x\0.jpg"}, "image not found"),
        ({"caption": "a", "image_id": True}, "no number of an image"),
        ({"caption": "a", "image_id": "../../x"}, "image leaves its folder"),
        ([1], "not a record"),
    ],
)
def test_a_bad_row_is_named_and_can_be_skipped(tmp_path, row, message):
    good = {"image": "1.jpg", "caption": "a cat"}
    (tmp_path / "1.jpg").touch()
    for name, content in (("a.jsonl", lines_of(good, row, good)), ("a.json", [good, row, good])):
        path = written(tmp_path, content if name == "a.jsonl" else json.dumps(content), name)
        where = f"{path}:2: " if name == "a.jsonl" else f"{path}: [1]: "
        with pytest.raises(InputError) as raised:
            read(path, images=str(tmp_path))
        assert str(raised.value).startswith(where) and message in str(raised.value)
        policy = ErrorPolicy("skip")
        assert len(read(path, images=str(tmp_path), policy=policy)) == 2
        assert policy.num_skipped == 1


def test_a_conversation_of_several_questions_is_no_caption(tmp_path):
    turns = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A cat."}]
    path = written(tmp_path, lines_of({"conversations": turns}, {"conversations": turns * 2}))
    policy = ErrorPolicy()
    assert read(path, policy=policy) == [{"caption": "A cat."}]
    assert policy.num_odd == {"entries without a caption": 1}


def test_a_key_that_is_not_there_is_told(tmp_path):
    path = written(tmp_path, lines_of({"caption": "a"}))
    with pytest.raises(InputError, match="no field with captions; got the fields caption, exp"):
        read(path, caption_key="x")
    with pytest.raises(InputError, match='missing field "x"'):
        read(path, image_key="x")


def test_half_characters_in_json_are_refused(tmp_path):
    path = written(tmp_path, '[{"caption": "a \\ud800 cat", "n": NaN}]', "a.json")
    with pytest.raises(InputError, match=r"\[0\]: broken JSON"):
        read(path)
    path = written(tmp_path, 'raw,filename\n"[""\\ud800""]",1.jpg\n', "a.csv")
    assert read(path)[0]["caption"] == '["\\ud800"]'


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_any_usual_delimiter_will_do(tmp_path, delimiter, end):
    rows = ["image_name| comment", 'a.jpg| "x|y"', "", 'b.jpg|"two\nlines |."', "c.jpg|"]
    text = end.join(rows).replace("|", delimiter)
    path = written(tmp_path, "\ufeff" + text, "captions.csv")
    policy = ErrorPolicy("skip")
    records = read(path, policy=policy)
    assert [record["image"] for record in records if "lines" in record["caption"]] == ["b.jpg"]
    assert records[-1]["caption"] == f"two\nlines {delimiter}."
    assert policy.num_odd == {"entries without a caption": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image,caption\na.jpg,a cat,more\n", ":2: more values than the header has columns"),
        (b'image,caption\na.jpg,a\nb.jpg,"a" cat\n', ":3: broken CSV"),
        (b"image,caption\na.jpg,caf\xe9\n", ": broken CSV ('utf-8' codec"),
        (b"caption,caption\na,b\n", ": two columns of one name; got 'caption'"),
        (b"image,width\na.jpg,5\n", ":2: no field with captions; got the fields image, width"),
        (b"image,caption\na.jpg," + b"x" * 140_000 + b"\n", ":2: broken CSV (field larger than"),
    ],
)  # fmt: skip
def test_a_bad_csv_is_told(tmp_path, content, message):
    with pytest.raises(InputError) as raised:
        read(written(tmp_path, content, "captions.csv"))
    assert message in str(raised.value)


def test_images_of_parquet_are_saved_where_wanted(tmp_path, arrow):
    path = EXAMPLES["parquet_folder"].write(tmp_path)
    policy = ErrorPolicy()
    records = read(path, policy=policy)
    assert [record.get("image") for record in records] == [None] * 6
    assert policy.num_odd == {"images that lie inside of the file, see --save-images": 2}
    folder = str(tmp_path / "out")
    records = read(path, save_images=folder)
    names = [f"{folder}/{split}-000000000.jpg" for split in ("test", "train")]
    assert [record["image"] for record in records] == [*names[:1] * 3, *names[1:] * 3]
    assert (tmp_path / "out" / "test-000000000.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    assert read(path, save_images=folder, splits=["train"]) == records[3:]


def test_splits_of_a_saved_data_set_are_its_folders(tmp_path, arrow):
    path, notes = EXAMPLES["datasets"].write(tmp_path), []
    assert [record["split"] for record in read(path, note=notes.append)] == [
        *["train"] * 6, *["test"] * 6
    ]  # fmt: skip
    assert "(train 2, test 2)" in notes[0]
    (path / "train" / "state.json").unlink()  # and what is not read need not be there
    assert [record["caption"] for record in read(path, splits=["test"])] == CAPTIONS
    with pytest.raises(HnclipError, match="expected a split of train, test"):
        read(path, splits=["val"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("dataset_dict.json", '{"splits": ["../up"]}', "a split leaves its folder"),
        ("dataset_dict.json", '{"splits": [5]}', "not as datasets writes it"),
        ("dataset_dict.json", "[" * 5000, "not as datasets writes it"),
        ("train/state.json", "{}", "not as datasets writes it; expected _data_files"),
        ("train/state.json", '{"_data_files": [{"filename": "../x"}]}', "leaves its folder"),
        ("train/state.json", '{"_data_files": [{"filename": "x"}]}', "no such file"),
        ("train/data-00000-of-00002.arrow", "", "broken parquet or Arrow file"),
        ("train/data-00000-of-00002.arrow", "\x7f" * 999, "broken parquet or Arrow file"),
    ],
)
def test_a_damaged_saved_data_set_is_told(tmp_path, arrow, name, content, message):
    path = EXAMPLES["datasets"].write(tmp_path)
    (path / name).write_text(content)
    with pytest.raises(HnclipError, match=message):
        read(path)


@pytest.mark.parametrize("name", ["laion", "datasets"])
def test_a_file_that_was_cut_anywhere_gives_its_first_rows_or_an_error(tmp_path, arrow, name):
    path = EXAMPLES[name].write(tmp_path)
    file = path if path.is_file() else path / "test" / "data-00000-of-00002.arrow"
    data = file.read_bytes()
    whole = read(path)
    for end in range(0, len(data), 97):
        file.write_bytes(data[:end])
        try:
            assert read(path, policy=ErrorPolicy("skip")) != whole
        except HnclipError as error:
            assert "\n" not in str(error)


def test_without_pyarrow_it_says_what_to_install(tmp_path, arrow, monkeypatch):
    path = EXAMPLES["laion"].write(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(HnclipError, match=r"pyarrow is not installed; try pip install 'hnclip\[pa"):
        read(path)
