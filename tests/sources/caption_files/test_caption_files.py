import os

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.caption_files import caption_records, sampled
from hnclip_cli.sources.caption_files.formats import FORMATS
from tests.sources.caption_files.examples import CAPTIONS, EXAMPLES


def read(path, **how):
    return list(caption_records(str(path), **how))


def test_a_caption_a_line_has_to_be_asked_for(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text("A cat on a sofa.\n\n  a dog\n")
    with pytest.raises(
        HnclipError, match=r"no format of captions that is known; got 'A .*lines, if"
    ):
        read(path)
    assert read(path, format="lines") == [{"caption": "A cat on a sofa."}, {"caption": "a dog"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"[]", "no caption"),
        (b"{}", "no field with captions"),
        ("[]".encode("utf-16"), "UTF-16, not UTF-8; try iconv"),
        (b"PK\x03\x04 a zip", "a packed file; try unzip -p"),
        (b"image,caption\n", "no caption"),
        (b"{\n", "broken JSON"),
        (b"\0" * 600, "no format of captions"),
    ],
)
def test_a_file_with_nothing_to_read_is_an_error(tmp_path, content, message):
    path = tmp_path / "captions"
    path.write_bytes(content)
    with pytest.raises(HnclipError, match=message):
        read(path)


def test_what_is_no_file_is_told_at_once(tmp_path):
    with pytest.raises(HnclipError, match="no such file or folder"):
        read(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HnclipError, match="not a file; got a named pipe"):
        read(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    with pytest.raises(HnclipError, match="no caption"):
        read(tmp_path / "empty")
    with pytest.raises(HnclipError, match="no such folder; try --images with another"):
        read(tmp_path / "empty", images=str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("coco", {"caption_key": "text"}, "--caption-key or --image-key means nothing to the"),
        ("texts_beside_images", {"images": "."}, "--images means nothing to the format folder"),
        ("coco", {"save_images": "out"}, "--save-images means nothing to the format coco"),
        ("coco", {"caption_lines": True}, "--caption-lines means nothing to the format coco"),
    ],
)  # fmt: skip
def test_an_option_without_a_meaning_is_refused(tmp_path, name, how, message):
    with pytest.raises(HnclipError, match=message):
        read(EXAMPLES[name].write(tmp_path), **how)
    assert not (tmp_path / "out").exists()


def test_every_format_says_what_it_is_and_most_have_an_example():
    assert all(one.what for one in FORMATS.values())
    assert {*FORMATS} - {one.format for one in EXAMPLES.values()} == {"lines"}


def test_a_sample_keeps_the_order_and_depends_on_ids_and_seed_alone():
    records = [{"id": str(n), "caption": "a cat"} for n in range(1000)]
    first = list(sampled(records, 100, seed=1))
    assert len(first) == 100 and first == [one for one in records if one in first]
    turned = list(sampled(records[::-1], 100, seed=1))
    assert turned == first[::-1]
    assert list(sampled(records, 10, seed=1)) == [r for r in sampled(records, 10, seed=1)]
    assert list(sampled(records, 100, seed=2)) != first
    assert list(sampled(records[:3], 100)) == records[:3]
    assert 400 < sum(int(one["id"]) for one in first) / 100 < 600


def test_records_of_one_text_are_sampled_like_others():
    records = [{"caption": "a cat", "n": n} for n in range(10)]
    assert len(list(sampled(records, 4))) == 4


def test_a_folder_of_official_files_names_one_of_them(tmp_path):
    (tmp_path / "instances_val2017.json").touch()
    EXAMPLES["coco"].write(tmp_path)
    with pytest.raises(HnclipError, match=r"no caption; try one of its files, as .*captions_val20"):
        read(tmp_path)


def test_images_without_a_caption_are_left_out(tmp_path):
    path = EXAMPLES["texts_beside_images"].write(tmp_path)
    (path / "none.jpg").touch()
    assert [record["caption"] for record in read(path)] == CAPTIONS
