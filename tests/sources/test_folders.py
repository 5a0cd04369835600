import os

import pytest
from PIL import Image

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.folders import MAX_FOLDERS, folder_records, is_image
from hnclip_cli.streams import csv_files
from hnclip_cli.streams.jsonl import ErrorPolicy


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a.png", "sub/c.JPG", "sub/deep/d.webp", "sub.x/e.png", "notes.md"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "images"


def read(*patterns, policy=None):
    return list(folder_records("images", patterns, policy or ErrorPolicy()))


def skipped(*patterns):
    errors = []
    policy = ErrorPolicy("skip", lambda error: errors.append(str(error)))
    return read(*patterns, policy=policy), errors


def test_image_files_are_found_below_the_folder_sorted_by_path(folder):
    records = read()
    assert [record["id"] for record in records] == sorted(record["id"] for record in records)
    assert [record["id"] for record in records] == [
        "a.png", "b.jpg", "sub.x/e.png", "sub/c.JPG", "sub/deep/d.webp",
    ]  # fmt: skip
    assert records[0] == {"id": "a.png", "image": "images/a.png"}


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["*.jpg"], ["b.jpg"]),
        (["*.jpg", "*.png"], ["a.png", "b.jpg", "sub.x/e.png"]),
        (["sub/*"], ["sub/c.JPG", "sub/deep/d.webp"]),
        (["notes*"], ["notes.md"]),
        (["none"], []),
    ],
)
def test_patterns_choose_by_name_or_by_path(folder, patterns, found):
    assert [record["id"] for record in read(*patterns)] == found


def test_a_text_in_capitals_is_read_where_there_is_no_other(folder):
    (folder / "a.TXT").write_text("A CAT")
    policy = ErrorPolicy()
    assert next(iter(folder_records("images", policy=policy)))["caption"] == "A CAT"
    assert ".txt files that were not read" not in policy.num_odd
    (folder / "a.txt").write_text("a cat")
    assert next(iter(folder_records("images", policy=policy)))["caption"] == "a cat"


def test_a_text_beside_an_image_is_its_caption(folder):
    (folder / "a.txt").write_text("\ufeffa cat on a mat\n")
    (folder / "notes.txt").write_text("no image has this name")
    assert read()[0]["caption"] == "a cat on a mat"
    assert "caption" not in read()[1]


