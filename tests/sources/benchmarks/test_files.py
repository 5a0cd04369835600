import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.benchmarks.files import Files, read_json
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.streams.jsonl import ErrorPolicy

NAMES = ("b.json", "a.json", "c.json")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path


def official(folder, path=".", **options):
    return Files("mine", str(folder / path), str(folder / "images"), **options)


def json_items(folder, **options):
    files = official(folder, "a.json", **options)
    return files.json_items(files.paths(NAMES))


def item_of(files):
    return Item({}, files, "a.json", "1")


def test_files_come_in_the_official_order_not_in_that_of_the_folder(folder):
    for name in NAMES:
        (folder / name).touch()
    assert official(folder).paths(NAMES) == [str(folder / name) for name in NAMES]


def test_one_file_is_itself(folder):
    (folder / "a.json").touch()
    assert official(folder, "a.json").paths(NAMES) == [str(folder / "a.json")]


def test_missing_files_are_noted(folder):
    (folder / "a.json").touch()
    notes = []
    assert official(folder, note=notes.append).paths(NAMES) == [str(folder / "a.json")]
    assert notes == [f"{folder}: 2 of the 3 official files are not there: b.json c.json"]


def test_a_folder_without_official_files_says_what_was_expected(folder):
    with pytest.raises(HnclipError, match=r"no official file in this folder; expected b\.json a"):
        official(folder).paths(NAMES)


def test_a_file_of_another_name_says_what_was_expected(folder):
    (folder / "d.json").touch()
    expected = r"d\.json: not an official file; expected one of b\.json a\.json c\.json"
    with pytest.raises(HnclipError, match=expected):
        official(folder, "d.json").paths(NAMES)


def test_a_path_that_is_not_there_is_named(folder):
    with pytest.raises(HnclipError, match=r"a\.json: no such file or folder"):
        official(folder, "a.json").paths(NAMES)


def test_an_image_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HnclipError, match="nowhere: no such folder; try --images"):
        Files("mine", str(tmp_path), "nowhere")


def test_items_know_their_file_and_key(folder):
    (folder / "a.json").write_text('{"7": {"x": " text "}, "3": {}}')
    seven, three = json_items(folder)
    assert (seven.key, seven.subset, seven.text("x")) == ("7", "a", " text ")
    assert three.where == f"{folder}/a.json: item '3'"


def test_a_number_beyond_whole_numbers_stays_one_that_json_can_hold(folder):
    item = Item({"huge": 1e300, "whole": "7.0"}, official(folder), "a.json", "1")
    assert (repr(item.number("huge")), repr(item.number("whole"))) == ("1e+300", "7")
    with pytest.raises(InputError, match="out of range"):
        item.integer("huge")


def test_an_item_that_is_no_object_meets_the_policy(folder):
    (folder / "a.json").write_text('{"1": 5, "2": {}}')
    errors = []
    policy = ErrorPolicy("skip", errors.append)
    items = list(json_items(folder, policy=policy))
    assert [item.key for item in items] == ["2"]
    assert str(errors[0]).endswith("a.json: item '1': not an item; got 5, expected an object")
    with pytest.raises(InputError):
        list(json_items(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "broken JSON"),
        (b'{"1": {"caption"', "broken JSON"),
        (b"\xff\xfe\x00", "broken JSON"),
        (b"[]", "got a JSON list, expected one object"),
        (b"null", "got a JSON NoneType"),
    ],
)
def test_a_damaged_file_is_named(folder, content, message):
    (folder / "a.json").write_bytes(content)
    with pytest.raises(HnclipError, match=message) as raised:
        list(json_items(folder))
    assert str(raised.value).startswith(f"{folder}/a.json: ")


def test_a_byte_order_mark_is_no_damage(folder):
    (folder / "a.json").write_bytes(b"\xef\xbb\xbf{}")
    assert list(json_items(folder)) == []


@given(st.binary(max_size=50))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_bytes(data)
    try:
        read_json(str(path))
    except HnclipError as error:
        assert str(error).startswith(f"{path}: broken JSON")


def test_an_image_is_the_folder_joined_with_the_name(folder):
    (folder / "images" / "x.jpg").touch()
    assert item_of(official(folder)).image_path("x.jpg") == f"{folder}/images/x.jpg"


@pytest.mark.parametrize("name", ["../images/x.jpg", "/etc/passwd", "a/../../x.jpg"])
def test_an_image_name_cannot_leave_the_folder(folder, name):
    with pytest.raises(InputError, match=r"a\.json: item '1': image leaves its folder"):
        item_of(official(folder)).image_path(name)


@pytest.mark.parametrize("name", ["gone.jpg", ".", "\0"])
def test_an_image_that_is_no_file_is_an_error_of_its_item(folder, name):
    with pytest.raises(InputError, match=r"a\.json: item '1': image not found; got '"):
        item_of(official(folder)).image_path(name)


def test_bad_items_are_skipped_and_the_others_go_on(folder):
    (folder / "a.json").write_text(json.dumps({str(i): {"n": i} for i in range(4)}))
    policy = ErrorPolicy("skip")
    source = official(folder, "a.json", policy=policy)

    def convert(item):
        if item["n"] % 2:
            raise item.error("odd")
        return {"n": item["n"]}

    assert list(source.records(source.json_items(source.paths(NAMES)), convert)) == [
        {"n": 0},
        {"n": 2},
    ]
    assert policy.num_skipped == 2
