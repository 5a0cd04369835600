import sys

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.jsonl import ErrorPolicy

PNG, JPEG = b"\x89PNG\r\n rest", b"\xff\xd8\xff rest"
ROW = {
    "concept": "color",
    "coco_caption": "A red bus",
    "coco_image": {"bytes": JPEG, "path": "1.jpg"},
    "inpaint_caption": "A blue bus",
    "inpaint_image": {"bytes": PNG, "path": None},
    "worker": "w1",
}
FILE = "test-{:05d}-of-00003.parquet"


@pytest.fixture
def write(folder):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")

    def write_rows(rows, part=0):
        parquet.write_table(pyarrow.Table.from_pylist(rows), folder.path / FILE.format(part))

    return write_rows


def test_the_images_are_unpacked_and_named(folder, write):
    write([ROW])
    (record,) = folder.read("inpaintcoco")
    assert record["id"] == "inpaintcoco/color/0/0"
    assert folder.names(record) == ["0-0-coco.jpg", "0-0-inpaint.png"]
    assert [(folder.images / name).read_bytes() for name in folder.names(record)] == [JPEG, PNG]
    assert record["captions"] == ["A red bus", "A blue bus"]
    assert record["truth"] == [[0, 0], [1, 1]]


def test_parts_are_read_in_order_and_keep_their_names(folder, write):
    write([ROW] * 40, part=2)
    write([ROW], part=1)
    names = [folder.names(record)[0] for record in folder.read("inpaintcoco")]
    assert names == ["1-0-coco.jpg", *(f"2-{row}-coco.jpg" for row in range(40))]
    assert "1 of the 3 official files are not there" in folder.notes[0]


def test_what_is_there_already_is_left_alone_and_what_differs_is_in_the_way(folder, write):
    write([ROW])
    folder.read("inpaintcoco")
    kept = (folder.images / "0-0-coco.jpg").stat().st_ino
    (folder.images / "0-0-inpaint.png").write_bytes(b"half")
    with pytest.raises(HnclipError, match=r"0-0-inpaint\.png: this file is in the way"):
        folder.read("inpaintcoco")
    assert (folder.images / "0-0-coco.jpg").stat().st_ino == kept
    assert (folder.images / "0-0-inpaint.png").read_bytes() == b"half"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inpaint_caption": ""}, 'field "inpaint_caption" is empty'),
        ({"inpaint_caption": None}, 'field "inpaint_caption" has the wrong type'),
        ({"coco_image": {"bytes": None, "path": "x"}}, 'field "coco_image" holds no image'),
        ({"coco_image": {"bytes": b"GARBAGE", "path": "x"}}, "expected png, jpg"),
    ],
)
def test_a_bad_row_is_named_and_counted(folder, write, change, message):
    write([ROW, {**ROW, **change}, ROW])
    with pytest.raises(InputError) as raised:
        folder.read("inpaintcoco")
    assert f"{FILE.format(0)}: item '0/1': " in str(raised.value) and message in str(raised.value)
    policy = ErrorPolicy("skip")
    assert len(folder.read("inpaintcoco", policy=policy)) == 2
    assert policy.num_skipped == 1


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_a_damaged_file_is_named(folder, write, content):
    (folder.path / FILE.format(0)).write_bytes(content)
    with pytest.raises(HnclipError, match=r"test-00000-of-00003\.parquet: broken parquet"):
        folder.read("inpaintcoco")


def test_text_that_is_no_utf_8_is_a_damage(folder, write):
    write([ROW])
    path = folder.path / FILE.format(0)
    path.write_bytes(path.read_bytes().replace(b"A red bus", b"A \xffed bus"))
    with pytest.raises(HnclipError, match="broken parquet"):
        folder.read("inpaintcoco")


def test_another_table_is_no_official_file(folder, write):
    write([{"concept": "color"}])
    with pytest.raises(HnclipError, match="not an official file; expected also coco_caption"):
        folder.read("inpaintcoco")


def test_without_pyarrow_it_says_what_to_install(folder, monkeypatch):
    (folder.path / FILE.format(0)).touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(HnclipError, match=r"pyarrow is not installed; try pip install 'hnclip\[pa"):
        folder.read("inpaintcoco")