def test_metadata_gives_captions_and_fields_and_does_not_overwrite(folder):
    (folder / "metadata.jsonl").write_text(
        '{"file_name":"a.png","caption":"from metadata","width":3,"id":"theirs"}\n'
        '{"file_name":"b.jpg","text":"as in imagefolder"}\n'
        '{"file_name":"sub/c.JPG","caption":"by its path"}\n'
    )
    (folder / "sub" / "deep" / "metadata.jsonl").write_text('{"file_name":"d.webp","n":1}\n')
    (folder / "a.txt").write_text("from the text beside")
    by_id = {record["id"]: record for record in read()}
    assert by_id["a.png"] == {
        "id": "a.png", "image": "images/a.png", "caption": "from the text beside", "width": 3,
        "metadata_id": "theirs", "metadata_caption": ["from metadata"],
    }  # fmt: skip
    assert by_id["b.jpg"]["caption"] == "as in imagefolder"
    assert by_id["sub/c.JPG"]["caption"] == "by its path"
    assert by_id["sub/deep/d.webp"]["n"] == 1
    assert "caption" not in by_id["sub.x/e.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "images/a.txt: the caption is invalid UTF-8"),
        (b" \n", "images/a.txt: the caption is empty"),
        (b"x" * (1 << 21), "images/a.txt: a caption of more than"),
    ],
)
def test_a_caption_that_cannot_be_read_is_a_bad_record(folder, content, message):
    (folder / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read()
    records, errors = skipped()
    assert (len(records), len(errors)) == (4, 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "metadata.jsonl:1: broken JSON"),
        ('{"caption":"x"}', 'metadata.jsonl:1: missing field "file_name"'),
        ('{"file_name":"gone.png"}', "metadata.jsonl:1: image not found; got 'gone.png'"),
        ('{"file_name":"a\\u0000"}', "metadata.jsonl:1: "),
        ('{"file_name":"../images/a.png"}', "metadata.jsonl:1: image leaves its folder"),
        ('{"file_name":"/etc/passwd"}', "metadata.jsonl:1: image leaves its folder"),
    ],
)
def test_a_bad_line_of_metadata_is_named(folder, line, message):
    (folder / "metadata.jsonl").write_text(line + '\n{"file_name":"a.png","caption":"x"}\n')
    with pytest.raises(InputError, match=message):
        read()
    records, errors = skipped()
    assert records[0]["caption"] == "x" and len(records) == 5
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("content", "message", "count"),
    [
        ("name\na.png\n", 'metadata.csv:2: missing field "file_name"', 1),
        ("file_name\na.png,x\nb.jpg\n", "metadata.csv:2: more values than the header", 1),
        ('file_name\n"a.png"x\n', r"metadata.csv:2: broken CSV \(", 1),
        ("file_name,n\na.png\nb.jpg,\xff\n", r"metadata.csv: broken CSV \('utf-8'", 1),
        ("file_name,n,n\na.png,1,2\n", "metadata.csv: two columns of one name; got 'n'", 1),
        ("file_name\n" + "\0" * 5000 + "\n", "metadata.csv: the line is too long", 1),
    ],
)
def test_a_bad_row_of_metadata_is_named(monkeypatch, folder, content, message, count):
    monkeypatch.setattr(csv_files, "MAX_LINE_BYTES", 4096)
    (folder / "metadata.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        read()
    records, errors = skipped()
    assert (len(records), len(errors)) == (5, count)


def test_what_is_not_read_is_counted_unless_a_pattern_chose(folder):
    (folder / "metadata.jsonl").write_text('{"file_name":"notes.md","caption":"x"}\n')
    (folder / "a.txt").write_text("a cat")
    (folder / "lonely.txt").touch()
    (folder / "loop").symlink_to(".")
    named = []
    policy = ErrorPolicy(report_odd=lambda what, where: named.append(where))
    read(policy=policy)
    assert policy.num_odd == {
        ".txt files that were not read": 1, "links to folders that were not read": 1,
        ".md files that were not read": 1, "lines of metadata on files that are not read": 1,
    }  # fmt: skip
    assert "images/lonely.txt" in named and "images/metadata.jsonl:1" in named
    policy = ErrorPolicy()
    read("*.png", policy=policy)
    assert policy.num_odd == {"lines of metadata on files that are not read": 1}


def test_links_lead_to_files_below_the_folder_only(folder, tmp_path):
    (tmp_path / "outside.png").touch()
    (folder / "inside.png").symlink_to("sub/c.JPG")
    (folder / "out.png").symlink_to("../outside.png")
    (folder / "nowhere.png").symlink_to("nothing")
    (folder / "loop").symlink_to(".")
    (folder / "up").symlink_to("..")
    records, errors = skipped()
    assert [record["id"] for record in records if "/" not in record["id"]] == [
        "a.png", "b.jpg", "inside.png",
    ]  # fmt: skip
    assert len(records) == 6
    assert errors == [
        "images/nowhere.png: a link that leads nowhere",
        "images/out.png: a link that leads out of the folder",
    ]


@pytest.mark.parametrize("name", ["a.txt", "metadata.jsonl", "metadata.csv", "sub/metadata.jsonl"])
@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("outside", "a link that leads out of the folder"),
        ("nothing", "a link that leads out of the folder"),
        ("images/nothing", "a link that leads nowhere"),
        ("loop", "cannot read it: Too many levels"),
        ("pipe", "a link that leads out of the folder"),
    ],
)
def test_captions_and_metadata_are_links_to_files_below_the_folder_only(
    folder, tmp_path, name, target, problem
):
    (tmp_path / "outside").write_text('{"file_name": "a.png", "secret": "x"}\n')
    os.mkfifo(tmp_path / "pipe")
    link = folder / name
    link.symlink_to(link if target == "loop" else tmp_path / target)
    records, errors = skipped()
    assert len(errors) == 1 and f"images/{name}" in errors[0] and problem in errors[0]
    assert len(records) == (4 if name == "a.txt" else 5) and "secret" not in str(records)


def test_a_caption_may_be_a_link_inside(folder):
    (folder / "captions").mkdir()
    (folder / "captions" / "1").write_text("a cat")
    (folder / "a.txt").symlink_to("captions/1")
    assert read()[0]["caption"] == "a cat"


def test_a_link_that_leads_in_circles_costs_itself(folder):
    (folder / "circle.png").symlink_to("circle.png")
    (folder / "there").symlink_to("back")
    (folder / "back").symlink_to("there")
    records, errors = skipped()
    assert len(records) == 5 and len(errors) == 1 and "circle.png" in errors[0]


def test_folders_in_each_other_have_a_bound(folder):
    deep = folder / "/".join("x" * (MAX_FOLDERS + 1))
    deep.mkdir(parents=True)
    (deep / "e.png").touch()
    (deep.parent / "f.png").touch()
    records, errors = skipped()
    assert records[-1]["id"].endswith("x/f.png") and len(records) == 6
    (error,) = errors
    assert "folders are nested too deeply; expected at most 100" in error


def test_pipes_and_folders_named_like_images_are_bad_records_or_read(folder):
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / "folder.png" / "z.png").touch()
    records, errors = skipped()
    assert "folder.png/z.png" in [record["id"] for record in records]
    assert errors == ["images/pipe.png: not a file; got a named pipe"]


def test_names_that_no_record_can_hold_are_bad(folder):
    with open(os.fsencode(folder) + b"/\xff.png", "wb"):
        pass
    records, errors = skipped()
    assert len(records) == 5
    assert errors == [r"'images/\udcff.png': the name is not UTF-8, so no record can hold it"]


def test_hidden_files_are_left_out(folder):
    (folder / "._a.png").touch()
    assert len(read()) == 5


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(HnclipError, match="no such folder"):
        list(folder_records(str(tmp_path / "none"), [], ErrorPolicy()))


def test_an_image_is_not_opened(folder):
    Image.new("RGB", (1, 1)).save(folder / "f.png")
    os.chmod(folder / "f.png", 0o400)
    assert len(read()) == 6


def test_images_are_known_by_their_ending():
    assert is_image("a.JPG") and is_image("x/a.b.webp")
    assert not is_image("a.txt") and not is_image("jpg") and not is_image("a.jpg/b")
