import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.places import (
    coco_places,
    find_image,
    unpack_image,
    visual_genome_places,
)
from hnclip_cli.streams.records import Record

RECORD = Record({}, "a.csv", 3)


def test_the_first_place_with_a_file_is_taken(tmp_path):
    for name in ("b.jpg", "c.jpg"):
        (tmp_path / name).touch()
    assert find_image(RECORD, str(tmp_path), ["a.jpg", "b.jpg", "c.jpg"]) == f"{tmp_path}/b.jpg"
    with pytest.raises(InputError, match=r"^a\.csv:3: image not found; got '.*/x\.jpg'; try"):
        find_image(RECORD, str(tmp_path), ["x.jpg", "y.jpg"])
    with pytest.raises(InputError, match=rf"x\.jpg', expected it in one of {tmp_path}, .*/val;"):
        find_image(RECORD, str(tmp_path), ["x.jpg", "y.jpg", "val/x.jpg"])


@pytest.mark.parametrize("name", ["../b.jpg", "a/../../b.jpg", "/etc/hosts"])
def test_no_place_lies_outside_of_the_folder(tmp_path, name):
    (tmp_path / "b.jpg").touch()
    (tmp_path / "images" / "a").mkdir(parents=True)
    with pytest.raises(InputError, match=r"^a\.csv:3: image leaves its folder"):
        find_image(RECORD, str(tmp_path / "images"), ["no.jpg", name])


def test_places_of_coco_and_visual_genome():
    names = coco_places("val2014/COCO_val2014_000000000042.jpg")
    assert names[:3] == [
        "val2014/COCO_val2014_000000000042.jpg", "COCO_val2014_000000000042.jpg",
        "000000000042.jpg",
    ]  # fmt: skip
    assert {"train2017/000000000042.jpg", "val2014/COCO_val2014_000000000042.jpg"} <= {*names}
    assert coco_places("a.jpg")[:2] == ["a.jpg", "a.jpg"]
    assert visual_genome_places(7) == ["7.jpg", "VG_100K/7.jpg", "VG_100K_2/7.jpg"]


def test_an_image_is_written_once_and_never_over_another(tmp_path):
    png = b"\x89PNG rest"
    record = Record({"image": {"bytes": png}, "raw": png, "text": "a", "gif": b"GAF8"}, "a: row 1")
    assert unpack_image(record, "image", str(tmp_path), "1") == f"{tmp_path}/1.png"
    assert unpack_image(record, "raw", str(tmp_path), "1") == f"{tmp_path}/1.png"
    assert (tmp_path / "1.png").read_bytes() == png
    (tmp_path / "1.png").write_bytes(b"another")
    with pytest.raises(HnclipError, match="in the way"):
        unpack_image(record, "raw", str(tmp_path), "1")
    for name in ("text", "gif"):
        with pytest.raises(InputError, match=f'a: row 1: field "{name}" holds no image'):
            unpack_image(record, name, str(tmp_path), "2")
