import csv
import io

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.benchmarks.regions import CREPE_FILES
from hnclip_cli.streams.jsonl import ErrorPolicy

NEGATIVES = ["a cat on a mat", "no dog on a mat", "a dog's, mat", 'a "dog" off a mat', "a mat"]
ROW = {
    "image_id": 2370799,
    "x": 3,
    "y": 4,
    "width": 50,
    "height": 60,
    "caption": "a dog on a mat",
    "hard_negs": repr(NEGATIVES),
    "region_id": 1,
}
ATOM_4 = "atom/prod_vg_hard_negs_atom_complexity_4.csv"


def table(*rows):
    """Rows as CSV, whatever each of them has."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ROW))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.fixture(autouse=True)
def photograph(folder):
    folder.image("VG_100K_2/2370799.jpg")


def test_a_row_is_a_region_with_its_caption_and_negatives(folder):
    folder.write(ATOM_4, table(ROW))
    (record,) = folder.read("crepe")
    assert record["id"] == "crepe/atom/4/1"
    assert folder.names(record) == ["VG_100K_2/2370799.jpg"]
    assert record["crops"] == [[3, 4, 50, 60]]
    assert [negative["caption"] for negative in record["negatives"]] == NEGATIVES
    assert {negative["kind"] for negative in record["negatives"]} == {"atom"}
    assert (record["subset"], record["tags"]) == ("atom", {"complexity": "4"})


def test_all_27_files_are_read_from_their_folders_or_from_one(folder):
    for name in CREPE_FILES:
        folder.write(name if name.startswith("atom") else name.rpartition("/")[2], table(ROW))
    records = folder.read("crepe")
    assert len(records) == len(CREPE_FILES) == 27
    complexities = [record["tags"]["complexity"] for record in records[:9]]
    assert complexities == [str(number) for number in range(4, 13)]
    assert folder.notes == []


def test_one_file_alone_says_its_type_and_complexity_by_its_name(folder):
    folder.write(ATOM_4.replace("_4", "_12"), table(ROW))
    (record,) = folder.read("crepe", folder.path / ATOM_4.replace("_4", "_12"))
    assert record["id"] == "crepe/atom/12/1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hard_negs": "open('x')"}, 'field "hard_negs" is no list'),
        ({"hard_negs": "[" * 9999}, 'field "hard_negs" is no list'),
        ({"hard_negs": "{}"}, 'field "hard_negs" is no list'),
        ({"hard_negs": "[1]"}, 'field "hard_negs" holds something else than text'),
        ({"hard_negs": "[]"}, 'field "hard_negs" is empty'),
        ({"caption": " "}, 'field "caption" is empty'),
        ({"width": "nan"}, 'field "width" is no number'),
        ({"image_id": "../1"}, 'field "image_id" is no number'),
        ({"image_id": "-5"}, 'field "image_id" is out of range'),
        ({"image_id": "5"}, "image not found"),
    ],
)
def test_a_bad_row_is_named(folder, change, message):
    folder.write(ATOM_4, table(ROW, {**ROW, **change}))
    policy = ErrorPolicy("skip")
    assert len(folder.read("crepe", policy=policy)) == policy.num_skipped == 1
    with pytest.raises(InputError) as raised:
        folder.read("crepe")
    assert f"item '4/2': {message}" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got the columns none, expected image_id caption x y"),
        (
            "image_id,caption\n",
            "got the columns image_id caption, expected image_id caption x y width",
        ),
        (table(ROW)[:-9], "broken CSV (unexpected end of data)"),
    ],
)
def test_a_damaged_file_is_named(folder, text, message):
    folder.write(ATOM_4, text)
    with pytest.raises(HnclipError) as raised:
        folder.read("crepe")
    assert str(raised.value).startswith(f"{folder.path}/{ATOM_4}: ")
    assert message in str(raised.value)


def test_bytes_that_are_no_utf8_are_named(folder):
    folder.write(ATOM_4, table(ROW))
    path = folder.path / ATOM_4
    path.write_bytes(path.read_bytes() + b"\xff\xfe")
    with pytest.raises(HnclipError, match=r"broken CSV .*utf-8"):
        folder.read("crepe")


def test_a_row_with_too_many_values_is_named(folder):
    folder.write(ATOM_4, table(ROW).rstrip() + ",surplus\r\n")
    with pytest.raises(InputError, match="item '4/1': more values than the header has columns"):
        folder.read("crepe")
